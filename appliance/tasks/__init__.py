"""The commands of the appliance. `invoke X` in a checkout and `appliance X` once installed run the same task.

`command_table` lists all commands and explains why their modules are imported only when needed.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from appliance import __version__, lazy_imports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


def _print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an unexpected exception. Its message may contain text from strangers, so it is escaped."""
    import traceback

    from appliance.terminal_text import escape_text

    sys.stderr.write(escape_text("".join(traceback.format_exception(kind, error, trace))))


#: The exit status that a shell reports for a program that SIGPIPE ended.
_PIPE_CLOSED = 141


@contextmanager
def _readers_may_leave() -> Iterator[None]:
    """End quietly when nobody reads the output any more, as in `appliance jobs.list | head`."""
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(_PIPE_CLOSED) from None


def main() -> None:
    """Run the console script `appliance`."""
    sys.excepthook = _print_exception
    with _readers_may_leave():
        if sys.argv[1:] in (["--version"], ["-V"]):
            print(f"appliance {__version__}")
            return
        with lazy_imports.skip_mock_import():
            from appliance.tasks.program import ApplianceProgram

        ApplianceProgram(name="appliance", binary="appliance", version=__version__).run()


__all__ = ["main"]
