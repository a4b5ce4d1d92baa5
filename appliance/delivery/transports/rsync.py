"""The transport that brings changes to a target by rsync.

Guarantees
- that a push sends an explicit list of files, and that the receiver refuses a file older than the one it has;
- that the new and changed files of a push appear together (`--delay-updates`), and that files are removed only
  afterwards, in a run of their own: an index stops linking a page before the page goes;
- that a file which leaves the docroot during a push never becomes a deletion and holds up no other file;
- that rsync and its ssh end with the courier, even if it is killed, and at once when the courier may no longer write.

A folder on the target in the place of a published file is removed if it holds nothing but what was published there
once. Any other folder is removed only when it is empty. What `delivery.keep` matches is neither removed nor sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from appliance import clock
from appliance.delivery import journal
from appliance.delivery.file_lists import FileLists, is_clean, list_files, select_absent, select_current
from appliance.delivery.journal import Delete, PublishedChange, Put
from appliance.delivery.targets import Target
from appliance.delivery.transports import kept_files, rsync_command, rsync_errors, rsync_leftovers
from appliance.delivery.transports.base import Found, Permit, PushResult, always_permitted
from appliance.delivery.transports.rsync_command import RsyncCommand
from appliance.delivery.transports.rsync_removals import RemovalRules, removal_rules, split_into_runs
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.subprocess_runner import SubprocessRunner
from appliance.errors import DeliveryError, PartialTransfer

#: Pushes of at least this many files are compressed.
_COMPRESS_FROM = 200

#: How often the files of a push are listed again when some leave the docroot meanwhile.
_LISTINGS = 3


class RsyncTransport:
    """Implements `base.Transport`. `connection` is None for a folder on this host."""

    def __init__(self, target: Target, connection: SshConnection | None, permit: Permit = always_permitted) -> None:
        self.target = target
        self._connection = connection
        self._command = RsyncCommand(target, connection)
        self._runner = SubprocessRunner(str(target), permit)

    def warm(self) -> None:
        """Check that the docroot exists, and open the ssh connection."""
        if not self.target.docroot.is_dir():
            raise DeliveryError(f"the docroot {self.target.docroot} is not a folder; mount or make it")
        if self._connection:
            self._connection.warm()

    def push(self, changes: Sequence[PublishedChange], *, older: bool = False) -> PushResult:
        """Send new and changed files, then remove deleted ones."""
        started = clock.monotonic()
        self.warm()
        kept = self._select_kept([change for change in changes if isinstance(change, Put)])
        changes = [change for change in changes if change.path not in kept]
        lists, failed = list_files(changes, self.target.docroot), None
        # A publishing host deletes from its own docroot what the journal says; its peers do not.
        deletes = [] if self.target.peer else lists.deletes
        # A file cannot take the place of a folder that is not empty.
        output = self._remove(_select_below(deletes, lists.puts))
        try:
            lists, lines = self._send_and_replace(changes, update=not older)
            output += lines
        except PartialTransfer as error:
            failed = error
        output += self._remove(deletes)
        if failed:
            raise failed
        files, bytes_sent, deleted = rsync_command.count_output(output)
        return PushResult(files, bytes_sent, deleted, clock.monotonic() - started, lists.vanished, tuple(kept))

    def differing(self, changes: Sequence[PublishedChange], *, newer: bool = False) -> list[PublishedChange]:
        """Compare by dry runs."""
        deletes = self.target.peer is None
        chosen = select_current([c for c in changes if deletes or isinstance(c, Put)], self.target.docroot)
        if not chosen:
            return []
        self.warm()
        puts = [c for c in chosen if isinstance(c, Put)]
        kept = self._select_kept(puts)
        named = self._differing_files([c.path for c in puts if c.path not in kept], update=not newer)
        deleted = [c.path for c in chosen if isinstance(c, Delete)]
        for names in split_into_runs(deleted):
            named |= self._preview_removal(removal_rules(names, self.target.docroot, self._keep))
        return select_current([c for c in chosen if os.fsencode(c.path) in named], self.target.docroot)

    def look(self, change: PublishedChange) -> Found:
        """Look by a dry run, which names a file as new, as changed or not at all."""
        if not select_current([change], self.target.docroot):
            return "unknown"
        if isinstance(change, Delete):
            if self.target.peer:  # which deletes by itself, and is not asked about that
                return "unknown"
            return "different" if self.differing([change], newer=True) else "same"
        self.warm()
        if self._select_kept([change]):
            return "kept"
        code, output, errors = self._run([change.path], "--dry-run", update=False)
        self._check(code, errors)
        if rsync_command.new_names(output):
            return "absent"
        return "different" if rsync_command.changed_names(output) else "same"

    def extras(self, keep: Sequence[str]) -> list[str]:
        """List what a removal of everything unknown would remove."""
        self.warm()
        options = ("--recursive", "--dry-run", "--delete", "--existing", "--ignore-existing")
        code, output, errors = self._runner.run(
            self._command.transfer(*options, *(f"--exclude={pattern}" for pattern in keep), listed=False)
        )
        self._check(code, errors)
        return [os.fsdecode(name) for name in rsync_command.removed_names(output)]

    def clear(self, extras: Sequence[str]) -> int:
        """Remove names that the docroot still lacks."""
        self.warm()
        lacking = set(select_absent((name.rstrip("/") for name in extras), self.target.docroot))
        return rsync_command.count_output(self._remove([name for name in extras if name.rstrip("/") in lacking]))[2]

    def sweep(self, paths: Sequence[str]) -> int:
        """Look for the temporary files that rsync creates for `paths`, and remove them."""
        paths = [path for path in paths if is_clean(path)]
        if not paths:
            return 0
        self.warm()
        docroot = self.target.docroot
        found = self._preview_removal(rsync_leftovers.search_rules(paths, docroot, self._keep))
        names = rsync_leftovers.select_leftovers(sorted(map(os.fsdecode, found)), paths, docroot)
        return rsync_command.count_output(self._remove(names))[2]

    def leftovers(self, extras: Sequence[str]) -> dict[str, list[str]]:
        """Tell rsync's temporary files from others by their names."""
        return rsync_leftovers.read_names(extras)

    def stop(self) -> None:
        """Kill rsync or the ssh that connects, and refuse to start another."""
        self._runner.stop()
        if self._connection:
            self._connection.stop()

    def close(self) -> None:
        """Close the ssh connection."""
        if self._connection:
            self._connection.close()

    def _send_and_replace(self, changes: Sequence[PublishedChange], update: bool) -> tuple[FileLists, list[bytes]]:
        """Send files, and remove the folders or links that stand in the place of some."""
        failed: PartialTransfer | None = None
        try:
            lists, output = self._send_files(changes, update)
        except PartialTransfer as error:
            failed, lists, output = error, list_files(changes, self.target.docroot), []
        sent = set(rsync_command.changed_names(output))
        blocked = self._find_blocked([path for path in lists.puts if os.fsencode(path) not in sent])
        if blocked:
            output += self._make_way(blocked)
            # No file is there that could be newer: rsync 3.2.7 takes the age of whatever stands in the place of one.
            output += self._send_files([c for c in changes if c.path in blocked], update=False)[1]
            if failed:  # perhaps of nothing else
                return self._send_files(changes, update)
        elif failed:
            raise failed
        return lists, output

    def _find_blocked(self, paths: Sequence[str]) -> set[str]:
        """Return those of `paths` where the target has a folder or a link instead of a file."""
        if not paths:
            return set()
        code, output, errors = self._run(paths, "--dry-run", "--no-checksum", "--size-only", update=False)
        if code in rsync_errors.REFUSED:  # this target allows no dry run; what was sent has arrived all the same
            return set()
        self._check(code, errors)
        return set(map(os.fsdecode, rsync_command.new_names(output) + rsync_command.blocked_names(os.fsencode(errors))))

    def _make_way(self, blocked: Iterable[str]) -> list[bytes]:
        """Remove what was published below these paths once, and the folders if they are empty then."""
        if self.target.peer:
            return []
        return self._remove([name for path in blocked for name in (*journal.deleted_below(path), f"{path}/")])

    def _select_kept(self, puts: Sequence[Put]) -> dict[str, None]:
        """Return the paths of `puts` that `delivery.keep` protects. It does not apply to publishing hosts."""
        if self.target.peer or not self._keep:
            return {}
        files = list_files(puts, self.target.docroot).puts
        return dict.fromkeys(kept_files.select_kept(files, self.target.docroot, self.target.delivery))

    def _send_files(self, changes: Sequence[PublishedChange], update: bool) -> tuple[FileLists, list[bytes]]:
        output: list[bytes] = []
        lists = list_files(changes, self.target.docroot)
        for _ in range(_LISTINGS):
            if not lists.puts:
                return lists, output
            options = ["--compress"] if self._connection and len(lists.puts) >= _COMPRESS_FROM else []
            code, lines, errors = self._run(lists.puts, "--delay-updates", *options, update=update)
            output += lines
            if not code:
                return lists, output
            again = list_files(changes, self.target.docroot)
            if code not in rsync_errors.PARTIAL or (code == rsync_errors.FAILED_SOME and again.puts == lists.puts):
                break
            lists = again
        raise rsync_errors.delivery_error(code, errors, self.target)

    def _differing_files(self, paths: Sequence[str], update: bool) -> set[bytes]:
        if not paths:
            return set()
        code, output, errors = self._run(paths, "--dry-run", update=update)
        self._check(code, errors)
        return set(rsync_command.changed_names(output))

    def _remove(self, names: Sequence[str]) -> list[bytes]:
        """Remove files, and folders (names that end with a slash) if they are empty. Returns rsync's output."""
        output = list[bytes]()
        for some in split_into_runs(names):
            code, errors, folders = 0, "", list[str]()
            for _ in range(_LISTINGS):
                run = removal_rules(some, self.target.docroot, self._keep)
                if run.folders == folders:  # what failed has another reason than a folder that went meanwhile
                    break
                code, lines, errors = self._runner.run(self._command.removal(run.folders), run.rules)
                output += lines
                folders = run.folders
                if code not in rsync_errors.PARTIAL:
                    break
            if code:
                raise rsync_errors.delivery_error(code, errors, self.target)
        return output

    def _preview_removal(self, run: RemovalRules) -> set[bytes]:
        code, output, errors = self._runner.run(self._command.removal(run.folders, "--dry-run"), run.rules)
        self._check(code, errors)
        return set(rsync_command.changed_names(output))

    def _check(self, code: int, errors: str) -> None:
        if code not in (0, *rsync_errors.PARTIAL):
            raise rsync_errors.delivery_error(code, errors, self.target)

    @property
    def _keep(self) -> Sequence[str]:
        return self.target.delivery.keep

    def _run(self, paths: Sequence[str], *options: str, update: bool = True) -> tuple[int, list[bytes], str]:
        return self._runner.run(self._command.transfer(*options, update=update), rsync_command.paths_input(paths))


def _select_below(names: Sequence[str], files: Iterable[str]) -> list[str]:
    """Return those of `names` that lie below one of `files`, as if that were a folder."""
    known = set(files)
    return [name for name in names if not known.isdisjoint(map(os.fspath, PurePosixPath(name).parents))]
