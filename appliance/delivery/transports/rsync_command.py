"""The rsync program of this host: the command lines that couriers run it with, and the output that it prints.

Guarantees that files are compared by content (`--checksum`: the quick check would miss a change of the same size in the
same second), that a path's version becomes its mtime, and that nothing but regular files below the docroot is sent: no
link is followed or copied.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache

from appliance.delivery.targets import Target
from appliance.delivery.transports import rsync_removals
from appliance.delivery.transports.ssh import SshConnection
from appliance.errors import DeliveryError

#: The folder beside new files in which a receiving rsync keeps them until all have arrived (`--delay-updates`).
STAGING_FOLDER = ".~tmp~"

#: Options with which rsync prints a line for each file: the change, the bytes sent and the name.
OUTPUT_OPTIONS = ("-8", "--out-format=%i %b %n")

_ESCAPED = re.compile(rb"\\#([0-3][0-7]{2})")

_LISTED = ("--from0", "--files-from=-", "--no-recursive")

_BASE = (
    "--times",
    "--omit-dir-times",
    "--checksum",
    "--perms",
    "--chmod=D755,F644",
    "--no-links",
    "--no-human-readable",
    *OUTPUT_OPTIONS,
)


@lru_cache
def version(program: str) -> tuple[int, ...]:
    """Return the version of an rsync program, such as (3, 2, 7).

    Raises:
        DeliveryError: the program is missing or does not print a version.
    """
    command = [program, "--version"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except FileNotFoundError as error:
        raise DeliveryError(
            f"rsync is not on this host (“{program}” was not found); install it (apt-get install rsync) or "
            "correct delivery.rsync"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise DeliveryError(f"“{program} --version” failed ({error}); correct delivery.rsync") from error
    found = re.match(r"rsync +version v?(\d+)\.(\d+)\.(\d+)", output)
    if not found:
        raise DeliveryError(f"“{program}” names no version of rsync; correct delivery.rsync")
    return tuple(map(int, found.groups()))


class RsyncCommand:
    """Builds the argument lists for one target. `connection` is None for a folder on this host."""

    def __init__(self, target: Target, connection: SshConnection | None) -> None:
        self._target = target
        self._connection = connection

    def transfer(
        self, *options: str, listed: bool = True, update: bool = True, sources: Sequence[str] = ()
    ) -> list[str]:
        """Return the command of one transfer.

        Args:
            options: further options of rsync.
            listed: transfer only the paths on standard input, as `paths_input` writes them; else all there is.
            update: have the receiver refuse files that are older than those it has.
            sources: folders to transfer; the docroot when there are none.
        """
        target = self._target
        shell = ["-e", self._connection.remote_shell] if self._connection else []
        # Only where the front end does not choose the folder itself.
        path = [] if target.is_confined else ["--mkpath"]
        return [
            target.delivery.rsync,
            *_BASE,
            *(_LISTED if listed else ()),
            *(("--update",) if update else ()),
            # Folders of a publishing host may be shared by a group. Existing folders keep their modes, and new ones
            # take after the folder above and the account's umask.
            *(("--no-implied-dirs",) if target.peer else ()),
            f"--timeout={target.delivery.timeout}",
            *shell,
            *path,
            *options,
            *target.delivery.rsync_options,
            *target.settings.rsync_options,
            "--",
            *(sources or [f"{target.docroot}/"]),
            target.destination,
        ]

    def removal(self, folders: Sequence[str], *options: str) -> list[str]:
        """Return the command that removes names from `folders` by the rules on standard input; see `rsync_removals`."""
        sources = [f"{self._target.docroot}/./{folder}" for folder in folders]
        return self.transfer(*rsync_removals.OPTIONS, *options, sources=sources, listed=False, update=False)


def paths_input(paths: Iterable[str]) -> bytes:
    """Return the standard input that lists `paths` for a transfer."""
    # Names are ended by NUL and begin with /, which keeps # and ; from being read as comments. With ./ instead the
    # docroot itself would be listed, and given the mode of a folder.
    return b"".join(b"/" + os.fsencode(path) + b"\0" for path in paths)


def changed_names(output: Sequence[bytes]) -> list[bytes]:
    """Return the names of files that are sent or changed, and of what is deleted."""
    return _names(line for line in output if line[:2] in (b"<f", b">f", b".f", b"*d"))


def all_names(output: Sequence[bytes]) -> list[bytes]:
    """Return every name in the output. The names of folders end with a slash."""
    return _names(line for line in output if line[:1] in b"<>.ch*" and len(line) > len(b"<f+++++++++ "))


def new_names(output: Sequence[bytes]) -> list[bytes]:
    """Return the names of files that the receiver does not have."""
    return _names(line for line in output if line[:3] in (b"<f+", b">f+"))


def removed_names(output: Sequence[bytes]) -> list[bytes]:
    """Return the names of what is deleted. The names of folders end with a slash."""
    return _names(line for line in output if line[:2] == b"*d")


def blocked_names(errors: bytes) -> list[bytes]:
    """Return the files that could not replace a folder, from rsync's error output."""
    found = (line.partition(b"could not make way for new regular file: ") for line in errors.splitlines())
    return [_unescape(name) for _, separator, name in found if separator]


def count_output(output: Sequence[bytes]) -> tuple[int, int, int]:
    """Return the number of files sent, of their bytes, and of names deleted."""
    # A dot instead of an arrow is a change of attributes alone.
    sent = [line for line in output if line[:2] in (b"<f", b">f")]
    return len(sent), sum(int(line[12:].partition(b" ")[0]) for line in sent), len(removed_names(output))


def _names(lines: Iterable[bytes]) -> list[bytes]:
    # The kind of change takes eleven characters, whatever it is.
    return [_unescape(line[12:].partition(b" ")[2]) for line in lines]


def _unescape(name: bytes) -> bytes:
    """Undo rsync's `\\#ooo` for bytes that cannot be printed."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), name)
