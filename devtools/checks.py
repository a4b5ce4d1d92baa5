"""Tasks for developers of the appliance: checks, lock files and reference pages.

All of them need a checkout, and say so if they run without one.
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

import devtools.reference
from appliance import clock
from devtools import commit_messages

ROOT = Path(__file__).parents[1]
LOCK = "requirements.lock"

#: The packages that publishing hosts install, without developers' tools.
HOSTS_LOCK = "requirements-hosts.lock"

#: Environment variables for Ansible: a path to its programs, and a home below .ansible/.
ANSIBLE_ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    "ANSIBLE_HOME": str(ROOT / ".ansible" / "home"),
    "NO_COLOR": "1",
}

_LINT_IMPORTS = "from importlinter.cli import lint_imports_command as run; run()"
_ANSIBLE_LINT = (
    "from devtools import collections; collections.install(); "
    "from ansiblelint.__main__ import _run_cli_entrypoint as run; run()"
)

#: Two test processes for each core, since tests often wait for servers, and up to four for the sake of memory.
_TEST_PROCESSES = min(2 * len(os.sched_getaffinity(0)), 4)

#: Options that spread the tests. Tests of one file stay in one process, since they share servers, and slow files start
#: first.
PYTEST_OPTIONS = (f"--numprocesses={_TEST_PROCESSES}", "--dist=loadfile", "--no-loadscope-reorder")

#: Arguments for Python of each check that `lint` runs, by the check's name.
LINTERS: dict[str, Sequence[str]] = {
    "commit messages": ("-m", "devtools.commit_messages"),
    "ruff check": ("-m", "ruff", "check", "--quiet", "--output-format=concise", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "--quiet", "--output-format=concise", "."),
    "mypy": ("-m", "mypy", "--no-error-summary"),
    "lint-imports": ("-c", _LINT_IMPORTS, "--no-logo"),
    "vulture": ("-m", "vulture"),
    "yamllint": ("-m", "yamllint", "--strict", "--format=parsable", "."),
    "ansible-lint": ("-c", _ANSIBLE_LINT, "--strict", "--offline", "-q", "--nocolor", "--format=pep8"),
}


@task(help={"args": "Further arguments for pytest, in one string; those after -- are passed on as well."})
def test(context: Context, args: str = "") -> None:
    """Check everything: style, types, imports, roles, and the tests."""
    arguments = [*shlex.split(args), *shlex.split(context.remainder)]
    require_checkout("test")
    failed = _run_linters()
    print("pytest: running", flush=True)
    if run_child([sys.executable, "-m", "pytest", *PYTEST_OPTIONS, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL):
        failed.append("pytest")
    _fail_if_any(failed)


@task
def lint(_context: Context) -> None:
    """Check style, types, imports and the roles, without running tests."""
    require_checkout("lint")
    _fail_if_any(_run_linters())


@task(help={"upgrade": "Take the newest releases that pyproject.toml allows, not those already locked."})
def lock(_context: Context, upgrade: bool = False) -> None:
    """Write requirements.lock and requirements-hosts.lock from pyproject.toml, for every supported Python."""
    require_checkout("lock")
    with tempfile.TemporaryDirectory() as folder:
        if _run_python(("-m", "pip", "install", "--quiet", "--target", folder, "uv")).returncode:
            raise Exit("uv, which resolves the packages, could not be installed; pip says why above", 1)
        options = ["--upgrade"] if upgrade else []
        _compile(Path(folder), LOCK, ["--group=dev", *options])
        # Hosts install the versions that the tests run with.
        _compile(Path(folder), HOSTS_LOCK, [f"--constraint={LOCK}"])


@task
def docs(_context: Context) -> None:
    """Write the reference pages from the code."""
    require_checkout("docs")
    # In a separate process, since this one's parser has consumed the help of every task.
    if _run_python(("-c", "from devtools import checks; checks.write_reference()")).returncode:
        raise Exit("the reference pages could not be written; the error is above", 1)


def write_reference() -> None:
    """Write the pages of docs/reference that differ from the code."""
    from devtools import command_table  # imports all commands

    for file, text in devtools.reference.pages(command_table.all_tasks()).items():
        path = ROOT / "docs" / "reference" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"docs/reference/{file}: written")


def _compile(folder: Path, name: str, options: Sequence[str]) -> None:
    """Write one lock file with the uv in `folder`; versions that still fit stay locked."""
    fresh = folder / name
    if (ROOT / name).exists():
        fresh.write_text((ROOT / name).read_text("utf-8"), "utf-8")
    always = ["--quiet", "--universal", "--generate-hashes", "--python-version=3.11", "--no-header"]
    command = [f"{folder}/bin/uv", "pip", "compile", *always, *options, f"--output-file={fresh}", "pyproject.toml"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise Exit(f"{name} could not be written and is unchanged; uv says why above", 1)
    text = _without_comments(fresh.read_text("utf-8"))
    (ROOT / name).write_text(text, "utf-8")
    print(f"{name}: {len(re.findall(r'^[a-z0-9]', text, re.MULTILINE))} packages")


def _run_linters() -> list[str]:
    """Run all linters and print their outcomes; return the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        # The slow linters are last in the list and start first.
        begun = {name: pool.submit(_timed, arguments) for name, arguments in reversed(LINTERS.items())}
        for name in LINTERS:
            result, seconds = begun[name].result()
            if result.returncode == commit_messages.SKIPPED:
                print(f"{name}: skipped, since {result.stdout.strip()}", flush=True)
                continue
            print(f"{name}: {'failed' if result.returncode else 'passed'} ({seconds:.1f} s)", flush=True)
            if result.returncode:
                print(result.stdout.strip(), flush=True)
                failed.append(name)
    return failed


def run_child(command: Sequence[str], **how: Any) -> int:
    """Run a command and return its exit status.

    An interruption of the terminal reaches the command too, and this function waits while the command cleans up.
    SIGTERM is forwarded to it.
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
    return _run_python(arguments, quiet=True), clock.monotonic() - began


def _run_python(arguments: Sequence[str], *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **ANSIBLE_ENVIRONMENT} if quiet else None,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )


def _fail_if_any(failed: Sequence[str]) -> None:
    if failed:
        raise Exit(f"failed: {', '.join(failed)}", 1)


def require_checkout(name: str) -> None:
    """Refuse to run the task `name` outside a checkout.

    Raises:
        Exit: there is no pyproject.toml, with status 3.
    """
    if not (ROOT / "pyproject.toml").is_file():
        raise Exit(f"{name} works on the appliance's source; run it as ./inv {name} in a checkout", 3)


def _without_comments(text: str) -> str:
    """Remove the comments of a lock file, which differ between machines."""
    return re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
