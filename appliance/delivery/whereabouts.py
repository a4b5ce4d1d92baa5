"""Where a page is: which version of a path each docroot shows, on the publishing hosts and on the front ends.

Read from the journal and the cursors alone, so it costs a few queries however many targets there are, and never opens a
connection. A docroot is said to show a version only once it has confirmed it; what it really has, a look there tells
(`page_look`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from appliance import db
from appliance.config import Config
from appliance.delivery import cursor_history, target_state
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target, front_ends, own_docroot, peer_name, peers

#: Publications of a path that are read, newest first, to find out what a target that is behind still shows.
_VERSIONS: Final = 50

#: Whether a docroot shows the latest version, an earlier one, or has the path not at all, as it should (`gone`), since
#: its latest publication is a deletion. `behind` has not confirmed the latest version; `unknown` is never asked.
PlaceState = Literal["current", "gone", "behind", "unknown"]


@dataclass(frozen=True, slots=True)
class PathVersion:
    """One publication of a path."""

    #: The number of the publication.
    number: int
    is_deletion: bool
    #: Whole seconds since the epoch; the mtime of the file.
    version: int
    #: BLAKE2b-256 in hexadecimal, and the size in bytes. None for a deletion.
    digest: str | None
    size: int | None
    #: The publishing host that made it, and when, in seconds since the epoch.
    origin: str
    at: float


@dataclass(frozen=True, slots=True)
class Place:
    """A docroot, and what it is known to show of a path. Times are seconds since the epoch."""

    #: The name of the front end or of the publishing host; of the shared docroot, what the settings call it.
    name: str
    #: The name of the target that it is; empty for a docroot that nothing is sent to.
    target: str
    state: PlaceState
    #: The version that it shows; None if it never had one, or if the journal no longer tells.
    shown: PathVersion | None = None
    #: When it had confirmed what it shows, at the latest.
    confirmed_at: float | None = None
    #: Whether nothing is sent there until somebody resumes it, and why the last push failed.
    paused: bool = False
    error: str | None = None
    #: Whether it is a docroot of publishing hosts.
    is_host: bool = False

    @property
    def key(self) -> str:
        """The name under which looks there are kept (`page_look`)."""
        return peer_name(self.name) if self.is_host else self.name

    @property
    def is_up_to_date(self) -> bool:
        """Whether it shows the latest version, or has removed the file if that is a deletion."""
        return self.state in ("current", "gone")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a path is."""

    path: str
    #: The latest publication; None if there was never one.
    latest: PathVersion | None
    #: The docroots of the publishing hosts, or the one that they share, and those of the front ends.
    hosts: list[Place]
    front_ends: list[Place]

    @property
    def is_everywhere(self) -> bool:
        """Whether every docroot that is told of shows the latest publication."""
        return all(place.is_up_to_date or place.state == "unknown" for place in (*self.hosts, *self.front_ends))


@dataclass(frozen=True, slots=True)
class _Confirmed:
    """A cursor: how far a target is with the publications of one host."""

    position: Position
    at: float | None
    #: When it last confirmed something ahead of its backlog.
    ahead_at: float | None
    pushed_at: float | None
    error: str | None

    def confirmed_at(self, version: PathVersion) -> float | None:
        """When the target had confirmed this version, at the latest."""
        return self.at if version.number <= self.position.through else self.ahead_at


def whereabouts(config: Config, path: str) -> Whereabouts:
    """Return where the file at `path` below the docroot is, all of one moment, by the same number of queries always.

    Args:
        config: the installation, opened.
        path: as in the keys of publish jobs: `2026/11/first/index.html`.
    """
    with db.snapshot():
        versions = _versions(path)
        if not versions:
            return Whereabouts(path, None, [], [])
        reader = _Reader(versions, _cursors(), target_state.paused_names())
        hosts, fronts = reader.hosts(config), [reader.place(one, one.name) for one in front_ends(config)]
        times = cursor_history.first_confirmed(
            {_sought(place) for place in (*hosts, *fronts) if place.shown and place.target}
        )
    return Whereabouts(path, versions[0], _dated(hosts, times), _dated(fronts, times))


