"""Which events are told, of what, how often: out of the transaction of what happened, gathered into few requests."""

from __future__ import annotations

from typing import Any

import pytest

from appliance import db, publishing
from appliance.config import Config
from appliance.content import comments
from appliance.content.entries import EntryData, save
from appliance.content.models import Comment, Entry, Site
from appliance.delivery import cursors, journal
from appliance.delivery.targets import front_ends
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.webhooks import late_targets, published_pages, state
from appliance.webhooks.models import WebhookCursor, WebhookEvent
from appliance.webhooks.outbox import GATHER
from tests.webhooks.conftest import Install, jobs, pass_time, work
from tests.webhooks.receiver import Receiver, is_signed


def publish(config: Config, *paths: str, version: int = 1, deleted: bool = False) -> int:
    rows = [journal.Delete(path, version) if deleted else journal.Put(path, version, "0" * 64, 1) for path in paths]
    with db.write():
        journal.append(rows, "here")
        if not config.targets:
            published_pages.enqueue_published(config)
    return journal.newest("here")


def confirm(config: Config, number: int, publication: int) -> None:
    with db.write():
        cursors.confirm(front_ends(config)[number], "here", publication)
        published_pages.enqueue_published(config)


def paths(event: dict[str, Any]) -> list[str]:
    return [page["path"] for page in event["data"]["pages"]]


def test_a_page_is_told_once_every_front_end_shows_it(install: Install, receiver: Receiver) -> None:
    config = install(fronts=2)
    old = publish(config, "old.html")
    for front in (0, 1):
        with db.write():
            cursors.confirm(front_ends(config)[front], "here", old)
    published_pages.begin(config)
    last = publish(config, "a/index.html", "b.css")
    assert work(config) == 0
    confirm(config, 0, last)
    assert work(config) == 0, "one front end does not show it yet"
    confirm(config, 1, last)
    assert work(config) == 2
    (request,) = receiver.requests
    assert is_signed(request)
    event = request.event
    assert (event["event"], event["site"], event["id"]) == ("page.published", "blog", request.id)
    assert event["data"]["pages"] == [
        {"path": "a/index.html", "url": "https://blog.example/a/", "deleted": False},
        {"path": "b.css", "url": "https://blog.example/b.css", "deleted": False},
    ], "what was there before the webhook is not told"
    assert event["at"].endswith("Z") and request.headers["content-type"] == "application/json"
    confirm(config, 0, last)
    assert work(config) == 0, "nothing is told twice"


def test_without_targets_a_page_is_told_when_it_is_published(install: Install, receiver: Receiver) -> None:
    config = install()
    published_pages.begin(config)
    publish(config, "a.html")
    publish(config, "a.html", version=2, deleted=True)
    work(config)
    assert [event["data"]["pages"] for event in receiver.events] == [
        [{"path": "a.html", "url": "https://blog.example/a.html", "deleted": True}]
    ], "what happened last to a path"


def test_a_rebuild_of_100_000_pages_makes_a_hundred_requests(install: Install, receiver: Receiver) -> None:
    config = install()
    published_pages.begin(config)
    for start in range(0, 100_000, 10_000):
        publish(config, *(f"p/{number}.html" for number in range(start, start + 10_000)))
        work(config)
    for _ in range(10):
        pass_time()
        work(config)
    told = [path for event in receiver.events for path in paths(event)]
    assert len(told) == len(set(told)) == 100_000
    assert len(receiver.requests) == 100
    assert max(len(request.body) for request in receiver.requests) < 150_000


def test_pages_in_quick_succession_are_gathered(install: Install, receiver: Receiver) -> None:
    config = install()
    published_pages.begin(config)
    publish(config, "first.html")
    work(config)
    for number in range(20):
        publish(config, f"{number}.html")
        work(config)
    assert [paths(event) for event in receiver.events] == [["first.html"]], "the first at once"
    (held,) = db.execute(
        "SELECT run_at - appliance_now() FROM job WHERE kind = ? AND state = 'pending'", [GATHER]
    ).fetchone()
    assert 3 < held <= published_pages.INTERVAL
    pass_time()
    work(config)
    assert len(receiver.requests) == 2 and len(paths(receiver.events[1])) == 20


