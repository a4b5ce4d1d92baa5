"""The event of pages that every front end shows by now.

A webhook reads the journal like a target: for each host of origin it has a cursor, up to which it was told. When all
targets have confirmed more than that, one job gathers what lies between, at most every few seconds, and moves the
cursor in the transaction that enqueues the events. So no page is left out, and a rebuild of a whole site makes one
request for a thousand pages. A webhook that is new begins with the present.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from appliance import db
from appliance.config import Config, SiteSettings, WebhookSettings
from appliance.delivery import cursors, positions
from appliance.delivery.positions import Position
from appliance.delivery.targets import front_ends
from appliance.planning.permalinks import url_of
from appliance.webhooks import outbox, state
from appliance.webhooks.deliveries import enqueue_delivery, find_webhook
from appliance.webhooks.models import WebhookCursor

EVENT: Final = "page.published"
#: Seconds between two gatherings for a webhook.
INTERVAL: Final = 5.0
#: Paths in one event, and publications that one gathering reads.
IN_EVENT: Final = 1000
_ROWS: Final = 10_000
#: The cursor of this host, which no publication has, says that the webhook has begun.
_BEGUN: Final = ""


def begin(config: Config) -> None:
    """Let new webhooks begin with what is published next, and forget the cursors of those that are told no longer."""
    names = {webhook.name for webhook in config.webhooks if webhook.wants(EVENT)}
    rows = db.execute("SELECT webhook FROM webhook_cursor WHERE origin = ?", [_BEGUN]).fetchall()
    known = {name for (name,) in rows}
    if names == known:
        return
    with db.write():
        confirmed = cursors.confirmed_by_all(front_ends(config))
        for name in names - known:
            for origin, position in {**confirmed, _BEGUN: Position()}.items():
                _move_cursor(name, origin, position)
        for name in known - names:
            WebhookCursor.delete().where(WebhookCursor.webhook == name).execute()


def enqueue_published(config: Config) -> None:
    """Enqueue the gathering for each webhook that was told less than every front end shows.

    Call it in the transaction that confirms a target, or that publishes if there are no targets.
    """
    webhooks = [webhook for webhook in config.webhooks if webhook.wants(EVENT)]
    if not webhooks:
        return
    # Of two targets that confirm at the same time, neither may take the other for one that is behind.
    db.acquire_lock("webhooks")
    begin(config)
    confirmed = cursors.confirmed_by_all(front_ends(config))
    for webhook in webhooks:
        told = _read_cursors(webhook.name)
        if any(positions.unread(told.get(origin, Position()), shown) for origin, shown in confirmed.items()):
            outbox.request_gathering(config, EVENT, webhook.name, every=INTERVAL)


def gather(config: Config, name: str) -> int:
    """Enqueue the next events for a webhook and move its cursors; returns the number of paths."""
    webhook, count = find_webhook(config, name), 0
    if webhook is None or not webhook.wants(EVENT):
        return 0
    with db.write():
        db.acquire_lock("webhooks")
        silent = name in state.disabled_names(config)
        told = _read_cursors(name)
        for origin, confirmed in cursors.confirmed_by_all(front_ends(config)).items():
            before = told.get(origin, Position())
            unread = positions.unread(before, confirmed)
            if unread is None:
                continue
            through, changes = _read_batch(origin, *unread)
            _move_cursor(name, origin, before.having(unread[0], through))
            for site, pages in () if silent else _events(config, webhook, changes):
                enqueue_delivery(config, webhook, EVENT, {"pages": pages}, site=site)
                count += len(pages)
        enqueue_published(config)  # if anything is left
    return count


def _read_cursors(name: str) -> dict[str, Position]:
    rows = db.execute(
        "SELECT origin, publication, ahead_after, ahead FROM webhook_cursor WHERE webhook = ?", [name]
    ).fetchall()
    return {origin: Position(0, after, ahead).moved(through) for origin, through, after, ahead in rows}


_MOVE: Final = """
INSERT INTO webhook_cursor (webhook, origin, publication, ahead_after, ahead) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (webhook, origin) DO UPDATE SET
    publication = excluded.publication, ahead_after = excluded.ahead_after, ahead = excluded.ahead
WHERE webhook_cursor.publication <= excluded.publication
"""


def _move_cursor(name: str, origin: str, now: Position) -> None:
    db.execute(_MOVE, [name, origin, now.through, now.ahead_after, now.ahead])


def _read_batch(origin: str, after: int, confirmed: int) -> tuple[int, dict[str, str]]:
    """The publication that the next batch reaches to, and its paths, each with what last happened to it."""
    rows = db.execute(
        "SELECT id, path, op FROM publication WHERE origin = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
        [origin, after, confirmed, _ROWS],
    ).fetchall()
    through = rows[-1][0] if len(rows) == _ROWS else max(after, confirmed)
    return through, {path: op for _, path, op in rows}


def _events(
    config: Config, webhook: WebhookSettings, changes: dict[str, str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the pages of each event, by site."""
    by_length = sorted(config.sites, key=lambda site: -len(site.folder))
    found: dict[str, list[dict[str, Any]]] = {}
    for path, op in changes.items():
        site = _site_of(by_length, path)
        if site is not None and webhook.wants(EVENT, site.name):
            page = {"path": path, "url": url_of(path, site.folder, site.url), "deleted": op == "delete"}
            found.setdefault(site.name, []).append(page)
    for name, pages in found.items():
        for some in db.chunks(pages, IN_EVENT):
            yield name, list(some)


def _site_of(by_length: Sequence[SiteSettings], path: str) -> SiteSettings | None:
    return next((one for one in by_length if not one.folder or path.startswith(f"{one.folder}/")), None)
