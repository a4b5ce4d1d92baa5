"""Purges caches in front of the front ends, once no front end shows the old version of a page any more.

A cache reads the journal like a target: for each host of origin it has a cursor, up to which it has been purged.
`enqueue_purges` enqueues one job for each cache when all targets have confirmed more than that. The job purges the next
batch of paths, moves the cursor, and enqueues a follow-up while there is more. Coalesced requests lose nothing, since
the paths come from the journal and not from the request. A run that was interrupted starts again from the same cursor.
So every path is purged at least once after the last front end showed its old version, whatever is killed in between.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from appliance import db
from appliance.config import CacheSettings, Config, SiteSettings
from appliance.delivery import cursors, positions
from appliance.delivery.models import Cursor
from appliance.delivery.positions import Position
from appliance.delivery.targets import front_ends
from appliance.errors import PurgeError, PurgeRefused
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler
from appliance.queue.retry import RetryPolicy

#: The kind of job that purges one cache. Its key is the name of the cache.
PURGE = "purge"

#: Publications of one job.
BATCH_SIZE = 500

#: Failure statuses that say the address is not in the cache: nginx's modules use both.
_NOT_CACHED = (404, 412)


def enqueue_purges(config: Config, only: str | None = None) -> int:
    """Enqueue a purge of each cache that may hold older pages than every target shows. Returns how many.

    Call it in the transaction that confirms a target, or that publishes if there are no targets.

    Args:
        config: the installation, opened.
        only: the name of the one cache to consider; all if None.
    """
    caches = [cache for cache in config.caches if only in (None, cache.name)]
    if not caches:
        return 0
    # Of two targets that confirm at the same time, neither may take the other for one that is behind.
    db.acquire_lock("purge")
    confirmed = cursors.confirmed_by_all(front_ends(config))
    behind = [
        cache for cache in caches if any(positions.unread(read_cursor(cache, o), all_) for o, all_ in confirmed.items())
    ]
    if behind:
        requests = [JobRequest(cache.name) for cache in behind]
        enqueue(PURGE, requests, ageing=config.queue.ageing, reason="every front end shows something newer")
    return len(behind)


def confirmed_by_all(config: Config) -> dict[str, int]:
    """Return by host of origin the newest publication that all targets have confirmed and all caches have purged."""
    return {
        origin: min([confirmed.through, *(read_cursor(cache, origin).through for cache in config.caches)])
        for origin, confirmed in cursors.confirmed_by_all(front_ends(config)).items()
    }


@handler(PURGE, retry=RetryPolicy(max_retries=5, fatal=(PurgeRefused,)))
def purge(_payload: Payload, job: JobContext) -> Outcome:
    """Purge the next batch of changed paths from one cache.

    Raises:
        PurgeError: the cache did not answer, or answered with an error.
        PurgeRefused: the cache does not accept such requests from this host.
    """
    cache = next((cache for cache in job.config.caches if cache.name == job.key), None)
    if cache is None:
        return "unchanged"  # it left the settings
    purged = 0
    for origin, confirmed in cursors.confirmed_by_all(front_ends(job.config)).items():
        before = read_cursor(cache, origin)
        unread = positions.unread(before, confirmed)
        if unread is None:
            continue
        through, paths = _read_batch(origin, *unread)
        purge_paths(cache, job.config.sites, paths)
        purged += len(paths)
        _move_cursor(cache, origin, before.having(unread[0], through))
    with db.write():
        enqueue_purges(job.config, cache.name)  # a follow-up, if anything is left
    return "changed" if purged else "unchanged"


def purge_paths(cache: CacheSettings, sites: Iterable[SiteSettings], paths: Iterable[str]) -> None:
    """Purge the addresses of paths below the docroot from a cache.

    Raises:
        PurgeError, PurgeRefused: at the first address that the cache did not purge.
    """
    by_length = sorted(sites, key=lambda site: -len(site.folder))
    with _connect(cache) as connection:
        for path in paths:
            for host, address in addresses(by_length, path):
                _request(cache, connection, host, address)


def addresses(sites: Iterable[SiteSettings], path: str) -> Iterator[tuple[str, str]]:
    """Yield the host and address at which readers request a path below the docroot. A folder's index has two.

    The first of `sites` with a matching folder counts, so give those with longer folders first.
    """
    for site in sites:
        if not site.folder or path.startswith(site.folder + "/"):
            url = urlsplit(site.url)
            below = quote(path[len(site.folder) :].lstrip("/"), safe="/~!$&'()*+,;=:@")
            yield url.netloc, url.path + below
            if below == "index.html" or below.endswith("/index.html"):
                yield url.netloc, url.path + below.removesuffix("index.html")
            return


def read_cursor(cache: CacheSettings, origin: str) -> Position:
    """Return for which publications of `origin` a cache has been purged. One that moved starts anew."""
    row = Cursor.get_or_none(Cursor.target == _name(cache), Cursor.origin == origin, Cursor.address == cache.url)
    return cursors.position_of(row)


_MOVE_CURSOR = """
INSERT INTO cursor
(target, origin, address, publication, ahead_after, ahead, confirmed_at, files, bytes, seconds, failures)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)
ON CONFLICT (target, origin) DO UPDATE SET
    address = excluded.address, publication = excluded.publication, ahead_after = excluded.ahead_after,
    ahead = excluded.ahead, confirmed_at = excluded.confirmed_at
"""


def _move_cursor(cache: CacheSettings, origin: str, now: Position) -> None:
    values = [now.through, now.ahead_after, now.ahead]
    with db.write():
        db.execute(_MOVE_CURSOR, [_name(cache), origin, cache.url, *values, db.now()])


def _name(cache: CacheSettings) -> str:
    return f"cache:{cache.name}"  # no target has a colon in its name


def _read_batch(origin: str, after: int, confirmed: int) -> tuple[int, list[str]]:
    """Return the publication that the next batch reaches to, and its paths, each once."""
    rows = db.execute(
        "SELECT id, path FROM publication WHERE origin = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
        [origin, after, confirmed, BATCH_SIZE],
    ).fetchall()
    through = rows[-1][0] if len(rows) == BATCH_SIZE else max(after, confirmed)
    return through, list(dict.fromkeys(path for _, path in rows))


@contextmanager
def _connect(cache: CacheSettings) -> Iterator[http.client.HTTPConnection]:
    url = urlsplit(cache.url)
    make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = make(url.hostname or "", url.port, timeout=cache.timeout)
    try:
        yield connection
    finally:
        connection.close()


def _request(cache: CacheSettings, connection: http.client.HTTPConnection, host: str, address: str) -> None:
    request = f"cache {cache.name}: {cache.method} {address}"
    headers: Mapping[str, str] = {"Host": host, **cache.headers}
    path = urlsplit(cache.url).path.rstrip("/") + address
    try:
        connection.request(cache.method, path, headers=headers)
        response = connection.getresponse()
        response.read()
    except (http.client.HTTPException, OSError) as error:
        raise PurgeError(f"{request}: {error}; check that {cache.url} is right and the cache is running") from error
    if response.status < 400 or response.status in _NOT_CACHED:
        return
    if response.status < 500 and response.status not in (408, 429):
        refused = f"refused with {response.status} {response.reason}; allow {cache.method} from this host"
        raise PurgeRefused(f"{request}: {refused}")
    raise PurgeError(f"{request}: answered {response.status} {response.reason}")