def test_a_webhook_is_told_of_its_sites_alone(install: Install, receiver: Receiver, database: Config) -> None:
    sites = [
        {"name": "blog", "title": "A", "url": "https://a.example/"},
        {"name": "news", "title": "B", "url": "https://b.example/", "folder": "news"},
    ]
    config = install()
    config = config.model_copy(
        update={
            "sites": [config.sites[0].model_validate(site) for site in sites],
            "webhooks": [config.webhooks[0].model_copy(update={"sites": ["news"]})],
        }
    )
    published_pages.begin(config)
    publish(config, "a.html", "news/index.html", "newsletter.html")
    work(config)
    (event,) = receiver.events
    assert event["site"] == "news"
    assert [page["url"] for page in event["data"]["pages"]] == ["https://b.example/"]


def test_a_webhook_that_left_the_settings_begins_anew(install: Install, receiver: Receiver) -> None:
    config = install()
    published_pages.begin(config)
    published_pages.begin(install(events=["job.failed"]))
    assert WebhookCursor.select().count() == 0
    publish(config.model_copy(update={"webhooks": []}), "a.html")
    published_pages.begin(config)
    publish(config, "b.html")
    work(config)
    assert [paths(event) for event in receiver.events] == [["b.html"]]


def test_a_transaction_that_is_rolled_back_tells_nothing(install: Install, receiver: Receiver) -> None:
    config = install()
    published_pages.begin(config)
    with db.write(rollback=True):
        journal.append([journal.Put("a.html", 1, "0" * 64, 1)], "here")
        published_pages.enqueue_published(config)
    assert work(config) == 0 and receiver.requests == []


def an_entry() -> Entry:
    return save(Site.get(), EntryData(title="Tides", slug="tides", published_at=1))[0]


def comment(entry: Entry, text: str = "I saw it too.", status: str = "pending") -> Comment:
    return comments.add(entry, "Ida", text, author_email="ida@r.example", status=status)


def test_comments_that_wait_are_told_together(install: Install, receiver: Receiver) -> None:
    config = install(events=["comment.waiting"])
    entry = an_entry()
    first, second, third = (comment(entry, f"Number {number}. " + "x" * 400) for number in range(3))
    comment(entry, status="approved")
    publishing.publish(config)
    assert work(config) == 0, "a spam check or a moderator may be quick"
    comments.set_status(second, "approved")
    comments.delete(third)
    publishing.publish(config)
    pass_time()
    work(config)
    (event,) = receiver.events
    assert (event["event"], event["site"], event["data"]["count"]) == ("comment.waiting", "blog", 1)
    (shown,) = event["data"]["comments"]
    assert (shown["id"], shown["author"]) == (first.id, "Ida")
    assert shown["entry"]["title"] == "Tides" and shown["entry"]["url"].startswith("https://blog.example/")
    assert len(shown["text"]) == 300
    assert b"ida@r.example" not in receiver.requests[0].body, "nothing that identifies the sender"
    publishing.publish(config)
    pass_time()
    assert work(config) == 0, "each waits once"


def test_a_flood_of_comments_makes_one_request(install: Install, receiver: Receiver) -> None:
    config = install(events=["comment.waiting"])
    entry = an_entry()
    for number in range(120):
        comment(entry, f"Number {number}")
    publishing.publish(config)
    pass_time()
    work(config)
    (event,) = receiver.events
    assert (event["data"]["count"], len(event["data"]["comments"])) == (120, 50)


def fail(kind: str, key: str, scope: str = "blog") -> None:
    enqueue(kind, [JobRequest(key, scope=scope)], ageing=60.0)
    (claim,) = store.claim("here:2", [kind], 1, 30.0, keys=[key])
    store.fail(claim, store.FailureDetails("TemplateFailure", f"{key} is wrong", ""), retry_after=None)


