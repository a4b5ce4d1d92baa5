"""A look at a target from the inside, through a shell: what a key that may only write does not show.

Guarantees that looking changes nothing there. The shell is the target's own account where its key is not confined,
another account that somebody named for this, or this host's when the target is a folder here.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: What the key turns out to be confined to; None when something else answers.
Access = Literal["shell", "rrsync", "module"] | None

#: The first line of what a shell answers.
_SIGN = "appliance shell"

#: Arguments: the docroot, then names of files in it. One `key=value` a line; what cannot be told is left out.
_SCRIPT = """
echo 'appliance shell'
echo "user=$(id -un)"
echo "rsync=$(rsync --version 2>&1 | head -n 1)"
cd -- "$1" 2>/dev/null || exit 0
shift
echo "path=$(pwd -P)"
[ -w . ] && echo writable=yes
echo "space=$(df -Pk . | tail -n 1)"
echo "inodes=$(df -Pi . 2>/dev/null | tail -n 1)"
for name in "$@"; do
    [ -f "./$name" ] || continue
    echo "file=$name $(stat -c '%U %a %i %Y' -- "./$name") $(sha256sum < "./$name")"
done
exit 0
"""


@dataclass(frozen=True, slots=True)
class FileSeen:
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
class Seen:
    """A target from the inside. What could not be told is None."""

    user: str
    #: The first line of `rsync --version`, or what the shell said instead.
    rsync: str
    #: The docroot with its links resolved; None when there is no such folder, or it cannot be entered.
    path: str | None
    writable: bool
    #: Bytes and inodes that are free on its file system.
    space: int | None
    inodes: int | None
    files: dict[str, FileSeen]


def script(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """The argument list that looks at a docroot, and at files in it, for this host."""
    return ["sh", "-c", _SCRIPT, "sh", str(folder), *names]


def remote_script(folder: Path, names: Sequence[str] = ()) -> str:
    """The same as one word for ssh, whatever shell the account has."""
    return shlex.join(script(folder, names))


def access(output: str, errors: str) -> Access:
    """What the key is confined to, by how the target answers to a command."""
    if output.startswith(_SIGN):
        return "shell"
    if output.startswith("@RSYNCD:"):
        return "module"
    return "rrsync" if "rrsync" in errors else None


def read(output: str) -> Seen:
    """What a shell told."""
    values: dict[str, str] = {}
    files: dict[str, FileSeen] = {}
    for line in output.splitlines()[1:]:
        key, _, value = line.partition("=")
        if key == "file":
            name, *words = value.split()
            if len(words) >= 5:
                owner, mode, inode, mtime, digest = words[:5]
                files[name] = FileSeen(owner, mode, int(inode), int(mtime), digest)
        else:
            values[key] = value
    space = _free(values.get("space", ""))
    return Seen(
        user=values.get("user", ""),
        rsync=values.get("rsync", ""),
        path=values.get("path"),
        writable="writable" in values,
        space=None if space is None else space * 1024,
        inodes=_free(values.get("inodes", "")),
        files=files,
    )


def _free(line: str) -> int | None:
    """The fourth word of a line of df; None where the file system counts none."""
    words = line.split()
    countless = len(words) < 5 or not words[1].isdigit() or words[1] == "0"
    return None if countless or not words[3].isdigit() else int(words[3])
