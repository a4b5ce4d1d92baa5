"""Readers are told of replies after they confirmed it, until they end it, and nobody else can be mailed that way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

import pytest

from appliance import db
from appliance.config import Config, validate
from appliance.content import comments
from appliance.content.comment_models import CommentOrigin, ReplyNotice
from appliance.content.models import Comment, CommentStatus, Entry
from appliance.notifications import reply_notices
from appliance.queue import store
from appliance.signing import load_signer
from tests.notifications.conftest import Server
from tests.notifications.mail_queue import enqueue_all, entry, jobs, pass_intervals, site, work


def post(
    config: Config, on: Entry, name: str, parent: Comment | None = None, *,
    notify: bool = False, status: CommentStatus = "approved", network: str = "192.0.2.0/24", email: str | None = None,
) -> Comment:  # fmt: skip
    """A comment that a reader sent."""
    with db.write():
        address = f"{name.lower()}@r.example" if email is None else email
        made = comments.add(on, name, f"{name} says.", email=address, parent=parent, status=status)
        CommentOrigin.insert(comment=made.id, network=network, created_at=1).execute()
        if notify:
            reply_notices.request(config, site(), made, network)
    return made


def send(config: Config) -> None:
    enqueue_all(config)
    work(config)


def link(mail: EmailMessage, action: str) -> str:
    found = re.search(rf"https://\S+/notices/{action}\?token=\S+", mail.get_content())
    assert found, mail.get_content()
    return found[0]


def wish_of(address: str, action: str) -> reply_notices.Wish:
    """What the intake finds for the link of a mail."""
    token = parse_qs(urlsplit(address).query)["token"][0]
    found = load_signer().read_notice(token, action, db.now())  # type: ignore[arg-type]
    assert found
    wish = reply_notices.find(found.notice)
    assert wish
    assert found.is_for(wish.email)
    return wish


def receivers(server: Server) -> list[str]:
    """To whom mails went since the last call."""
    found = [to for _, (to,) in server.envelopes]
    server.envelopes.clear()
    return found


@pytest.fixture
def rosa(installed: Config, server: Server) -> Iterator[Comment]:
    """A comment whose author confirmed that she wants to be told of replies."""
    made = post(installed, entry(), "Rosa", notify=True)
    send(installed)
    reply_notices.confirm(wish_of(link(server.mails[-1], "confirm"), "confirm"))
    assert receivers(server) == ["rosa@r.example"]
    yield made


@pytest.mark.conformance("B9")
def test_a_reader_is_told_of_replies_only_after_confirming(installed: Config, server: Server) -> None:
    on = entry()
    first = post(installed, on, "Rosa", notify=True)
    post(installed, on, "Early", first)
    assert enqueue_all(installed) == 1
    work(installed)
    assert receivers(server) == ["rosa@r.example"]
    asked = server.mails[0]
    assert asked["Subject"] == "[A Blog] Please confirm mails about replies"
    assert "“Über Gezeiten”" in asked.get_content()
    assert "Rosa" not in str(asked).replace("rosa@r.example", ""), "its cause wrote that"
    address = link(asked, "confirm")
    assert address.startswith("https://blog.example/-/blog/notices/confirm?token=")
    assert reply_notices.confirm(wish_of(address, "confirm"))
    assert not reply_notices.confirm(wish_of(address, "confirm"))
    reply = post(installed, on, "Sven", first)
    send(installed)
    assert receivers(server) == ["rosa@r.example"]
    mail = server.mails[-1]
    assert mail["Subject"] == "[A Blog] Sven replied to you on “Über Gezeiten”"
    assert "> Sven says." in mail.get_content()
    assert f"#comment-{reply.id}" in mail.get_content() or "https://blog.example/" in mail.get_content()
    assert mail["List-Unsubscribe"] == f"<{link(mail, 'unsubscribe')}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.get_content_type() == "text/plain"


def test_replies_to_replies_are_told_to_each_reader_above_once(
    installed: Config, server: Server, rosa: Comment
) -> None:
    sven = post(installed, rosa.entry, "Sven", rosa, notify=True)
    send(installed)
    assert sorted(receivers(server)) == ["rosa@r.example", "sven@r.example"]
    asked = next(mail for mail in reversed(server.mails) if "confirm" in mail["Subject"])
    reply_notices.confirm(wish_of(link(asked, "confirm"), "confirm"))
    again = post(installed, rosa.entry, "Rosa", sven, notify=True)  # her own: nobody but Sven is told
    send(installed)
    assert receivers(server) == ["sven@r.example"]
    post(installed, rosa.entry, "Tove", again)
    send(installed)
    assert sorted(receivers(server)) == ["rosa@r.example", "sven@r.example"]
    post(installed, rosa.entry, "Uwe")  # beside the thread
    send(installed)
    assert receivers(server) == []


def test_a_job_whose_numbers_are_those_of_other_comments_by_now_sends_nothing(
    installed: Config, server: Server, rosa: Comment
) -> None:
    """SQLite once gave the numbers of deleted rows out again."""
    post(installed, rosa.entry, "Sven", rosa)
    assert enqueue_all(installed) == 1
    beside = post(installed, rosa.entry, "Uwe")
    db.execute("UPDATE job SET payload = REPLACE(payload, ?, ?) WHERE kind = 'mail-reply'",
               [f'"reply": {beside.id - 1}', f'"reply": {beside.id}'])  # fmt: skip
    work(installed)
    assert receivers(server) == []


def test_comments_of_the_shell_and_of_imports_and_held_ones_tell_readers_nothing(
    installed: Config, server: Server, rosa: Comment
) -> None:
    comments.add(rosa.entry, "Shell", "From the shell.", parent=rosa)
    comments.add_imported(rosa.entry, "Old", "From elsewhere.", parent=rosa, actor="import")
    held = post(installed, rosa.entry, "Later", rosa, status="pending")
    post(installed, rosa.entry, "Spam", rosa, status="spam")
    send(installed)
    assert receivers(server) == []
    comments.set_status(held, "approved", "editor")
    send(installed)
    assert receivers(server) == ["rosa@r.example"]


@pytest.mark.parametrize("how", ["ended", "everywhere", "erased", "deleted", "switched off"])
def test_after_the_end_nothing_is_sent_though_it_was_queued(
    installed: Config, server: Server, rosa: Comment, how: str
) -> None:
    post(installed, rosa.entry, "Sven", rosa)
    assert enqueue_all(installed) == 1
    wish = reply_notices.find(ReplyNotice.get().id)
    assert wish
    config = installed
    if how in ("ended", "everywhere"):
        assert reply_notices.end(wish, everywhere=how == "everywhere")
        assert not reply_notices.end(wish)
    elif how == "erased":
        Comment.update(author_email="").where(Comment.id == rosa.id).execute()
    elif how == "deleted":
        comments.delete(rosa)
    else:
        raw = installed.model_dump(exclude={"path"})
        raw["sites"][0]["comments"]["notices"] = False
        config = validate(raw, installed.path)
    work(config)
    assert receivers(server) == []
    assert jobs()[-1][2:] == ("done", "unchanged")
    if how != "deleted":
        post(config, rosa.entry, "Tove", rosa)
        assert enqueue_all(config) == 0


def test_an_end_is_for_an_entry_or_for_all(installed: Config, server: Server, rosa: Comment) -> None:
    other = entry(title="Winds", slug="winds")
    there = post(installed, other, "Rosa", notify=True)
    ReplyNotice.update(confirmed_at=1).execute()
    wish = reply_notices.find(ReplyNotice.get(ReplyNotice.comment == rosa.id).id)
    assert wish
    reply_notices.end(wish)
    assert [row.ended_at is not None for row in ReplyNotice.select().order_by(ReplyNotice.id)] == [True, False]
    post(installed, other, "Sven", there)
    enqueue_all(installed)
    reply_notices.end(wish, everywhere=True)
    work(installed)
    assert receivers(server) == []
    assert not reply_notices.confirm(wish), "an end is for good"


def test_who_confirmed_for_an_entry_is_not_asked_there_again_until_it_was_ended(
    installed: Config, server: Server, rosa: Comment
) -> None:
    post(installed, rosa.entry, "Rosa", notify=True)
    assert enqueue_all(installed) == 0
    assert [row.confirmed_at is not None for row in ReplyNotice.select()] == [True, True]
    wish = reply_notices.find(ReplyNotice.get().id)
    assert wish
    reply_notices.end(wish)
    post(installed, rosa.entry, "Rosa", notify=True)
    assert ReplyNotice.select().where(ReplyNotice.confirmed_at.is_null()).count() == 1


def test_no_mailbox_is_asked_twice_a_day(installed: Config, server: Server) -> None:
    on = entry()
    for address in ("victim@v.example", "Victim@v.example", "vic.tim+1@v.example"):
        post(installed, on, "X", notify=True, email=address)
        send(installed)
    assert receivers(server) == ["victim@v.example"]
    pass_intervals()
    work(installed)
    assert receivers(server) == ["vic.tim+1@v.example"]


def test_a_mailbox_is_asked_though_its_newest_comment_is_gone(installed: Config, server: Server) -> None:
    on = entry()
    first, second = (post(installed, on, "Rosa", notify=True) for _ in range(2))
    enqueue_all(installed)
    comments.delete(second)
    post(installed, on, "Sven", notify=True)
    send(installed)
    assert sorted(receivers(server)) == ["rosa@r.example", "sven@r.example"]
    asked = next(mail for mail in server.mails if mail["To"] == "rosa@r.example")
    assert wish_of(link(asked, "confirm"), "confirm").comment == first.id


def test_what_one_network_and_all_may_ask_for_is_limited(
    installed: Config, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_notices, "_PER_NETWORK", 2)
    monkeypatch.setattr(reply_notices, "_PER_HOUR", 3)
    on = entry()
    for number in range(4):
        post(installed, on, "X", notify=True, email=f"v{number}@v.example")
    assert ReplyNotice.select().count() == 2
    for number in range(4, 8):
        post(installed, on, "X", notify=True, email=f"v{number}@v.example", network=f"198.51.{number}.0/24")
    assert ReplyNotice.select().count() == 3
    send(installed)
    assert len(receivers(server)) == 3


def test_who_never_confirms_is_asked_no_more(installed: Config, server: Server) -> None:
    on = entry()
    for number in range(5):
        ReplyNotice.update(asked_at=ReplyNotice.asked_at - 100_000).where(ReplyNotice.asked_at.is_null(False)).execute()
        pass_intervals()
        post(installed, on, f"N{number}", notify=True, email="victim@v.example")
        send(installed)
    assert receivers(server) == ["victim@v.example"] * 3


@pytest.mark.parametrize("missing", ["mail", "web", "notices"])
def test_without_mail_web_process_or_permission_there_are_no_notices(installed: Config, missing: str) -> None:
    raw = installed.model_dump(exclude={"path"})
    if missing == "notices":
        raw["sites"][0]["comments"]["notices"] = False
    else:
        del raw[missing]
    post(validate(raw, installed.path), entry(), "Rosa", notify=True)
    assert ReplyNotice.select().count() == 0


def test_a_held_comment_asks_nobody_until_it_is_approved(installed: Config, server: Server) -> None:
    held = post(installed, entry(), "Rosa", notify=True, status="pending")
    send(installed)
    assert receivers(server) == []
    comments.set_status(held, "approved")
    send(installed)
    assert receivers(server) == ["rosa@r.example"]


def test_a_busy_entry_makes_one_mail_about_many_replies(installed: Config, server: Server, rosa: Comment) -> None:
    for number in range(30):
        post(installed, rosa.entry, f"N{number}", rosa)
    send(installed)
    assert receivers(server) == ["rosa@r.example"]
    assert server.mails[-1]["Subject"] == "[A Blog] 30 replies to you on “Über Gezeiten”"
    post(installed, rosa.entry, "More", rosa)
    send(installed)
    assert receivers(server) == []
    pass_intervals()
    work(installed)
    assert receivers(server) == ["rosa@r.example"]


def test_a_reply_is_retried_and_after_a_kill_it_is_the_same_mail(
    installed: Config, server: Server, rosa: Comment, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.mails.clear()
    post(installed, rosa.entry, "Sven", rosa)
    server.answers["RCPT"] = ["450 later"]
    send(installed)
    assert (jobs()[-1][2], server.mails) == ("pending", [])
    pass_intervals()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(store, "complete", lambda _outcomes: (_ for _ in ()).throw(KeyboardInterrupt))
        work(installed)
    assert store.rescue(5, worker="here:1") == 1
    pass_intervals()
    work(installed)
    assert jobs()[-1][2] == "done"
    assert (len(server.mails), len({mail["Message-ID"] for mail in server.mails})) == (2, 1)


def test_a_forged_link_names_no_wish(installed: Config, server: Server, rosa: Comment) -> None:
    signer = load_signer()
    good = signer.notice(1, "rosa@r.example", "confirm", db.now())
    payload, _, signature = good.partition(".")
    # Not its last character: the lowest bits of that one mean nothing.
    other = f"{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    for token in (other, good + "x", "", "1", payload):
        assert signer.read_notice(token, "confirm", db.now()) is None
    assert signer.read_notice(good, "unsubscribe", db.now()) is None
