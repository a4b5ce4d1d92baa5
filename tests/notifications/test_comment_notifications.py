"""Authors are told of approved comments: once, by the queue, and only of those that still are."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config, validate
from appliance.content import comments
from appliance.content.models import Comment, Entry
from appliance.notifications.comment_notifications import MAIL
from appliance.queue import store
from tests.notifications.conftest import Server
from tests.notifications.mail_queue import enqueue_all, entry, jobs, work


@pytest.mark.conformance("B9")
def test_each_author_is_notified_of_an_approved_comment(installed: Config, server: Server) -> None:
    on = entry("Ada", "Bob", "Cy")
    comment = comments.add(on, "Rósa\u2028B", "Lovely.\n\nAnd deep.", email="rosa@r.example", status="spam")
    assert enqueue_all(installed) == 0
    comments.set_status(comment, "approved", actor="editor")
    assert enqueue_all(installed) == 2
    assert enqueue_all(installed) == 0
    work(installed)
    assert sorted(to for _, (to,) in server.envelopes) == ["ada@a.example", "bob@b.example"]
    mail = server.mails[0]
    assert mail["Subject"] == "[A Blog] Rósa B on “Über Gezeiten”"
    assert mail["Reply-To"].addresses[0].addr_spec == "rosa@r.example"
    assert "> Lovely.\n>\n> And deep." in mail.get_content().replace("\r\n", "\n")
    assert [row[1:] for row in jobs()] == [("blog", "done", "changed")] * 2
    assert db.execute(
        "SELECT DISTINCT reason, actor FROM job_trigger WHERE job_id IN (SELECT id FROM job WHERE kind = ?)", [MAIL]
    ).fetchall() == [("comment approved", "editor")]


def test_an_authors_own_comment_is_not_mailed(installed: Config, server: Server) -> None:
    on = entry("Ada")
    comments.add(on, "Ada", "My own.", email="ADA@a.example")
    comments.add(on, "Reader", "Not mine.")
    comments.add(on, "Old", "From elsewhere.", actor="import")
    assert enqueue_all(installed) == 1
    work(installed)
    assert len(server.mails) == 1


def test_approval_and_mail_are_one_transaction(installed: Config) -> None:
    on = entry("Ada")
    with pytest.raises(RuntimeError), db.write():
        comments.add(on, "Reader", "Never said.")
        enqueue_all(installed)
        raise RuntimeError
    assert (enqueue_all(installed), jobs()) == (0, [])
    comments.add(on, "Reader", "Said.")
    with pytest.raises(RuntimeError), db.write():  # planning fails after the mail was enqueued
        assert enqueue_all(installed) == 1
        raise RuntimeError
    assert jobs() == []
    assert enqueue_all(installed) == 1


def test_a_withdrawn_comment_is_not_mailed(installed: Config, server: Server) -> None:
    on = entry("Ada")
    held, gone = comments.add(on, "R", "Held."), comments.add(on, "R", "Gone.")
    assert enqueue_all(installed) == 2
    comments.set_status(held, "spam")
    comments.delete(gone)
    work(installed)
    assert server.mails == []
    assert [row[3] for row in jobs()] == ["unchanged"] * 2


def test_a_comment_approved_twice_is_one_mail(installed: Config, server: Server) -> None:
    comment = comments.add(entry("Ada"), "R", "Again.")
    enqueue_all(installed)
    work(installed)
    comments.set_status(comment, "pending")
    comments.set_status(comment, "approved")
    enqueue_all(installed)
    work(installed)
    assert len({mail["Message-ID"] for mail in server.mails}) == 1


def test_without_a_mail_server_nothing_is_sent_then_or_later(installed: Config, server: Server, tmp_path: Path) -> None:
    comments.add(entry("Ada"), "R", "Silence.")
    mute = validate(installed.model_dump(exclude={"path", "mail"}), installed.path)
    assert enqueue_all(mute) == 0
    assert (enqueue_all(installed), jobs()) == (0, [])


def test_a_temporary_error_is_retried_and_a_refusal_fails_at_once(installed: Config, server: Server) -> None:
    on = entry("Ada")
    comments.add(on, "R", "First.")
    server.answers["RCPT"] = ["450 greylisted"]
    enqueue_all(installed)
    work(installed)
    assert [row[2] for row in jobs()] == ["pending"]
    assert 25 < db.execute("SELECT run_at FROM job WHERE kind = ?", [MAIL]).fetchone()[0] - db.now() <= 60
    db.execute("UPDATE job SET run_at = 0")
    work(installed)
    assert ([row[2] for row in jobs()], len(server.mails)) == (["done"], 1)
    comments.add(on, "R", "Second.")
    server.answers["RCPT"] = ["550 no such user"]
    enqueue_all(installed)
    work(installed)
    state, failures, message = db.execute(
        "SELECT state, failures, error_message FROM job WHERE kind = ? ORDER BY id DESC", [MAIL]
    ).fetchone()
    assert (state, failures) == ("failed", 1)
    assert "answered 550 no such user" in message


def test_a_worker_killed_after_the_server_took_it_sends_the_same_mail_again(
    installed: Config, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    comments.add(entry("Ada"), "R", "Twice.")
    enqueue_all(installed)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(store, "complete", lambda _outcomes: (_ for _ in ()).throw(KeyboardInterrupt))
        work(installed)
    assert store.rescue(5, worker="here:1") == 1
    work(installed)
    assert [row[2] for row in jobs()] == ["done"]
    assert (len(server.mails), len({mail["Message-ID"] for mail in server.mails})) == (2, 1)


def test_comments_of_a_removed_entry_are_no_error(installed: Config, server: Server) -> None:
    on = entry("Ada")
    comments.add(on, "R", "Nowhere.")
    enqueue_all(installed)
    Entry.delete().where(Entry.id == on.id).execute()
    assert Comment.select().count() == 0
    work(installed)
    assert [row[2:] for row in jobs()] == [("done", "unchanged")]
