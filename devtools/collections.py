"""Installs the Ansible collections that the roles use from a Python package, without Galaxy.

The collections are unpacked into a temporary folder and renamed into target. The stamp file that marks them as complete
is written last.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import yaml
from invoke import Context, Exit, task

from devtools.checks import ROOT, require_checkout

#: The package that contains the collections, and its digest.
PACKAGE = "ansible==12.3.0 --hash=sha256:cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414"

_FOLDER = "ansible_collections"


@task
def collections(_context: Context) -> None:
    """Install the collections in requirements.yml into .ansible/collections, without Galaxy."""
    require_checkout("collections")
    install()


def install() -> None:
    """Install the collections in requirements.yml into .ansible/collections, unless they are there already.

    Raises:
        Exit: the package could not be downloaded, or contains another version of a collection.
    """
    target, wanted = ROOT / ".ansible" / "collections", required_versions()
    stamp, content = target / ".ready", json.dumps({"package": PACKAGE, **wanted})
    if _is_current(stamp, content):
        return
    target.mkdir(parents=True, exist_ok=True)
    # One process at a time; a process that waited finds the collections installed.
    with target.with_suffix(".busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        if not _is_current(stamp, content):
            _reinstall(target, stamp, content, wanted)


def _is_current(stamp: Path, content: str) -> bool:
    return stamp.is_file() and stamp.read_text("utf-8") == content


def _reinstall(target: Path, stamp: Path, content: str, wanted: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=target, prefix=".fresh-") as folder:
        unpack(_download(Path(folder)), Path(folder), wanted)
        stamp.unlink(missing_ok=True)
        shutil.rmtree(target / _FOLDER, ignore_errors=True)
        Path(folder, _FOLDER).rename(target / _FOLDER)
    stamp.write_text(content, "utf-8")
    print(f".ansible/collections: {', '.join(f'{name} {version}' for name, version in wanted.items())}", flush=True)


def required_versions() -> Mapping[str, str]:
    """Return the versions of the collections in requirements.yml, by name."""
    document = yaml.safe_load((ROOT / "requirements.yml").read_text("utf-8"))
    return {entry["name"]: str(entry["version"]) for entry in document["collections"]}


def unpack(package: Path, folder: Path, wanted: Mapping[str, str]) -> None:
    """Unpack the `wanted` collections from a package into a folder.

    Raises:
        Exit: the package lacks a collection or contains another version of it.
    """
    with zipfile.ZipFile(package) as archive:
        members = archive.namelist()
        for name, version in wanted.items():
            inside = f"{_FOLDER}/{name.replace('.', '/')}/"
            manifest = f"{inside}MANIFEST.json"
            found = "none"
            if manifest in members:
                found = str(json.loads(archive.read(manifest))["collection_info"]["version"])
            if found != version:
                raise Exit(
                    f"{package.name} holds {found} of {name}, but requirements.yml asks for {version}; "
                    "correct it, or PACKAGE in devtools/collections.py",
                    1,
                )
            archive.extractall(folder, [member for member in members if member.startswith(inside)])


def _download(folder: Path) -> Path:
    """Download the package, checked by its digest, and return its path."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}\n", "utf-8")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, f"--dest={folder}", f"--requirement={wanted}"]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Exit(f"pip could not download {PACKAGE.split()[0]}, which contains the collections; it says why above", 1)
    return next(folder.glob("*.whl"))
