"""One push: the changes of a stretch of the journal, brought to one target by rsync.

Guarantees
- that what travels is an explicit list, compared by content (`--checksum`: the quick check would miss a
  change of the same size in the same second), with the version as mtime and the receiver refusing an older
  one (`--update`);
- that new and changed files of a push appear together (`--delay-updates`), and that files vanish only
  afterwards, in a run of their own: an index stops linking a page before the page goes;
- that a file which left the docroot between list and run never becomes a deletion, and holds up no other
  file;
- that nothing but regular files below the docroot is sent: no link is followed or copied;
- that rsync and its ssh end with the courier, killed or not, and at once when it may no longer write there: they are
  one process group, and the system ends rsync when the thread that started it is gone.

A folder on the target that stands where a file is published makes way with all in it; any other folder goes
only when it is empty.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from appliance import clock
from appliance.config import DeliverySettings
from appliance.delivery import exits
from appliance.delivery.journal import Change, Put
from appliance.delivery.lists import HOLDING, Lists, absent, exact, select
from appliance.delivery.running import Permit, Running, always
from appliance.delivery.ssh import Channel
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError, SomeFailed

#: The first rsync that does all of it on both ends.
OLDEST = (3, 2, 3)

#: Files from which on a push is compressed on its way.
BULK = 200

_ESCAPED = re.compile(rb"\\#([0-3][0-7]{2})")

#: Times a push is listed anew when files leave the docroot under it.
_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class Push:
    """What one push did."""

    #: Files whose bytes were sent, and those bytes as they travelled.
    files: int = 0
    bytes: int = 0
    #: Files and emptied folders removed.
    deleted: int = 0
    seconds: float = 0.0
    #: Paths whose file had left the docroot; their deletion follows in the journal.
    vanished: tuple[str, ...] = ()


class Rsync:
    """Pushes to one target, one at a time. `channel` is None for a folder on this host."""

    def __init__(self, target: Target, channel: Channel | None, permit: Permit = always) -> None:
        """Make it.

        Args:
            target: where to.
            channel: the connection to it.
            permit: asked before each run and all the time meanwhile; an answer ends rsync and is raised.
        """
        self.target = target
        self._channel = channel
        self._running = Running(str(target), permit)

    def push(self, changes: Sequence[Change], *, older: bool = False) -> Push:
        """Bring the target to what the docroot has of `changes`.

        Args:
            changes: what to bring.
            older: also where the target has a newer file.

        Raises:
            TargetBusy: another writer is at work there.
            SomeFailed: with the sentence of some files; all others arrived.
            DeliveryError: with a sentence; some of the changes may have arrived.
        """
        started = clock.monotonic()
        self.warm()
        failed: SomeFailed | None = None
        # A folder of a publishing host is emptied by itself, as the journal says, and not by its peers.
        ours = self.target.peer is None
        try:
            lists, output = self._send(changes, ours, update=not older)
        except SomeFailed as error:
            failed, lists, output = error, select(changes, self.target.docroot), []
        if ours:
            output += self._remove(lists.deletes)
            for folders in lists.emptied:
                output += self._remove(folders)
        if failed:
            raise failed
        files, bytes_sent, deleted = _count(output)
        return Push(files, bytes_sent, deleted, clock.monotonic() - started, lists.vanished)

    def warm(self) -> None:
        """See that the docroot is there, and the connection.

        Raises:
            DeliveryError: one is not.
        """
        if not self.target.docroot.is_dir():
            raise DeliveryError(f"the docroot {self.target.docroot} is not a folder; mount or make it")
        if self._channel:
            self._channel.warm()

    def differing(self, changes: Sequence[Change], *, newer: bool = False) -> list[Change]:
        """Those of `changes` that the target does not show as the docroot does; changes nothing there.

        What the docroot has meanwhile newer than `changes` is not among them, nor, unless `newer`, what the target has.

        Raises:
            DeliveryError: it could not be found out.
        """
        deletes = self.target.peer is None
        chosen = exact([c for c in changes if deletes or isinstance(c, Put)], self.target.docroot)
        if not chosen:
            return []
        self.warm()
        code, output, errors = self._run(
            [change.path for change in chosen],
            *("--dry-run", "-8", "--delete-missing-args", NAMED),
            update=not newer,
        )
        if code not in (0, *exits.PARTIAL):
            raise exits.error(code, errors, self.target)
        named = set(names(output))
        return exact([c for c in chosen if os.fsencode(c.path) in named], self.target.docroot)

    def extras(self, keep: Sequence[str]) -> list[str]:
        """What the target has and the docroot lacks, folders ending with /; changes nothing there.

        Args:
            keep: rsync patterns of what is passed over.

        Raises:
            DeliveryError: it could not be found out.
        """
        self.warm()
        looking = ("--recursive", "--dry-run", "-8", "--delete", "--existing", "--ignore-existing", NAMED)
        code, output, errors = self._running.run(
            self.command(*looking, *(f"--exclude={pattern}" for pattern in keep), listed=False)
        )
        if code not in (0, *exits.PARTIAL):
            raise exits.error(code, errors, self.target)
        return [os.fsdecode(name) for name in names([line for line in output if line[:2] == b"*d"])]

    def clear(self, extras: Sequence[str]) -> int:
        """Remove from the target what `extras` named there and the docroot still lacks; returns how much.

        Raises:
            DeliveryError: some of it could not be removed.
        """
        self.warm()
        wanted = dict.fromkeys(absent((name.rstrip("/") for name in extras), self.target.docroot))
        files = [name for name in extras if not name.endswith("/") and name in wanted]
        folders = [name.rstrip("/") for name in extras if name.endswith("/") and name.rstrip("/") in wanted]
        output = self._remove(files)
        for depth in sorted({name.count("/") for name in folders}, reverse=True):
            output += self._remove([name for name in folders if name.count("/") == depth])
        return _count(output)[2]

    def sweep(self, paths: Sequence[str]) -> None:
        """Remove what a push of `paths` that broke off may have left: rsync's own temporary files and folders.

        Raises:
            DeliveryError: some of it could not be removed.
        """
        self.warm()
        above = {os.fspath(PurePosixPath(path).parent) for path in paths}
        gone = absent(sorted(above), self.target.docroot)
        there = sorted(above.difference(gone))
        if there:
            code, _, errors = self._run([f"{folder}/" for folder in there], *_SWEEP)
            if code not in (0, *exits.PARTIAL):  # folders that are missing on either side hold nothing
                raise exits.error(code, errors, self.target)
        self._remove([f"{folder}/{HOLDING}" for folder in gone], "--force")
        for depth in sorted({folder.count("/") for folder in gone}, reverse=True):
            self._remove([folder for folder in gone if folder.count("/") == depth])

    def stop(self) -> None:
        """End a push that is under way, from another thread; it raises DeliveryError there."""
        self._running.stop()
        if self._channel:
            self._channel.stop()

    def _send(self, changes: Sequence[Change], force: bool, update: bool) -> tuple[Lists, list[bytes]]:
        output: list[bytes] = []
        lists = select(changes, self.target.docroot)
        for _ in range(_LISTINGS):
            if not lists.puts:
                return lists, output
            options = ["--force"] if force else []
            if self._channel and len(lists.puts) >= BULK:
                options.append("--compress")
            code, said, errors = self._run(lists.puts, "--delay-updates", *options, update=update)
            output += said
            if not code:
                return lists, output
            again = select(changes, self.target.docroot)
            if code not in exits.PARTIAL or (code == exits.FAILED_SOME and again.puts == lists.puts):
                break
            lists = again
        raise exits.error(code, errors, self.target)

    def _remove(self, paths: Sequence[str], *options: str) -> list[bytes]:
        if not paths:
            return []
        code, output, errors = self._run(paths, "--delete-missing-args", *options)
        # Parents that are missing here too count as vanished; what had to go is gone all the same.
        if code not in (0, exits.VANISHED):
            raise exits.error(code, errors, self.target)
        return output

    def _run(self, paths: Sequence[str], *options: str, update: bool = True) -> tuple[int, list[bytes], str]:
        # Names are ended by NUL and begin with ./, which keeps # and ; from being read as comments.
        listed = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)
        return self._running.run(self.command(*options, update=update), listed)

    def command(self, *options: str, listed: bool = True, update: bool = True) -> list[str]:
        """The argument list of one run: over the paths `listed` on its input, or else over all there is.

        With `update` the receiver refuses what is older than what it has.
        """
        target = self.target
        shell = ["-e", self._channel.shell] if self._channel else []
        # Only where the front end does not choose the folder itself.
        path = [] if target.is_confined else ["--mkpath"]
        return [
            target.delivery.rsync,
            *_BASE,
            *(_LISTED if listed else ()),
            *(("--update",) if update else ()),
            f"--timeout={target.delivery.timeout}",
            *shell,
            *path,
            *options,
            *target.delivery.rsync_options,
            *target.settings.rsync_options,
            "--",
            f"{target.docroot}/",
            target.destination,
        ]


#: Has rsync name each thing it would do; see `names`.
NAMED = "--out-format=%i %n"

#: Of the folders listed, remove only what a receiving rsync calls its temporary files.
_SWEEP = (
    *("--dirs", "--delete", "--existing", "--ignore-existing"),
    *(f"--filter=R {HOLDING}/", f"--filter=R {HOLDING}/**", "--filter=R .*.??????", "--filter=P *"),
)

_LISTED = ("--from0", "--files-from=-", "--no-recursive")

_BASE = (
    "--times",
    "--omit-dir-times",
    "--checksum",
    "--perms",
    "--chmod=D755,F644",
    "--no-links",
    "--no-human-readable",
    "--out-format=%i %b",
)


def names(output: Sequence[bytes]) -> list[bytes]:
    """The files and things to delete that lines of `%i %n` name: rsync writes what cannot be printed as `\\#ooo`."""
    # The first is always of eleven characters.
    named = [line[12:] for line in output if line[:2] in (b"<f", b">f", b".f", b"*d")]
    return [_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), name) for name in named]


def _count(output: Sequence[bytes]) -> tuple[int, int, int]:
    """Files sent, their bytes, and things deleted, of lines of `%i %b`."""
    sent = [line for line in output if line[:2] in (b"<f", b">f")]
    # A dot instead of an arrow is a change of attributes alone.
    return (
        len(sent),
        sum(int(line.rsplit(b" ", 1)[1]) for line in sent),
        sum(line.startswith(b"*deleting") for line in output),
    )


@lru_cache
def version(program: str) -> tuple[int, ...]:
    """The version of an rsync, such as (3, 2, 7).

    Raises:
        DeliveryError: it is not there or does not say.
    """
    command = [program, "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except FileNotFoundError as error:
        raise DeliveryError(
            f"rsync is not on this host (“{program}” was not found); install it (apt-get install rsync) or "
            "correct delivery.rsync"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise DeliveryError(f"“{program} --version” failed ({error}); correct delivery.rsync") from error
    found = re.match(r"rsync +version v?(\d+)\.(\d+)\.(\d+)", said)
    if not found:
        raise DeliveryError(f"“{program}” names no version of rsync; correct delivery.rsync")
    return tuple(map(int, found.groups()))


def preflight(settings: DeliverySettings, find_version: Callable[[str], tuple[int, ...]] = version) -> None:
    """Refuse to start with an rsync that is missing or too old.

    Raises:
        DeliveryError: with the sentence that mends it.
    """
    found = find_version(settings.rsync)
    if found < OLDEST:
        raise DeliveryError(
            f"“{settings.rsync}” is rsync {'.'.join(map(str, found))}, which is too old; install "
            f"{'.'.join(map(str, OLDEST))} or newer, or name another in delivery.rsync"
        )
