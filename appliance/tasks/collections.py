"""The collections that the roles use, out of a Python package that holds them: no Galaxy is needed.

They are unpacked beside their place and put there by rename, and the stamp that they are complete is written last.
"""

from __future__ import annotations

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

from appliance.tasks.house import ROOT, in_a_checkout

#: The package, and what its file must be.
PACKAGE = "ansible==12.3.0 --hash=sha256:cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414"

_FOLDER = "ansible_collections"


@task
def collections(_context: Context) -> None:
    """Put the collections that requirements.yml names into .ansible/collections, without Galaxy."""
    in_a_checkout("collections")
    provide()


def provide() -> None:
    """Have the collections that requirements.yml names in .ansible/collections, saying so if they were not.

    Raises:
        Exit: the package could not be had, or holds a collection in another version.
    """
    place, wanted = ROOT / ".ansible" / "collections", named()
    stamp, said = place / ".ready", json.dumps({"package": PACKAGE, **wanted})
    if stamp.is_file() and stamp.read_text("utf-8") == said:
        return
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".fresh-") as folder:
        unpack(_download(Path(folder)), Path(folder), wanted)
        stamp.unlink(missing_ok=True)
        shutil.rmtree(place / _FOLDER, ignore_errors=True)
        Path(folder, _FOLDER).rename(place / _FOLDER)
    stamp.write_text(said, "utf-8")
    print(f".ansible/collections: {', '.join(f'{name} {version}' for name, version in wanted.items())}", flush=True)


def named() -> Mapping[str, str]:
    """The versions of the collections in requirements.yml, by name."""
    document = yaml.safe_load((ROOT / "requirements.yml").read_text("utf-8"))
    return {entry["name"]: str(entry["version"]) for entry in document["collections"]}


def unpack(package: Path, folder: Path, wanted: Mapping[str, str]) -> None:
    """Unpack these collections, and no others, from a package into a folder.

    Raises:
        Exit: it holds a collection in another version, or not at all.
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
                    "correct it, or PACKAGE in appliance/tasks/collections.py",
                    1,
                )
            archive.extractall(folder, [member for member in members if member.startswith(inside)])


def _download(folder: Path) -> Path:
    """The package's file, whose digest pip has compared."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}\n", "utf-8")
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, f"--dest={folder}", f"--requirement={wanted}"]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Exit(f"pip could not download {PACKAGE.split()[0]}, which holds the collections; it says why above", 1)
    return next(folder.glob("*.whl"))
