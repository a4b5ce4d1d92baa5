"""Caches in front of the front ends, told to drop what has changed once no front end shows the old page any more.

A cache is a reader of the journal like a target: it has a cursor for each host of origin, up to which it has dropped
everything. `ask` puts one job a cache on the queue when all targets have confirmed more than that; the job drops a
stretch of paths, moves the cursor and asks again while there is more. Folded requests lose nothing, since the paths are
read from the journal and not from the request; a run that broke off is done again from the same cursor. So every path
is dropped at least once after the last front end showed it, whatever is killed in between.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from appliance import db
from appliance.config import CacheSettings, Config, SiteSettings
from appliance.delivery import cursors, journal
from appliance.delivery.models import Cursor
from appliance.delivery.targets import targets
from appliance.errors import PurgeError, PurgeRefused
from appliance.queue.kinds import Errand, Outcome, Payload, kind
from appliance.queue.requests import Request, enqueue
from appliance.queue.retry import RetryPolicy

#: The kind of job that has one cache drop what changed; its key is the cache's name.
PURGE = "purge"

#: Publications of one job.
STRETCH = 500

#: Answers other than success that say the address is not in the cache: nginx's modules use both.
_NOT_THERE = (404, 412)


def ask(config: Config, only: str | None = None) -> int:
    """Enqueue a purge of each cache (or of one alone) that holds older pages than every target shows.

    To be called inside the transaction that confirms a target, or publishes when there are none. Returns how many.
    """
    asked = [cache for cache in config.caches if only in (None, cache.name)]
    if not asked:
        return 0
    # Two targets that confirm at once must not each take the other for the one that is behind.
    db.in_turn("purge")
    levels = confirmed_by_all(config)
    behind = [cache for cache in asked if any(level > read(cache, o) for o, level in levels.items())]
    if behind:
        requests = [Request(cache.name) for cache in behind]
        enqueue(PURGE, requests, ageing=config.queue.ageing, reason="every front end shows something newer")
    return len(behind)


def confirmed_by_all(config: Config) -> dict[str, int]:
    """The publication up to which every target shows the journal, by host of origin; all of it without targets."""
    chosen = targets(config)
    return {
        origin: min((cursors.read(target, origin) for target in chosen), default=journal.newest(origin))
        for origin in journal.origins()
    }


@kind(PURGE, retry=RetryPolicy(retries=5, hopeless=(PurgeRefused,)))
def purge(_payload: Payload, errand: Errand) -> Outcome:
    """Have one cache drop the next stretch of what changed.

    Raises:
        PurgeError: it did not answer, or with an error.
        PurgeRefused: it does not take such requests from here.
    """
    cache = next((cache for cache in errand.config.caches if cache.name == errand.key), None)
    if cache is None:
        return "unchanged"  # it left the settings
    dropped = 0
    for origin, level in confirmed_by_all(errand.config).items():
        through, paths = _stretch(origin, read(cache, origin), level)
        drop(cache, errand.config.sites, paths)
        dropped += len(paths)
        _confirm(cache, origin, through)
    with db.write():
        ask(errand.config, cache.name)  # of what is left there is a follow-up
    return "changed" if dropped else "unchanged"


def drop(cache: CacheSettings, sites: Iterable[SiteSettings], paths: Iterable[str]) -> None:
    """Have a cache drop the addresses of paths below the docroot.

    Raises:
        PurgeError, PurgeRefused: at the first address it did not drop.
    """
    by_length = sorted(sites, key=lambda site: -len(site.folder))
    with _connected(cache) as connection:
        for path in paths:
            for host, address in addresses(by_length, path):
                _request(cache, connection, host, address)


def addresses(sites: Iterable[SiteSettings], path: str) -> Iterator[tuple[str, str]]:
    """The host and the addresses under which readers ask for a path below the docroot; a folder's index has two.

    `sites` are in the order in which their folders are tried: longest first.
    """
    for site in sites:
        if not site.folder or path.startswith(site.folder + "/"):
            url = urlsplit(site.url)
            below = quote(path[len(site.folder) :].lstrip("/"), safe="/~!$&'()*+,;=:@")
            yield url.netloc, url.path + below
            if below == "index.html" or below.endswith("/index.html"):
                yield url.netloc, url.path + below.removesuffix("index.html")
            return


def read(cache: CacheSettings, origin: str) -> int:
    """The publication of `origin` up to which a cache has dropped everything; one that moved begins anew."""
    row = Cursor.get_or_none(Cursor.target == _name(cache), Cursor.origin == origin, Cursor.address == cache.url)
    return 0 if row is None else int(row.publication)


_CONFIRM = """
INSERT INTO cursor (target, origin, address, publication, confirmed_at, files, bytes, seconds, failures)
VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0)
ON CONFLICT (target, origin) DO UPDATE SET
    address = excluded.address, publication = excluded.publication, confirmed_at = excluded.confirmed_at
"""


def _confirm(cache: CacheSettings, origin: str, through: int) -> None:
    if through > read(cache, origin):
        with db.write():
            db.execute(_CONFIRM, [_name(cache), origin, cache.url, through, db.now()])


def _name(cache: CacheSettings) -> str:
    return f"cache:{cache.name}"  # no target has a colon in its name


def _stretch(origin: str, after: int, level: int) -> tuple[int, list[str]]:
    """The next paths to drop, each once, and the publication they reach to."""
    rows = db.execute(
        "SELECT id, path FROM publication WHERE origin = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
        [origin, after, level, STRETCH],
    ).fetchall()
    through = rows[-1][0] if len(rows) == STRETCH else max(after, level)
    return through, list(dict.fromkeys(path for _, path in rows))


@contextmanager
def _connected(cache: CacheSettings) -> Iterator[http.client.HTTPConnection]:
    url = urlsplit(cache.url)
    make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = make(url.hostname or "", url.port, timeout=cache.timeout)
    try:
        yield connection
    finally:
        connection.close()


def _request(cache: CacheSettings, connection: http.client.HTTPConnection, host: str, address: str) -> None:
    what = f"cache {cache.name}: {cache.method} {address}"
    headers: Mapping[str, str] = {"Host": host, **cache.headers}
    path = urlsplit(cache.url).path.rstrip("/") + address
    try:
        connection.request(cache.method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    except (http.client.HTTPException, OSError) as error:
        raise PurgeError(f"{what}: {error}; look whether {cache.url} is right and the cache runs") from error
    if answer.status < 400 or answer.status in _NOT_THERE:
        return
    if answer.status < 500 and answer.status not in (408, 429):
        raise PurgeRefused(f"{what}: refused with {answer.status} {answer.reason}; allow {cache.method} from this host")
    raise PurgeError(f"{what}: answered {answer.status} {answer.reason}")
