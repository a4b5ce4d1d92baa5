"""A look at one path on every docroot: what is really there, compared by content with what was published.

A worker of a publishing host looks, since it has the key; what it finds is written down as it is found, so that whoever
asked can watch. Guarantees that nothing is changed anywhere, that a target which does not answer holds up no other, and
that nothing is called the same unless it was compared with bytes that have the digest in the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config
from appliance.delivery import file_lists
from appliance.delivery.journal import Delete, PublishedChange, Put
from appliance.delivery.targets import Target, courier_targets, peer_name
from appliance.delivery.transports.base import Found
from appliance.delivery.transports.factory import TransportFactory
from appliance.delivery.whereabouts import PathVersion, latest_version
from appliance.errors import DeliveryError

#: Seconds for which it is kept what was found.
_KEPT: Final = 86_400.0
#: Targets that are asked at a time.
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class PlaceLook:
    """What was found at one place."""

    #: The name of the target; `host:NAME` for the docroot of a publishing host.
    target: str
    found: Found
    #: The number of the publication that it was compared with.
    publication: int
    #: Why it could not be compared; None if it could.
    error: str | None
    #: The publishing host that looked, and when, in seconds since the epoch.
    host: str
    at: float


def look(config: Config, path: str) -> list[PlaceLook]:
    """Look at `path` below the docroot of this host, and on every target that this host can reach.

    Raises:
        DeliveryError: nothing was ever published at that path.
    """
    latest = latest_version(path)
    if latest is None:
        raise DeliveryError(f"nothing was ever published at “{path}”; look for a path that was")
    change, own = _change(path, latest), peer_name(config.shared or config.host_name)
    here = _look_here(change, config)
    looks = [_note(config, path, latest, own, here, None)]
    targets = courier_targets(config)
    if here != "same":
        error = f"the docroot of {config.host_name} does not have what was published, so nothing compares with it"
        return looks + [_note(config, path, latest, one.name, "unknown", error) for one in targets]
    return looks + [
        _note(config, path, latest, name, found, error) for name, found, error in _look_there(targets, change)
    ]


def read(path: str) -> dict[str, PlaceLook]:
    """Return what the newest look at `path` found, by the name of the target; see `whereabouts.Place.key`."""
    found = db.execute(
        "SELECT target, found, publication, error, host, at FROM page_look WHERE path = ? AND at > ?",
        [path, db.now() - _KEPT],
    )
    return {str(row[0]): PlaceLook(*row) for row in found.fetchall()}


def _change(path: str, latest: PathVersion) -> PublishedChange:
    if latest.digest is None or latest.size is None:
        return Delete(path, latest.version)
    return Put(path, latest.version, latest.digest, latest.size)


def _look_here(change: PublishedChange, config: Config) -> Found:
    if file_lists.select_absent([change.path], config.docroot):
        return "same" if isinstance(change, Delete) else "absent"
    is_current = bool(file_lists.select_current([change], config.docroot))
    is_same = is_current and file_lists.are_applied([change], config.docroot, check_digest=True) == [True]
    return "same" if is_same else "different"


def _look_there(targets: Sequence[Target], change: PublishedChange) -> Iterator[tuple[str, Found, str | None]]:
    """Yield what each target has, or why that could not be seen, as the answers come in."""
    with TransportFactory() as transports, ThreadPoolExecutor(_AT_ONCE, "look") as threads:
        asked = {threads.submit(transports.open(target).look, change): target.name for target in targets}
        for answer in as_completed(asked):
            try:
                yield asked[answer], answer.result(), None
            except DeliveryError as error:
                yield asked[answer], "unknown", str(error)


def _note(config: Config, path: str, latest: PathVersion, target: str, found: Found, error: str | None) -> PlaceLook:
    with db.write():
        now = db.now()
        db.execute("DELETE FROM page_look WHERE at < ?", [now - _KEPT])
        db.execute(
            "INSERT INTO page_look (path, target, found, publication, error, host, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (path, target) DO UPDATE SET found = excluded.found, publication = excluded.publication,"
            " error = excluded.error, host = excluded.host, at = excluded.at",
            [path, target, found, latest.number, error, config.host_name, now],
        )
    return PlaceLook(target, found, latest.number, error, config.host_name, now)