def latest_version(path: str) -> PathVersion | None:
    """Return the latest publication of `path`, or None."""
    return next(iter(_versions(path, 1)), None)


def _sought(place: Place) -> tuple[str, str, int]:
    shown = place.shown
    return (place.target, shown.origin, shown.number) if shown else (place.target, "", 0)


def _dated(places: list[Place], times: Mapping[tuple[str, str, int], float]) -> list[Place]:
    """The places with the earliest time at which each is known to have confirmed what it shows."""
    return [
        replace(place, confirmed_at=min(place.confirmed_at, times.get(_sought(place), place.confirmed_at)))
        if place.confirmed_at is not None
        else place
        for place in places
    ]


class _Reader:
    """Tells what each docroot shows of one path."""

    def __init__(
        self,
        versions: list[PathVersion],
        cursors: Mapping[tuple[str, str, str], _Confirmed],
        paused: set[str],
    ) -> None:
        self._versions = versions
        self._latest = versions[0]
        self._cursors = cursors
        self._paused = paused

    def hosts(self, config: Config) -> list[Place]:
        """The docroots of the publishing hosts; the one that they share, if they do."""
        if config.shared:
            return [self._origin(config.shared)]
        if len(config.publishing_hosts) < 2:
            return [self._origin(config.host_name)]
        own = own_docroot(config)
        targets = {one.peer: one for one in [*peers(config), *([own] if own else [])]}
        return [self._host(host.name, targets.get(host.name)) for host in config.publishing_hosts]

    def _host(self, name: str, target: Target | None) -> Place:
        if name == self._latest.origin:  # it put the file in place before it said so
            return self._origin(name, peer_name(name) if target else "")
        return replace(self.place(target, name) if target else Place(name, "", "unknown"), is_host=True)

    def _origin(self, name: str, target: str = "") -> Place:
        return Place(name, target, self._settled, self._latest, self._latest.at, is_host=True)

    @property
    def _settled(self) -> PlaceState:
        return "gone" if self._latest.is_deletion else "current"

    def place(self, target: Target, name: str) -> Place:
        """What a target shows."""
        rows = {origin: row for (of, origin, at), row in self._cursors.items() if (of, at) == _key(target)}
        shown = next((one for one in self._versions if _has(rows.get(one.origin), one)), None)
        cursor = rows.get(shown.origin if shown else self._latest.origin)
        last = max(rows.values(), key=lambda row: row.pushed_at or 0, default=None)
        return Place(
            name,
            target.name,
            self._settled if shown is self._latest else "behind",
            shown,
            cursor.confirmed_at(shown) if cursor and shown else None,
            target.name in self._paused,
            last.error if last else None,
        )


def _key(target: Target) -> tuple[str, str]:
    return target.name, target.address


def _has(row: _Confirmed | None, version: PathVersion) -> bool:
    return row is not None and row.position.has(version.number)


def _versions(path: str, limit: int = _VERSIONS) -> list[PathVersion]:
    found = db.execute(
        "SELECT id, op = 'delete', version, digest, size, origin, at FROM publication WHERE path = ? "
        "ORDER BY id DESC LIMIT ?",
        (path, limit),
    )
    return [PathVersion(row[0], bool(row[1]), *row[2:]) for row in found.fetchall()]


def _cursors() -> dict[tuple[str, str, str], _Confirmed]:
    """The cursors by target, host of origin and address."""
    found = db.execute(
        "SELECT target, origin, address, publication, ahead_after, ahead, confirmed_at, ahead_at, pushed_at, error"
        " FROM cursor"
    )
    return {
        (row[0], row[1], row[2]): _Confirmed(Position(0, row[4], row[5]).moved(row[3]), *row[6:])
        for row in found.fetchall()
    }
