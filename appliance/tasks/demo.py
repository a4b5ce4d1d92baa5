"""The command that runs the demo."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path
from types import FrameType

from invoke import Context, task

from appliance import clock
from appliance.demo import sample, scenario
from appliance.demo.scenario import RunningDemo
from appliance.tasks.command_line import command, console, exit_with
from appliance.tasks.option_help import VERBOSE

#: The folder above the package. In a checkout it contains the script `inv`.
_ROOT = Path(__file__).parents[2]


@task(
    help={
        "serve": "Keep running until interrupted, so that you can look around and comment.",
        "folder": "The folder of the demo's site.",
        **VERBOSE,
    },
)
@command
def demo(_context: Context, serve: bool = False, folder: str = "demo-site", verbose: bool = False) -> None:
    """Publish a sample site to two front ends on this host, and measure how soon a new comment appears on both."""
    signal.signal(signal.SIGTERM, _interrupt)
    began, screen, served = clock.monotonic(), _Screen(), False
    try:
        with scenario.start_demo(Path(folder), screen) as demo_site:
            result = scenario.time_comment(demo_site, screen)
            screen.line(
                f"{result.files} files, two front ends, nothing differs ({clock.monotonic() - began:.1f} s in all)"
            )
            if serve:
                _print_invitation(demo_site, screen)
                served = True
                scenario.wait_for_exit(demo_site)
    except KeyboardInterrupt:
        screen.line("")
        if not served:
            exit_with("Interrupted; everything it started has ended. Run it again to continue.", 130)
        screen.line("Everything has ended.")
    finally:
        screen.break_line()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_invitation(demo_site: RunningDemo, screen: _Screen) -> None:
    entry = sample.newest_entry()
    first = demo_site.front_ends[0].url.rstrip("/")
    screen.line("")
    screen.line("The site is up. Every change appears on both front ends within moments:")
    for front_end in demo_site.front_ends:
        screen.line(f"  {front_end.url}")
    screen.line("Comment as a reader, in the form of an entry:")
    screen.line(f"  {first}{sample.address_of(entry)}#respond")
    screen.line("Search in the box of any page, such as:")
    screen.line(f"  {first}{sample.search_address()}")
    screen.line("Work as an editor, from another shell:")
    folder = demo_site.config.path.parent
    place = f"cd {shlex.quote(os.path.relpath(folder))}"
    screen.line(f"  {place} && {_task_command(folder)} content.edit {entry.slug} --title 'Another title'")
    screen.line("Press Ctrl-C to stop.")


def _task_command(folder: Path) -> str:
    """Return the command that runs tasks in `folder`: the checkout's ./inv, or `appliance`."""
    inv = _ROOT / "inv"
    if not inv.exists():
        return "appliance"
    near = os.path.relpath(inv, folder)
    return shlex.quote(near if near.count("..") == 1 else str(inv))


class _Screen:
    """Prints the name of a step when it begins, and its result when it ends."""

    def __init__(self) -> None:
        self._open = False

    def begin(self, step: str) -> None:
        """Print the name of a step."""
        console().print(f"{step:<12}", end="", style="bold", markup=False)
        console().file.flush()
        self._open = True

    def end(self, result: str, seconds: float) -> None:
        """Print the result of the step."""
        self._open = False
        console().print(f"{f'{seconds:.2f} s':>8}", end="   ", style="dim", markup=False)
        console().print(result, markup=False)

    def figure(self, sentence: str) -> None:
        """Print the main figure of the demo."""
        console().print(f"{'':<23}{sentence}", style="bold green", markup=False)

    def line(self, text: str) -> None:
        """Print a line."""
        self.break_line()
        console().print(text, markup=False)

    def break_line(self) -> None:
        """End the line of a step that did not finish."""
        if self._open:
            console().print()
        self._open = False
