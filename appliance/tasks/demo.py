"""The demonstration on the command line."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path
from types import FrameType

from invoke import Context, task

from appliance import clock
from appliance.demo import sample, show
from appliance.demo.show import Stage
from appliance.tasks.console import command, leave, out
from appliance.tasks.house import ROOT


@task(
    help={
        "serve": "Stay up until interrupted, to be looked at and commented on.",
        "folder": "Where the demo's site lives.",
        "verbose": "Show the stack trace of an error.",
    },
)
@command
def demo(_context: Context, serve: bool = False, folder: str = "demo-site", verbose: bool = False) -> None:
    """Publish a sample site to two front ends on this host, and show how soon a comment is readable on both."""
    signal.signal(signal.SIGTERM, _interrupt)
    began, screen, served = clock.monotonic(), _Screen(), False
    try:
        with show.stage(Path(folder), screen) as standing:
            shown = show.perform(standing, screen)
            screen.line(
                f"{shown.files} files, two front ends, nothing differs ({clock.monotonic() - began:.1f} s in all)"
            )
            if serve:
                _invite(standing, screen)
                served = True
                show.await_end(standing)
    except KeyboardInterrupt:
        screen.line("")
        if not served:
            leave("Interrupted; all it had started is ended. Run it again to go on.", 130)
        screen.line("All ended.")
    finally:
        screen.break_line()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _invite(standing: Stage, screen: _Screen) -> None:
    folder = standing.config.path.parent
    inv = _command(folder)
    entry = sample.newest_entry()
    screen.line("")
    screen.line("The site is up; whatever you do to it is on both in a moment:")
    for front_end in standing.front_ends:
        screen.line(f"  {front_end.url}")
    screen.line("Post a comment from another shell:")
    screen.line(
        f"  cd {shlex.quote(os.path.relpath(folder))} && {inv} content.comment {entry.slug} 'Well said.' --author Ada"
    )
    screen.line(f"  and see {standing.front_ends[0].url.rstrip('/')}{sample.address_of(entry)}#comments")
    screen.line("Ctrl-C ends it.")


def _command(folder: Path) -> str:
    """How tasks are run in `folder`: the checkout's ./inv, or the installed command."""
    inv = ROOT / "inv"
    if not inv.exists():
        return "appliance"
    near = os.path.relpath(inv, folder)
    return shlex.quote(near if near.count("..") == 1 else str(inv))


class _Screen:
    """Lines for people: a step's name at once, its result when it is there."""

    def __init__(self) -> None:
        self._open = False

    def begin(self, what: str) -> None:
        """A step begins."""
        out.print(f"{what:<12}", end="", style="bold", markup=False)
        out.file.flush()
        self._open = True

    def end(self, result: str, seconds: float) -> None:
        """It has come to a good end."""
        self._open = False
        out.print(f"{f'{seconds:.2f} s':>8}", end="   ", style="dim", markup=False)
        out.print(result, markup=False)

    def figure(self, sentence: str) -> None:
        """What the demonstration is for."""
        out.print(f"{'':<23}{sentence}", style="bold green", markup=False)

    def line(self, text: str) -> None:
        """A line."""
        self.break_line()
        out.print(text, markup=False)

    def break_line(self) -> None:
        """End the line of a step that came to no end."""
        if self._open:
            out.print()
        self._open = False
