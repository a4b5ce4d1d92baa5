from devtools.command_table import all_tasks

__all__ = ["namespace"]

namespace = all_tasks()
