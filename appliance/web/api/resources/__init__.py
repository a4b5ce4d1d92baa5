"""The operations of the API, a module for each kind of thing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from appliance.web.api.operations import OPERATIONS, Operation

#: The chapters of the documents, in their order. `import_module` registers the operations of each.
CHAPTERS: Final = (
    "sites", "entries", "comments", "terms", "assets", "previews", "jobs", "queue", "sources", "targets", "pages",
    "processes", "periodic", "status", "users", "tokens", "audit",
)  # fmt: skip


def operations() -> Sequence[Operation]:
    """Return all operations, in the order of the documents."""
    for chapter in CHAPTERS:
        import_module(f"{__name__}.{chapter}")
    return OPERATIONS
