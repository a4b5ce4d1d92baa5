"""Verifies targets against the journal, and repairs those that differ.

Guarantees that verification compares bytes and changes nothing; that a repair removes only what lies in the folder of a
site, is not protected by `delivery.keep` and is not published; that only a person's request removes what the journal
never put there; and that no more is removed at once than the settings allow.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

from appliance import audit, clock, db
from appliance.config import Config
from appliance.delivery import cursors, deletions, journal, progress, target_state
from appliance.delivery.journal import PublishedChange
from appliance.delivery.models import TargetControl
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target, courier_targets, find_target
from appliance.delivery.transports.base import Transport
from appliance.delivery.transports.factory import TransportFactory
from appliance.errors import ApplianceError, RemovalRefused

#: Files compared at a time.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class TargetVerification:
    """How a target differs from the journal."""

    target: str
    #: Files compared.
    checked: int
    #: Paths of files that are missing or differ, by content, time or mode.
    differing: list[str]
    #: Paths in the folders of sites that are not published. The names of folders end with a slash.
    extra: list[str]
    #: Those of `extra` that were published once and should be gone. All others belong to somebody else.
    stale: list[str]

    @property
    def is_right(self) -> bool:
        """Whether the target shows what is published and nothing else."""
        return not self.differing and not self.extra


def verify(
    config: Config, name: str, *, gently: bool = False, stopping: Callable[[], bool] = lambda: False
) -> TargetVerification:
    """Compare by content all files that a target has confirmed, and change nothing.

    Args:
        config: the installation, opened.
        name: the target.
        gently: pause after each batch as long as it took.
        stopping: ends the verification early when it returns True.

    Raises:
        DeliveryError: there is no such target, or it cannot be reached.
    """
    target = find_target(config, name)
    with TransportFactory() as transports:
        transport = transports.open(target)
        checked, wrong = 0, list[PublishedChange]()
        with closing(_noting_progress(target)) as batches:
            for changes in batches:
                if stopping():
                    break
                began = clock.monotonic()
                wrong += transport.differing(changes, newer=True)
                checked += len(changes)
                if gently:
                    clock.sleep(clock.monotonic() - began)
        # Once more, since a push may have been in progress.
        differing = [change.path for change in transport.differing(wrong, newer=True)]
        extra = _list_extra(config, transport)
        stale = _select_stale(extra, transport)
        found = TargetVerification(name, checked, differing, extra, [path for path in extra if path in stale])
    target_state.update_control(name, verified_at=db.now(), differing=len(found.differing), extra=len(found.extra))
    return found


def request_repair(config: Config, name: str, *, clear_strangers: bool, allow_removals: bool = False) -> None:
    """Have a courier, of this host or another, send a target everything again and remove what is no longer published.

    Args:
        config: the installation, opened.
        name: the target.
        clear_strangers: also remove files that the journal never put there. Only a person may request that.
        allow_removals: remove them even if they are more than `deletions` in the settings allow at once.

    Raises:
        DeliveryError: there is no such target.
    """
    find_target(config, name)
    with db.write():
        cursors.reset(name)
        target_state.update_control(
            name, repair_at=db.now(), allow_removals=allow_removals, clear_strangers=clear_strangers
        )
        after = {"resync": True, "clear_strangers": clear_strangers, "allow_removals": allow_removals}
        audit.record("target.act", "target", name, label=name, after=after)


def verify_all(config: Config, stopping: Callable[[], bool] = lambda: False) -> str:
    """Verify every target, one after the other and gently, and request a repair of those that differ.

    Returns sentences about targets that differ or could not be verified; empty if all is right.
    """
    messages = []
    for target in courier_targets(config):
        if stopping() or target_state.read_control(target.name).paused:
            continue
        try:
            found = verify(config, target.name, gently=True, stopping=stopping)
        except ApplianceError as error:
            messages.append(str(error))
            continue
        strangers = len(found.extra) - len(found.stale)
        if found.differing or found.stale:
            request_repair(config, target.name, clear_strangers=False)
            messages.append(f"{target.name}: {len(found.differing)} files differ, {len(found.stale)} ought to be gone")
        if strangers:
            messages.append(
                f"{target.name}: {strangers} were published by nobody here and stay; targets.resync removes them"
            )
    return "; ".join(messages)


def finish_repair(config: Config, transport: Transport, control: TargetControl) -> tuple[int, int, int]:
    """Complete a repair after everything was sent: replace newer files, and remove what is not published.

    Args:
        config: the installation, opened.
        transport: writes to the target.
        control: what was requested for the target.

    Returns:
        How many files were replaced, how many names were removed, and how many of somebody else were left.

    Raises:
        RemovalRefused: too much would be removed; nothing was.
        DeliveryError: the target could not be compared or changed.
    """
    with closing(_noting_progress(transport.target)) as batches:
        replaced = sum(_replace_newer(transport, changes) for changes in batches)
    extra = _list_extra(config, transport)
    stale = set(extra) if control.clear_strangers else _select_stale(extra, transport)
    found = [name for name in extra if name in stale]
    files, total = sum(not name.endswith("/") for name in found), journal.count_files()
    if not control.allow_removals and config.deletions.are_exceeded(files, files + total):
        raise RemovalRefused(
            f"{transport.target}: {files:,} files there were published by nobody, which is more than"
            f" {config.deletions.share:.0%} of all; none was removed; if that is meant, say so with --allow-removals"
        )
    return replaced, transport.clear(found) if found else 0, len(extra) - len(found)


def _replace_newer(transport: Transport, changes: Sequence[PublishedChange]) -> int:
    """Send those of `changes` that the target does not show, even where it has a newer file. Returns how many.

    A newer file on a publishing host may be one that its worker has just put there. So it publishes nothing meanwhile,
    and what it has published since `changes` were read stays.
    """
    wrong = transport.differing(changes, newer=True)
    if not wrong:
        return 0
    peer = transport.target.peer
    with db.write() if peer else nullcontext():
        if peer:
            deletions.lock(peer)
            latest = journal.read_latest([change.path for change in wrong])
            wrong = [change for change in wrong if latest[change.path][2] == change.version]
        if wrong:
            transport.push(wrong, older=True)
    return len(wrong)


def _list_extra(config: Config, transport: Transport) -> list[str]:
    """Return what a target has in the folders of sites that is neither published nor protected by `delivery.keep`.

    Nothing on a publishing host counts: it cleans its own docroot.
    """
    if transport.target.peer:
        return []
    folders = [f"{site.folder}/" if site.folder else "" for site in config.sites]
    found = [name for name in transport.extras(config.delivery.keep) if name.startswith(tuple(folders))]
    published = journal.select_published(found)  # a published file that our docroot has lost stays on the target
    return [name for name in found if name not in published]


def _select_stale(extra: Sequence[str], transport: Transport) -> set[str]:
    """Return those of `extra` that were published once, or that an interrupted push of such a file left."""
    leftovers = transport.leftovers(extra)
    paths = [path for created_for in leftovers.values() for path in created_for]
    known = journal.select_deleted(paths) | journal.select_published(paths)
    ours = {name for name, created_for in leftovers.items() if not created_for or not known.isdisjoint(created_for)}
    return ours | journal.select_deleted(extra)


def _noting_progress(target: Target) -> Generator[list[PublishedChange], None, None]:
    """Yield the batches of `_confirmed_files`, and write down how many of all files were compared before each."""
    done, total = 0, journal.count_files()
    try:
        for changes in _confirmed_files(target):
            progress.note(target.name, done, total)
            yield changes
            done += len(changes)
    finally:
        progress.end(target.name)


def _confirmed_files(target: Target) -> Iterator[list[PublishedChange]]:
    """Yield the files that `target` has confirmed, in batches."""
    after = ""
    confirmed = cursors.read_all(target)
    while rows := journal.read_files(after, _BATCH):
        after = rows[-1][2].path
        yield [change for number, origin, change in rows if confirmed.get(origin, Position()).has(number)]
