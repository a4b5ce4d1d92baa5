"""Inspects a target through a shell, which shows more than a key that may only write.

Guarantees that the inspection changes nothing. The shell belongs to the courier's own account if its key is not
confined, to another account named for this purpose, or to this host if the target is a local folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: What the key is confined to; None if something else answers.
Access = Literal["shell", "rrsync", "module"] | None

#: The first line that the script prints.
_GREETING = "appliance shell"

#: Arguments: the docroot, then names of files in it. Prints `key=value` lines; unknown values are left out.
_SCRIPT = """
echo 'appliance shell'
echo "user=$(id -un)"
echo "rsync=$(rsync --version 2>&1 | head -n 1)"
cd -- "$1" 2>/dev/null || exit 0
shift
echo "path=$(pwd -P)"
echo "space=$(df -Pk . | tail -n 1)"
echo "inodes=$(df -Pi . 2>/dev/null | tail -n 1)"
for name in "$@"; do
    [ -f "./$name" ] || continue
    echo "file=$name $(stat -c '%U %a %i %Y' -- "./$name") $(sha256sum < "./$name")"
done
exit 0
"""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the target."""

    owner: str
    #: Octal, such as `644`.
    mode: str
    inode: int
    #: Whole seconds since the epoch.
    mtime: int
    #: SHA-256, hexadecimal.
    digest: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a shell on the target shows. Unknown values are None."""

    user: str
    #: The first line of `rsync --version`, or the error of the shell.
    rsync: str
    #: The docroot with its links resolved; None if it does not exist or cannot be entered.
    path: str | None
    #: Free bytes and inodes of its file system.
    space: int | None
    inodes: int | None
    files: dict[str, RemoteFile]


def script(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Return the argument list that inspects a docroot and files in it on this host."""
    return ["sh", "-c", _SCRIPT, "sh", str(folder), *names]


def remote_script(folder: Path, names: Sequence[str] = ()) -> str:
    """Return the same as one argument of ssh, for any shell that the account has."""
    return shlex.join(script(folder, names))


def detect_access(output: str, errors: str) -> Access:
    """Tell what the key is confined to by the target's answer to the script."""
    if output.startswith(_GREETING):
        return "shell"
    if output.startswith("@RSYNCD:"):
        return "module"
    return "rrsync" if "rrsync" in errors else None


def parse(output: str) -> Inspection:
    """Parse the output of the script."""
    values: dict[str, str] = {}
    files: dict[str, RemoteFile] = {}
    for line in output.splitlines()[1:]:
        key, _, value = line.partition("=")
        if key == "file":
            name, *words = value.split()
            if len(words) >= 5:
                owner, mode, inode, mtime, digest = words[:5]
                files[name] = RemoteFile(owner, mode, int(inode), int(mtime), digest)
        else:
            values[key] = value
    space = _free(values.get("space", ""))
    return Inspection(
        user=values.get("user", ""),
        rsync=values.get("rsync", ""),
        path=values.get("path"),
        space=None if space is None else space * 1024,
        inodes=_free(values.get("inodes", "")),
        files=files,
    )


def _free(line: str) -> int | None:
    """Return the fourth word of a line of df; None if the file system does not count."""
    words = line.split()
    unknown = len(words) < 5 or not words[1].isdigit() or words[1] == "0"
    return None if unknown or not words[3].isdigit() else int(words[3])
