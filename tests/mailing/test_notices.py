"""Authors are told of approved comments: once, by the queue, and only of those that still are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.config import Config, QueueSettings, check
from appliance.content import comments, sites
from appliance.content.entries import EntryData, save
from appliance.content.models import Author, Comment, Entry, Site
from appliance.mailing import notices
from appliance.mailing.notices import MAIL
from appliance.queue import store
from appliance.queue.kinds import registry
from appliance.queue.worker import Worker
from tests.mailing.conftest import Serve, Server


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def installed(database: Config, server: Server) -> Iterator[Config]:
    """The installation on each database, with mail."""
    raw = database.model_dump(exclude={"path"}) | {"mail": server.settings().model_dump()}
    raw["host"] = "here"
    config = check(raw, database.path)
    sites.sync(config)
    with db.write():
        for name, address in (("Ada", "ada@a.example"), ("Bob", "bob@b.example"), ("Cy", "")):
            Author.create(site=site(), name=name, slug=name.lower(), email=address)
    yield config


def site() -> Site:
    return Site.get()


def entry(*authors: str) -> Entry:
    return save(site(), EntryData(title="Über Gezeiten", slug="tides", published_at=1, authors=list(authors)))[0]


class NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def work(config: Config) -> None:
    worker = Worker(
        "here:1", [k for k in registry.make(config, apart=True) if k.name == MAIL], QueueSettings(), NoWait()
    )
    while claims := store.claim(worker.name, [MAIL], 10, 30.0):
        worker.perform(claims)


def jobs() -> list[tuple[Any, ...]]:
    return list(db.execute("SELECT key, scope, state, outcome FROM job ORDER BY id").fetchall())


def ask(config: Config) -> int:
    return notices.ask(config, site())


@pytest.mark.conformance("B9")
def test_each_author_is_told_when_a_comment_is_approved(installed: Config, server: Server) -> None:
    on = entry("Ada", "Bob", "Cy")
    comment = comments.add(on, "Rósa\u2028B", "Lovely.\n\nAnd deep.", email="rosa@r.example", status="pending")
    assert ask(installed) == 0
    comments.set_status(comment, "approved", actor="editor")
    assert ask(installed) == 2
    assert ask(installed) == 0
    work(installed)
    assert sorted(to for _, (to,) in server.envelopes) == ["ada@a.example", "bob@b.example"]
    mail = server.mails[0]
    assert mail["Subject"] == "[A Blog] Rósa B on “Über Gezeiten”"
    assert mail["Reply-To"].addresses[0].addr_spec == "rosa@r.example"
    assert "> Lovely.\n>\n> And deep." in mail.get_content().replace("\r\n", "\n")
    assert [row[1:] for row in jobs()] == [("blog", "done", "changed")] * 2
    assert db.execute("SELECT DISTINCT reason, actor FROM job_trigger").fetchall() == [("comment approved", "editor")]


def test_one_that_is_approved_at_once_counts_and_an_authors_own_does_not(installed: Config, server: Server) -> None:
    on = entry("Ada")
    comments.add(on, "Ada", "My own.", email="ADA@a.example")
    comments.add(on, "Reader", "Not mine.")
    comments.add(on, "Old", "From elsewhere.", actor="import")
    assert ask(installed) == 1
    work(installed)
    assert len(server.mails) == 1


def test_approval_and_mail_are_there_together_or_not_at_all(installed: Config) -> None:
    on = entry("Ada")
    with pytest.raises(RuntimeError), db.write():
        comments.add(on, "Reader", "Never said.")
        ask(installed)
        raise RuntimeError
    assert (ask(installed), jobs()) == (0, [])
    comments.add(on, "Reader", "Said.")
    with pytest.raises(RuntimeError), db.write():  # planning fails after the mail was enqueued
        assert ask(installed) == 1
        raise RuntimeError
    assert jobs() == []
    assert ask(installed) == 1


def test_what_was_taken_back_is_not_told(installed: Config, server: Server) -> None:
    on = entry("Ada")
    held, gone = comments.add(on, "R", "Held."), comments.add(on, "R", "Gone.")
    assert ask(installed) == 2
    comments.set_status(held, "spam")
    comments.delete(gone)
    work(installed)
    assert server.mails == []
    assert [row[3] for row in jobs()] == ["unchanged"] * 2


def test_approved_twice_is_one_mail_to_its_receiver(installed: Config, server: Server) -> None:
    comment = comments.add(entry("Ada"), "R", "Again.")
    ask(installed)
    work(installed)
    comments.set_status(comment, "pending")
    comments.set_status(comment, "approved")
    ask(installed)
    work(installed)
    assert len({mail["Message-ID"] for mail in server.mails}) == 1


def test_without_a_host_nothing_is_sent_then_or_later(installed: Config, server: Server, tmp_path: Path) -> None:
    comments.add(entry("Ada"), "R", "Silence.")
    mute = check(installed.model_dump(exclude={"path", "mail"}), installed.path)
    assert ask(mute) == 0
    assert (ask(installed), jobs()) == (0, [])


def test_what_may_pass_is_tried_again_and_a_refusal_fails_at_once(installed: Config, server: Server) -> None:
    on = entry("Ada")
    comments.add(on, "R", "First.")
    server.answers["RCPT"] = ["450 greylisted"]
    ask(installed)
    work(installed)
    assert [row[2] for row in jobs()] == ["pending"]
    assert 25 < db.execute("SELECT run_at FROM job").fetchone()[0] - db.now() <= 60
    db.execute("UPDATE job SET run_at = 0")
    work(installed)
    assert ([row[2] for row in jobs()], len(server.mails)) == (["done"], 1)
    comments.add(on, "R", "Second.")
    server.answers["RCPT"] = ["550 no such user"]
    ask(installed)
    work(installed)
    state, failures, message = db.execute("SELECT state, failures, error_message FROM job ORDER BY id DESC").fetchone()
    assert (state, failures) == ("failed", 1)
    assert "answered 550 no such user" in message


def test_a_worker_killed_after_the_server_took_it_sends_the_same_mail_again(
    installed: Config, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    comments.add(entry("Ada"), "R", "Twice.")
    ask(installed)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(store, "finish", lambda _outcomes: (_ for _ in ()).throw(KeyboardInterrupt))
        work(installed)
    assert store.rescue(5, worker="here:1") == 1
    work(installed)
    assert [row[2] for row in jobs()] == ["done"]
    assert (len(server.mails), len({mail["Message-ID"] for mail in server.mails})) == (2, 1)


def test_comments_of_a_removed_entry_are_no_error(installed: Config, server: Server) -> None:
    on = entry("Ada")
    comments.add(on, "R", "Nowhere.")
    ask(installed)
    Entry.delete().where(Entry.id == on.id).execute()
    assert Comment.select().count() == 0
    work(installed)
    assert [row[2:] for row in jobs()] == [("done", "unchanged")]
