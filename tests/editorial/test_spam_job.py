"""The check of comments by a service with Akismet's protocol, on a server that answers as its documentation says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from appliance import db
from appliance.config import Config, QueueSettings, validate
from appliance.content import comments, sites
from appliance.content.comment_models import CommentOrigin
from appliance.content.entries import EntryData
from appliance.content.entries import save as save_entry
from appliance.content.models import Comment, Entry, Site
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Submission
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.worker import Worker

KEY = "a1b2c3d4e5f6"


class Service(ThreadingHTTPServer):
    """Answers by the name of the author; “down” answers 500."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.asked.append((self.path, fields))  # type: ignore[attr-defined]
        author = fields["comment_author"]
        text = "true" if author in ("viagra-test-123", "Seller") else "false"
        if fields["api_key"] != KEY:
            text = "invalid"
        self.send_response(500 if author == "down" else 200)
        if author == "Seller":
            self.send_header("X-akismet-pro-tip", "discard")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(database: Config, service: Service, tmp_path: Path) -> Config:
    sites.sync(database)
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", "utf-8")
    raw = database.model_dump(exclude={"path"})
    raw["sites"][0]["comments"] = {
        "moderation": "none", "spam_check": "akismet", "akismet_key_file": str(key), "links": 1,
        "akismet_url": f"http://127.0.0.1:{service.server_port}/",
    }  # fmt: skip
    return validate(raw, database.path)


@pytest.fixture
def entry(site: Config) -> Entry:
    return save_entry(Site.get(), EntryData(title="Tides", slug="tides", published_at=int(db.now()) - 86_400))[0]


class _NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def post(site: Config, entry: Entry, name: str, text: str = "I saw it too.") -> int:
    given = {"email": "ida@r.example", "address": "192.0.2.7", "user_agent": "Firefox", "nonce": name}
    (verdict,) = reader_comments.save(site, [Submission(entry.site, entry.id, text, name, **given)])
    assert verdict.outcome == "held"
    assert verdict.comment is not None
    return int(verdict.comment.id)


def check(site: Config) -> None:
    """Run the checks that are due."""
    kinds = [kind for kind in registry.kinds(site, slow=True) if kind.name == "spam-check"]
    worker = Worker("checker", kinds, QueueSettings(), _NoWait())
    while claims := store.claim(worker.name, list(worker.kinds), 50, 30.0):
        worker.run_batch(claims)


def status(number: int) -> tuple[str, str]:
    return Comment.get_by_id(number).status, CommentOrigin.get_by_id(number).reason


def test_a_comment_waits_until_the_service_has_judged_it(site: Config, service: Service, entry: Entry) -> None:
    good, bad, certain = (post(site, entry, name) for name in ("Ida", "viagra-test-123", "Seller"))
    linked = post(site, entry, "Lin", "<https://a.example/> and <https://b.example/>")
    assert {status(n) for n in (good, bad, certain, linked)} == {("pending", "waits for the spam check")}
    assert service.asked == [], "nobody is asked inside a transaction"
    check(site)
    assert status(good) == ("approved", "")
    assert status(bad) == ("spam", "Akismet takes it for spam")
    assert status(certain)[0] == "spam"
    assert status(linked) == ("pending", "2 links")
    path, asked = service.asked[0]
    assert path == "/1.1/comment-check"
    assert {"blog", "user_ip", "user_agent", "comment_content", "comment_author_email"} <= asked.keys()
    assert (asked["user_ip"], asked["comment_type"]) == ("192.0.2.7", "comment")


def test_without_an_answer_a_comment_goes_on_waiting(site: Config, service: Service, entry: Entry) -> None:
    number = post(site, entry, "down")
    check(site)
    assert len(service.asked) == 1
    assert status(number) == ("pending", "waits for the spam check")
    (state,) = db.execute("SELECT state FROM job WHERE kind = 'spam-check'").fetchone()
    assert state == "pending", "it is tried again"


def test_a_moderator_who_is_faster_counts(site: Config, service: Service, entry: Entry) -> None:
    number = post(site, entry, "viagra-test-123")
    comments.set_status(Comment.get_by_id(number), "approved", "ada")
    check(site)
    assert status(number)[0] == "approved"
    assert service.asked == []


def test_a_wrong_key_fails_for_a_person_to_see(site: Config, service: Service, entry: Entry) -> None:
    Path(str(site.sites[0].comments.akismet_key_file)).write_text("999999999999\n", "utf-8")
    number = post(site, entry, "Ida")
    check(site)
    assert status(number)[0] == "pending"
    ((_, _, message),) = store.recent_failures()
    assert "check the key" in message
