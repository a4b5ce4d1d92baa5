"""A target against the journal: what differs there, what nobody published, and bringing both back.

Guarantees that looking changes nothing there and compares bytes; that nothing is removed but what lies in the folder of
a site, is not kept by the settings and is not published; and that too much is never removed at once without leave.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import cursors, journal, standing
from appliance.delivery.journal import Change
from appliance.delivery.rsync import Rsync
from appliance.delivery.ssh import Channel, PrivateFolder
from appliance.delivery.targets import Target, everywhere
from appliance.errors import ApplianceError, DeliveryError, RemovalRefused

#: Files compared in one run.
_CHUNK = 1000
#: Of the publications a target has confirmed last, so many of each host are looked at to see whether it shows them.
SAMPLE = 16
#: And as many more, in so many places of the journal.
_AGES = 4


@dataclass(frozen=True, slots=True)
class Verified:
    """How a target compares with the journal."""

    target: str
    #: Files compared.
    checked: int
    #: Paths of files that are missing there or differ, by content, time or mode.
    differing: list[str]
    #: What nobody published, in the folders of sites; folders end with /.
    extra: list[str]

    @property
    def is_right(self) -> bool:
        """Whether the target shows what was published and nothing else."""
        return not self.differing and not self.extra


def verify(
    config: Config, name: str, *, gently: bool = False, stopping: Callable[[], bool] = lambda: False
) -> Verified:
    """Compare a target with what was published and it has confirmed, by content, and change nothing there.

    Args:
        config: the installation, opened.
        name: the target.
        gently: rest after each run as long as it took.
        stopping: asked between runs; what was not compared then is left.

    Raises:
        DeliveryError: there is no such target, or it cannot be reached.
    """
    target = find(config, name)
    with _reaching(target) as rsync:
        checked, wrong = 0, list[Change]()
        for changes in _confirmed(target):
            if stopping():
                break
            began = clock.monotonic()
            wrong += _differing(rsync, changes)
            checked += len(changes)
            if gently:
                clock.sleep(clock.monotonic() - began)
        # A push at the same time may have been half way.
        found = Verified(name, checked, [change.path for change in _differing(rsync, wrong)], extras(config, rsync))
    standing.note(name, verified_at=db.now(), differing=len(found.differing), extra=len(found.extra))
    return found


def repair(config: Config, name: str, *, allow_removals: bool = False) -> None:
    """Have a target sent everything again, and cleared of what nobody published: couriers do it, here or elsewhere.

    Args:
        config: the installation, opened.
        name: the target.
        allow_removals: also when more would be removed there than `deletions` in the settings allow at once.

    Raises:
        DeliveryError: there is no such target.
    """
    find(config, name)
    with db.write():
        cursors.rewind(name)
        standing.note(name, repair_at=db.now(), allow_removals=allow_removals)


def verify_all(config: Config, stopping: Callable[[], bool] = lambda: False) -> str:
    """Compare every target, one after the other and gently, and have those repaired that differ; says which."""
    said = []
    for target in everywhere(config):
        if stopping() or standing.read(target.name).paused:
            continue
        try:
            found = verify(config, target.name, gently=True, stopping=stopping)
        except ApplianceError as error:
            said.append(str(error))
            continue
        if not found.is_right:
            repair(config, target.name)
            said.append(f"{target.name}: {len(found.differing)} files differ, {len(found.extra)} are not ours")
    return "; ".join(said)


def find(config: Config, name: str) -> Target:
    """A target by its name; another publishing host's is `host:NAME`.

    Raises:
        DeliveryError: there is none.
    """
    chosen = everywhere(config)
    for target in chosen:
        if target.name == name:
            return target
    known = ", ".join(target.name for target in chosen) or "none"
    raise DeliveryError(f"there is no target “{name}”; there are: {known}")


def shows_what_it_confirmed(rsync: Rsync, proved: Mapping[str, int]) -> bool:
    """Whether the target still shows what it confirmed: one that was wiped or restored from a backup does not.

    Whatever moment a backup is of, all that was confirmed since is missing; so the last of it tells. Pushes may have
    gone on since, though, and all of that be there: so the last before the proof before this one is looked at too, and
    some of any age, since a wiped target has none.

    Args:
        rsync: to the target.
        proved: the last publication of each host that the proof before this one was about; empty when there was none.

    Raises:
        DeliveryError: it could not be found out.
    """
    sample = dict[str, Change]()
    for origin, reached in confirmed(rsync.target).items():
        ages = (random.randint(1, max(1, reached)) for _ in range(_AGES))  # noqa: S311 - not a secret
        ends = reached, min(reached, proved.get(origin, reached))
        found = [journal.latest_through(origin, end, SAMPLE) for end in ends]
        found += [journal.latest_through(origin, min(age, reached), SAMPLE // _AGES) for age in ages]
        sample |= {change.path: change for some in found for change in some}
    return not rsync.differing(list(sample.values()))


def confirmed(target: Target) -> dict[str, int]:
    """The last publication of each host that a target has confirmed."""
    return {origin: cursors.read(target, origin) for origin in journal.origins()}


def finish(config: Config, rsync: Rsync, allow_removals: bool) -> tuple[int, int]:
    """The last part of a repair, once everything was sent: what is newer there, and what nobody published.

    Returns:
        How many files were sent, and how much was removed.

    Raises:
        RemovalRefused: too much would be removed; nothing was.
        DeliveryError: something failed.
    """
    newer = 0
    for changes in _confirmed(rsync.target):
        if wrong := _differing(rsync, changes):
            rsync.push(wrong, older=True)
            newer += len(wrong)
    found = extras(config, rsync)
    files, total = sum(not name.endswith("/") for name in found), journal.count_files()
    if not allow_removals and config.deletions.are_exceeded(files, files + total):
        raise RemovalRefused(
            f"{rsync.target}: {files:,} files there were published by nobody, which is more than"
            f" {config.deletions.share:.0%} of all; none was removed; if that is meant, say so with --allow-removals"
        )
    return newer, rsync.clear(found) if found else 0


def extras(config: Config, rsync: Rsync) -> list[str]:
    """What a target has that nobody published, in the folders of sites and not to be kept; folders end with /.

    A publishing host's docroot is its own to clear.
    """
    if rsync.target.peer:
        return []
    folders = [f"{site.folder}/" if site.folder else "" for site in config.sites]
    found = [name for name in rsync.extras(config.delivery.keep) if name.startswith(tuple(folders))]
    ours = journal.published(found)  # what this docroot has lost is nothing to remove there
    return [name for name in found if name not in ours]


def _differing(rsync: Rsync, changes: Sequence[Change]) -> list[Change]:
    return rsync.differing(changes, newer=True)


def _confirmed(target: Target) -> Iterator[list[Change]]:
    """The files that `target` has confirmed to show, in stretches."""
    after = ""
    reached = confirmed(target)
    while rows := journal.files(after, _CHUNK):
        after = rows[-1][2].path
        yield [change for number, origin, change in rows if number <= reached.get(origin, 0)]


@contextmanager
def _reaching(target: Target) -> Iterator[Rsync]:
    """A connection of its own to a target, closed afterwards."""
    if not target.host:
        yield Rsync(target, None)
        return
    folder = PrivateFolder(target.delivery)
    channel = Channel(target, folder.path, 0)
    try:
        yield Rsync(target, channel)
    finally:
        channel.close()
        folder.remove()
