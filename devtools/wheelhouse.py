"""Builds the wheelhouse: all packages that publishing hosts install, gathered on the controller.

The name of a release is the version and eight digits of a digest over the digests of all files. Two hosts with a folder
of the same name therefore have the same files. A complete wheelhouse is put in place by a rename.
"""

from __future__ import annotations

import contextlib
import email
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

from invoke import Context, Exit, task

from devtools.checks import HOSTS_LOCK, ROOT, require_checkout

NAME = "publishing-appliance"

#: Platform tags of Linux wheels that every supported host accepts, newest first.
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


@task(
    help={
        "python": "The hosts' Python, such as 3.11.",
        "machine": "The hosts' machine type, as uname -m prints it.",
        "wheel": "A wheel of the appliance to use instead of one built from this checkout.",
    },
)
def wheelhouse(_context: Context, python: str = "3.11", machine: str = "x86_64", wheel: str = "") -> None:
    """Gather the packages for publishing hosts in .ansible/wheelhouse; print the release and whether it changed."""
    require_checkout("wheelhouse")
    if not re.fullmatch(r"3\.\d+", python):
        raise Exit(f"--python={python} is no version of Python such as 3.11", 3)
    if not re.fullmatch(r"[a-z0-9_]+", machine):
        raise Exit(f"--machine={machine} is no kind of machine such as x86_64 or aarch64", 3)
    place = ROOT / ".ansible" / "wheelhouse" / f"cp{python.replace('.', '')}-{machine}"
    with _exclusively(place), tempfile.TemporaryDirectory(dir=place.parent, prefix=".fresh-") as folder:
        own = validate_wheel(Path(wheel)) if wheel else _build(Path(folder))
        before = _release(place)
        release = _gather(place, before, Path(folder), own, python, machine)
    print("unchanged" if release == before else "changed", release)


def validate_wheel(wheel: Path) -> Path:
    """Check that hosts can install a wheel with the packages in requirements-hosts.lock, and return it.

    Raises:
        Exit: the file is not a wheel of the appliance, its version is invalid, or it requires a package that the lock
            does not contain.
    """
    from packaging.requirements import Requirement  # only a checkout has it
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    metadata = _metadata(wheel)
    try:
        version = Version(str(metadata["Version"]))
        if parse_wheel_filename(wheel.name)[:2] != (NAME, version):
            raise Exit(f"{wheel} is not named as the wheel of {NAME} {version} is; give it its own name", 3)
    except (InvalidVersion, InvalidWheelFilename) as error:
        raise Exit(f"{wheel} has a version that is none as PEP 440 has them ({error}); build it again", 3) from error
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / HOSTS_LOCK).read_text("utf-8"), re.MULTILINE))
    for line in metadata.get_all("Requires-Dist", []):
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        held = locked.get(canonicalize_name(wanted.name))
        if held is None or not wanted.specifier.contains(held, prereleases=True):
            raise Exit(f"{wheel} asks for {wanted}, which {HOSTS_LOCK} does not hold; build it from this checkout", 3)
    return wheel


def _metadata(wheel: Path) -> Message:
    """Read the metadata of a wheel.

    Raises:
        Exit: the file is not a wheel of the appliance.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            metadata = email.message_from_bytes(archive.read(names[0]))
    except (OSError, zipfile.BadZipFile, IndexError) as error:
        raise Exit(f"{wheel} is no wheel that can be read; name one of {NAME}", 3) from error
    if re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower() != NAME:
        raise Exit(f"{wheel} is a wheel of {metadata['Name']}; name one of {NAME}", 3)
    return metadata


def _build(folder: Path) -> Path:
    """Build the wheel of this checkout; the same files give the same bytes."""
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    _pip("wheel", *options, f"--wheel-dir={folder / 'own'}", str(ROOT), what="the wheel could not be built")
    return next((folder / "own").glob("*.whl"))


def _gather(place: Path, before: str, folder: Path, own: Path, python: str, machine: str) -> str:
    """Replace the release `before` by our wheel and those of the lock, and return the new release."""
    fresh = folder / "wheels"
    fresh.mkdir()
    lock = (ROOT / HOSTS_LOCK).read_text("utf-8")
    stamp = place.with_suffix(".lock")
    if not (before and stamp.is_file() and stamp.read_text("utf-8") == lock):
        _download(fresh, python, machine)
    else:
        for file in _wheels(place):
            if not _is_own(file):
                (fresh / file.name).hardlink_to(file)
    shutil.copyfile(own, fresh / own.name)
    release = _write_manifest(fresh)
    if release != before:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    stamp.write_text(lock, "utf-8")
    return release


def _write_manifest(folder: Path) -> str:
    """Write MANIFEST, with a line for each file, and RELEASE; return the release."""
    manifest = _manifest(folder)
    version = next(file.name.split("-")[1] for file in _wheels(folder) if _is_own(file))
    release = f"{version}-{hashlib.sha256(manifest.encode()).hexdigest()[:8]}"
    (folder / "MANIFEST").write_text(manifest, "utf-8")
    (folder / "RELEASE").write_text(f"{release}\n", "utf-8")
    return release


def _manifest(folder: Path) -> str:
    return "".join(f"{_digest(file)}  {file.name}\n" for file in _wheels(folder))


def _release(place: Path) -> str:
    """Return the existing release; empty if there is none or its files differ from its manifest."""
    release, manifest = place / "RELEASE", place / "MANIFEST"
    there = release.is_file() and manifest.is_file() and manifest.read_text("utf-8") == _manifest(place)
    return release.read_text("utf-8").strip() if there else ""


def _download(folder: Path, python: str, machine: str) -> None:
    digits = python.replace(".", "")
    tags = [f"--abi={abi}" for abi in (f"cp{digits}", "abi3", "none")]
    tags += [f"--platform={platform}_{machine}" for platform in _PLATFORMS]
    options = [
        "--only-binary=:all:",
        "--require-hashes",
        "--no-deps",
        "--implementation=cp",
        f"--python-version={python}",
    ]
    what = f"what {HOSTS_LOCK} names could not be had for Python {python} on {machine}"
    _pip("download", *options, *tags, f"--dest={folder}", f"--requirement={ROOT / HOSTS_LOCK}", what=what)


def _pip(command: str, *arguments: str, what: str) -> None:
    words = [sys.executable, "-m", "pip", command, "--quiet", "--no-input", "--disable-pip-version-check", *arguments]
    # pip's messages are for people; the standard output is for programs.
    if subprocess.run(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
        raise Exit(f"{what}; pip says why above", 1)


@contextlib.contextmanager
def _exclusively(place: Path) -> Iterator[None]:
    """Lock a wheelhouse; a process that waited finds the work done."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".busy").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wheels(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.whl"))


def _is_own(wheel: Path) -> bool:
    return wheel.name.startswith(f"{NAME.replace('-', '_')}-")


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