def test_failed_jobs_are_told_by_kind_at_most_once_a_minute(install: Install, receiver: Receiver) -> None:
    config = install(events=["job.failed"])
    fail("publish", "0.html")
    work(config)
    (event,) = receiver.events
    assert (event["event"], event["site"]) == ("job.failed", "blog")
    assert event["data"]["kind"] == "publish" and event["data"]["count"] == 1
    (job,) = event["data"]["jobs"]
    assert (job["key"], job["error"], job["site"]) == ("0.html", "0.html is wrong", "blog")
    for number in range(30):
        fail("publish", f"x{number}.html")
    fail("mail", "comment/1/1")
    work(config)
    assert [event["data"]["kind"] for event in receiver.events[1:]] == ["mail"]
    pass_time()
    work(config)
    assert [(event["data"]["count"], len(event["data"]["jobs"])) for event in receiver.events[2:]] == [(30, 20)]
    assert WebhookEvent.select().count() == 0


def test_a_retried_run_and_a_superseded_one_are_not_told(install: Install, receiver: Receiver) -> None:
    config = install(events=["job.failed"])
    enqueue("publish", [JobRequest("a.html")], ageing=60.0)
    (claim,) = store.claim("here:2", ["publish"], 1, 30.0)
    store.fail(claim, store.FailureDetails("OSError", "full", ""), retry_after=0.0)
    (claim,) = store.claim("here:2", ["publish"], 1, 30.0)
    enqueue("publish", [JobRequest("a.html")], ageing=60.0)
    assert store.fail(claim, store.FailureDetails("OSError", "full", ""), retry_after=None) == "superseded"
    assert work(config) == 0 and receiver.requests == []


def test_a_webhook_is_not_told_of_what_it_did_not_take(install: Install, receiver: Receiver) -> None:
    config = install(events=["job.failed"], hooks=[{"name": "one"}, {"name": "two"}])
    receiver.answers = [400, 204]
    fail("publish", "a.html")
    work(config)
    assert [event["data"]["kind"] for event in receiver.events] == ["publish", "publish", "webhook"]
    refused = next(row.name for row in state.list_webhooks(config) if row.failed)
    (told,) = db.execute("SELECT key FROM job WHERE kind = 'webhook' ORDER BY id DESC LIMIT 1").fetchone()
    assert not told.startswith(f"{refused}/")


@pytest.mark.parametrize("threshold", [60.0, 3600.0])
def test_a_target_that_is_behind_is_told_once_an_episode(
    install: Install, receiver: Receiver, threshold: float
) -> None:
    config = install(fronts=2, events=["target.behind"], behind=threshold)
    last = publish(config, "a.html")
    confirm(config, 0, last)
    late_targets.watch(config)
    assert work(config) == 0, "a moment is nothing"
    with db.write():
        db.execute("UPDATE publication SET at = at - 120")
        cursors.record_failure(front_ends(config)[1], "here", "no way there")
    for _ in range(3):
        late_targets.watch(config)
        work(config)
    if threshold > 120:
        assert receiver.requests == []
        return
    (event,) = receiver.events
    assert (event["event"], event["data"]["target"], event["data"]["error"]) == (
        "target.behind", "front1", "no way there",
    )  # fmt: skip
    assert event["data"]["seconds"] >= 120 and event["data"]["waiting_files"] == 1
    confirm(config, 1, last)
    for _ in range(3):
        late_targets.watch(config)
        work(config)
    assert [event["event"] for event in receiver.events] == ["target.behind", "target.level"]
    assert receiver.events[1]["data"]["behind_since"] == event["data"]["behind_since"]


def test_nothing_is_written_down_without_webhooks(database: Config) -> None:
    publish(database, "a.html")
    fail("publish", "a.html")
    assert WebhookEvent.select().count() == 0 and jobs(GATHER) == []
