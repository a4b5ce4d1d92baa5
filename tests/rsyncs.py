"""The builds of rsync that this machine can have: tests run with each of them at each end.

`old` is one whose receiving side refuses `--delete-missing-args` with a list ("invalid file mode 00"), as Debian 12's
and Ubuntu 24.04's 3.2.7 do; `new` takes it. They are looked for in the folders below APPLIANCE_RSYNCS (each a package's
content, with `usr/bin/rsync`), in what is installed, and in every version that apt offers, which is fetched and
unpacked once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

#: Where a build is named; tests that lack one say this.
LACKING = "no {} build of rsync is here: apt offers none, or APPLIANCE_RSYNCS names no folder with one"

#: Both kinds at both ends: who sends, and who receives.
PAIRS = ("old-old", "old-new", "new-old", "new-new")


def find(kind: str, folder: Path) -> Path:
    """The program of the kind `old` or `new`; apt's are unpacked below `folder`. Skips the test where there is none."""
    for program in _candidates(folder):
        if (kind == "new") is _takes_missing_arguments(program):
            return program
    pytest.skip(LACKING.format(kind))


def rrsync(program: Path, folder: Path) -> Path:
    """Return the rrsync of a build, changed to start that build."""
    script = program.with_name("rrsync").read_text("utf-8")
    placed = folder / f"rrsync of {program.parents[2].name}"
    placed.write_text(script.replace("RSYNC = '/usr/bin/rsync'", f"RSYNC = '{program}'"), "utf-8")
    assert str(program) in placed.read_text("utf-8")
    placed.chmod(0o755)
    return placed


def _candidates(folder: Path) -> Iterator[Path]:
    named = os.environ.get("APPLIANCE_RSYNCS")
    if named:
        yield from sorted(Path(named).glob("*/usr/bin/rsync"))
    if installed := shutil.which("rsync"):
        yield Path(installed)
    yield from sorted(_fetched(folder).glob("*/usr/bin/rsync"))


@lru_cache
def _takes_missing_arguments(program: Path) -> bool:
    """Decide by a trial, since builds of one version differ."""
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        command = [program, "--from0", "--files-from=-", "--delete-missing-args", f"{here}/", f"{there}/"]
        done = subprocess.run(command, input=b"./missing\0", capture_output=True, check=False)
    return b"invalid file mode" not in done.stderr


@lru_cache
def _fetched(folder: Path) -> Path:
    """Unpack every version of the package that apt offers below `folder`, once for all processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for version in _offered():
            place = folder / version.replace("/", "_")
            if not place.exists():
                _unpack(version, place)
    return folder


def _offered() -> list[str]:
    if not shutil.which("apt-cache") or not shutil.which("dpkg-deb"):
        return []
    said = subprocess.run(["apt-cache", "madison", "rsync"], capture_output=True, text=True, check=False).stdout
    found = [line.split("|")[1].strip() for line in said.splitlines() if line.count("|") == 2 and "Packages" in line]
    return list(dict.fromkeys(found))


def _unpack(version: str, place: Path) -> None:
    """Fetch and unpack a version. A package that cannot be fetched leaves nothing, so that another run tries again."""
    fresh = place.with_name(f"{place.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    fetch = ["apt-get", "download", "-qq", f"rsync={version}"]
    if subprocess.run(fetch, cwd=fresh, capture_output=True, check=False, timeout=120).returncode == 0:
        (package,) = fresh.glob("*.deb")
        if subprocess.run(["dpkg-deb", "-x", package, fresh], capture_output=True, check=False).returncode == 0:
            fresh.rename(place)
            return
    shutil.rmtree(fresh)
