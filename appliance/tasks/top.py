"""The command that shows the overview of the dashboard in the terminal, and keeps it up to date."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

from invoke import Context, task

from appliance import db
from appliance.db.outage import one_line
from appliance.overview.reading import Reader
from appliance.overview.visibility import EVERYTHING
from appliance.tasks import top_screen
from appliance.tasks.command_line import command, console, is_terminal, open_installation
from appliance.tasks.option_help import VERBOSE

if TYPE_CHECKING:
    from rich.console import RenderableType

    from appliance.config import Config

#: Seconds between two looks.
_INTERVAL: Final = 2.0
_QUIT: Final = frozenset(b"qQ\x04")


@task(help={"once": "Print it once and end; so it does without a terminal.", **VERBOSE})
@command
def top(_context: Context, once: bool = False, verbose: bool = False) -> None:
    """Show whether all is well, the queue, targets, processes and failures, live in the terminal; q quits."""
    with open_installation() as (config, _):
        reader = Reader(config)
        if once or not (is_terminal() and sys.stdin.isatty()):
            console().print(_look(config, reader), soft_wrap=False)
            return
        _show(lambda: _look_again(config, reader))


def _look(config: Config, reader: Reader) -> RenderableType:
    return top_screen.screen(config, reader.facts(EVERYTHING), reader.series(EVERYTHING))


def _look_again(config: Config, reader: Reader) -> RenderableType:
    """Look, or tell why that is impossible now: a database that is away comes back."""
    try:
        return _look(config, reader)
    except Exception as error:
        if not db.is_unavailable(error):
            raise
        db.disconnect()
        return top_screen.away(one_line(error))


def _show(look: Callable[[], RenderableType]) -> None:
    """Show what `look` returns on the whole screen, again and again, until somebody quits."""
    from rich.console import Console
    from rich.live import Live

    # Where a shell exports the size that the terminal had once, it would be taken for the one that it has now.
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    shown = Console(highlight=False, soft_wrap=True, _environ=environ)
    with _keys() as keys, Live(look(), console=shown, screen=True, auto_refresh=False) as live:
        live.refresh()
        while not keys.wait(_INTERVAL):
            live.update(look(), refresh=True)
    if keys.is_ended:
        raise SystemExit(128 + signal.SIGTERM)


class _Keys:
    """Waits for keys and signals. None of them interrupts anything, so that the terminal is always given back."""

    def __init__(self) -> None:
        #: Whether the command was told to end, by no key.
        self.is_ended = False
        self._terminal = sys.stdin.fileno()
        self._received, self._receive = os.pipe()

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        os.write(self._receive, bytes([number]))

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the terminal changes its size; return whether somebody quits."""
        ready, _, _ = select.select([self._terminal, self._received], [], [], seconds)
        signals = set(os.read(self._received, 512)) if self._received in ready else set[int]()
        pressed = os.read(self._terminal, 512) if self._terminal in ready else b" "
        self.is_ended |= signal.SIGTERM in signals
        return self.is_ended or signal.SIGINT in signals or not pressed or bool(_QUIT & set(pressed))

    def close(self) -> None:
        """Take no signal any more."""
        os.close(self._received)
        os.close(self._receive)


@contextmanager
def _keys() -> Iterator[_Keys]:
    """Have the terminal give each key as it is pressed, and show none."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    keys = _Keys()
    known = {number: signal.signal(number, keys.note) for number in (signal.SIGWINCH, signal.SIGINT, signal.SIGTERM)}
    try:
        tty.setcbreak(terminal)
        yield keys
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in known.items():
            signal.signal(number, handler)
        keys.close()
