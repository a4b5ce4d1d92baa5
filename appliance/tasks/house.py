"""Tasks for those who work on the appliance itself: its checks, its lock file, its reference pages.

Each needs a checkout; an installed appliance says so instead of failing obscurely.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from invoke import Context, Exit, task

from appliance import clock
from appliance.tasks import reference

ROOT = Path(__file__).parents[2]
LOCK = "requirements.lock"

#: What publishing hosts install: nothing that is for working on the appliance only.
HOSTS_LOCK = "requirements-hosts.lock"

#: What Ansible needs of the environment: its programs, and a home below .ansible/.
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    "ANSIBLE_HOME": str(ROOT / ".ansible" / "home"),
    "NO_COLOR": "1",
}

_LINT_IMPORTS = "from importlinter.cli import lint_imports_command as run; run()"
_ANSIBLE_LINT = (
    "from appliance.tasks import collections; collections.provide(); "
    "from ansiblelint.__main__ import _run_cli_entrypoint as run; run()"
)

#: The checks that run nothing of ours, by name: arguments for this Python.
LINTERS: dict[str, Sequence[str]] = {
    "ruff check": ("-m", "ruff", "check", "--quiet", "--output-format=concise", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "--quiet", "--output-format=concise", "."),
    "mypy": ("-m", "mypy", "--no-error-summary"),
    "lint-imports": ("-c", _LINT_IMPORTS, "--no-logo"),
    "yamllint": ("-m", "yamllint", "--strict", "--format=parsable", "."),
    "ansible-lint": ("-c", _ANSIBLE_LINT, "--strict", "--offline", "-q", "--nocolor", "--format=pep8"),
}


@task(help={"args": "Further arguments for pytest, in one string; those after -- are passed on as well."})
def test(context: Context, args: str = "") -> None:
    """Check everything: style, types, imports, roles, and the tests."""
    arguments = [*shlex.split(args), *shlex.split(context.remainder)]
    in_a_checkout("test")
    failed = _lint()
    print("pytest: running", flush=True)
    if attend([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL):
        failed.append("pytest")
    _close(failed)


@task
def lint(_context: Context) -> None:
    """Check style, types, imports and the roles, without running tests."""
    in_a_checkout("lint")
    _close(_lint())


@task(help={"upgrade": "Take the newest releases that pyproject.toml allows, not those already locked."})
def lock(_context: Context, upgrade: bool = False) -> None:
    """Write requirements.lock and requirements-hosts.lock anew from pyproject.toml, for every supported Python."""
    in_a_checkout("lock")
    with tempfile.TemporaryDirectory() as folder:
        if _run(("-m", "pip", "install", "--quiet", "--target", folder, "uv")).returncode:
            raise Exit("uv, which resolves the packages, could not be had; pip says why above", 1)
        options = ["--upgrade"] if upgrade else []
        _compile(Path(folder), LOCK, ["--group=dev", *options])
        # Hosts install what the tests have run with.
        _compile(Path(folder), HOSTS_LOCK, [f"--constraint={LOCK}"])


@task
def docs(_context: Context) -> None:
    """Write the reference of settings and tasks anew from the code."""
    in_a_checkout("docs")
    # In a process of its own: the parser of this one has used up the help of every task.
    if _run(("-c", "from appliance.tasks import house; house.write_reference()")).returncode:
        raise Exit("the reference could not be written; what failed is said above", 1)


def write_reference() -> None:
    """Write those pages of docs/reference that differ from what the code says."""
    from appliance.tasks import namespace  # imports this module

    for file, text in reference.pages(namespace).items():
        path = ROOT / "docs" / "reference" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"docs/reference/{file}: written")


def _compile(folder: Path, name: str, options: Sequence[str]) -> None:
    """Write one lock file anew with the uv in `folder`, keeping what is locked where that still fits."""
    fresh = folder / name
    if (ROOT / name).exists():
        fresh.write_text((ROOT / name).read_text("utf-8"), "utf-8")
    always = ["--quiet", "--universal", "--generate-hashes", "--python-version=3.11", "--no-header"]
    command = [f"{folder}/bin/uv", "pip", "compile", *always, *options, f"--output-file={fresh}", "pyproject.toml"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Exit(f"{name} could not be written anew and is as it was; uv says why above", 1)
    text = _without_comments(fresh.read_text("utf-8"))
    (ROOT / name).write_text(text, "utf-8")
    print(f"{name}: {len(re.findall(r'^[a-z0-9]', text, re.MULTILINE))} packages")


def _lint() -> list[str]:
    """Run the linters, tell their outcomes and, of those that failed, what they said; the names of these."""
    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        # The slow ones are last in the list, and first to begin.
        begun = {name: pool.submit(_timed, arguments) for name, arguments in reversed(LINTERS.items())}
        for name in LINTERS:
            result, seconds = begun[name].result()
            print(f"{name}: {'failed' if result.returncode else 'passed'} ({seconds:.1f} s)", flush=True)
            if result.returncode:
                print(result.stdout.strip(), flush=True)
                failed.append(name)
    return failed


def attend(command: Sequence[str], **how: Any) -> int:
    """Run a command to its end; its exit status.

    An interruption reaches it as well, and it is waited for while it tidies up. SIGTERM is handed on to it.
    """
    with subprocess.Popen(command, **how) as process:
        before = signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
        try:
            while True:
                with suppress(KeyboardInterrupt):
                    return process.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


def _timed(arguments: Sequence[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    began = clock.monotonic()
    return _run(arguments, quiet=True), clock.monotonic() - began


def _run(arguments: Sequence[str], *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT} if quiet else None,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )


def _close(failed: Sequence[str]) -> None:
    if failed:
        raise Exit(f"failed: {', '.join(failed)}", 1)


def in_a_checkout(name: str) -> None:
    """Refuse a task that needs the appliance's source where there is none."""
    if not (ROOT / "pyproject.toml").is_file():
        raise Exit(f"{name} works on the appliance's source; run it as ./inv {name} in a checkout", 3)


def _without_comments(text: str) -> str:
    """The lock without its comments: who asked for a package is one machine's way of writing it."""
    return re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
