"""Mails about comments, from the form in Chromium to an SMTP server and back through the links in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import db
from appliance.content.comment_models import ReplyNotice
from appliance.content.entries import EntryData
from appliance.content.entries import save as save_entry
from appliance.content.models import Author, Comment, Site
from appliance.queue import store
from tests.browser.chromium import grave_violations, reader
from tests.local_site import moment
from tests.notifications.conftest import Server
from tests.web_stack import SITE, Answer, WebStack, web_stack

pytestmark = pytest.mark.slow

AUTHOR, ROSA = "vera@blog.example", "rosa@r.example"
PATH = "/2026/11/ferries/"
#: What a mail provider sends when a reader presses its button (RFC 8058), in both encodings that it may use.
ONE_CLICK = {
    "application/x-www-form-urlencoded": b"List-Unsubscribe=One-Click",
    "multipart/form-data; boundary=b": b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--b--\r\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    running.controller.start()
    yield running
    running.controller.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[WebStack]:
    mail = server.settings().model_dump(exclude_none=True, exclude_defaults=True) | {"security": "none"}
    with web_stack(tmp_path_factory.mktemp("stack"), mail=mail, queue={"workers": 1}) as running:
        site = Site.get(Site.name == SITE)
        with db.write():
            Author.create(site=site, name="Vera", slug="vera", email=AUTHOR)
        data = EntryData(title="Ferries", slug="ferries", text="x", published_at=moment("2026-11-20"), authors=["Vera"])
        save_entry(site, data)
        for front in (0, 1):
            running.await_that(lambda n=front: running.get(PATH, n).status == 200)
        yield running


def mails_to(stack: WebStack, server: Server, address: str, count: int) -> list[EmailMessage]:
    """Wait until an address has got so many mails, and return them."""

    def found() -> list[EmailMessage]:
        pairs = zip(server.mails, server.envelopes, strict=False)
        return [mail for mail, (_, to) in pairs if to == [address]]

    stack.await_that(lambda: len(found()) >= count)
    return found()


def await_idle(stack: WebStack) -> None:
    """Wait until everything that was caused is done, mails as well."""
    unplanned = "SELECT COUNT(*) FROM change WHERE NOT planned OR NOT told"
    stack.await_that(lambda: not db.execute(unplanned).fetchone()[0] and store.count_unfinished() == 0)
    assert store.recent_failures() == []


def link(mail: EmailMessage, action: str) -> str:
    """The path of a link in a mail; all of them lead to the site."""
    found = re.search(rf"https://\S+/notices/{action}\?token=\S+", mail.get_content())
    assert found, mail.get_content()
    parts = urlsplit(found[0])
    assert (parts.scheme, parts.netloc) == ("https", "blog.example")
    return f"{parts.path}?{parts.query}"


def comment(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"form[method=post] [name={name}]").fill(value)


def reply_to(stack: WebStack, asked: Comment, text: str, name: str = "Sven") -> None:
    stack.source = f"127.8.{Comment.select().count()}.1"
    assert stack.comment("ferries", text, parent=asked.id, name=name, email="sven@s.example").status == 303


def one_click(stack: WebStack, path: str, encoding: str) -> Answer:
    """Press the button of a mail program: a POST from the provider's host, with neither cookie nor origin."""
    return stack.ask("POST", path, body=ONE_CLICK[encoding], headers={"Content_Type": encoding})


def test_a_reader_asks_confirms_is_told_and_ends_it(stack: WebStack, server: Server, browser: Browser) -> None:
    with reader(browser, stack.fronts[0].url) as page:
        page.goto(PATH)
        comment(page, name="Rosa", email=ROSA, text="Does the ferry run on Sundays?")
        page.locator("[name=notify]").check()
        page.locator("button[name=action][value=post]").click()
        expect(page.locator(".comment:target")).to_contain_text("on Sundays?")
        assert ROSA not in page.content()
    (told,) = mails_to(stack, server, AUTHOR, 1)
    assert "Rosa" in told["Subject"] and "> Does the ferry run on Sundays?" in told.get_content()
    (asked,) = mails_to(stack, server, ROSA, 1)
    assert "confirm" in asked["Subject"] and "Does the ferry" not in asked.get_content()
    confirm, question = link(asked, "confirm"), Comment.get(Comment.author_email == ROSA)

    # What a mail filter does that opens every link.
    for _ in range(2):
        assert stack.get(confirm).status == 200
    assert not ReplyNotice.get().confirmed_at
    reply_to(stack, question, "Too early to be told.")
    await_idle(stack)
    assert len(mails_to(stack, server, ROSA, 1)) == 1

    with reader(browser, stack.fronts[1].url) as page:
        page.goto(confirm)
        assert grave_violations(page) == []
        page.get_by_role("button").click()
        expect(page.get_by_role("status")).to_be_visible()
        page.get_by_role("link", name="Back to").click()
        assert urlsplit(page.url).path == PATH
    assert ReplyNotice.get().confirmed_at
    reply_to(stack, question, "It does, at noon.")
    mail = mails_to(stack, server, ROSA, 2)[-1]
    assert mail["Subject"] == "[A Blog] Sven replied to you on “Ferries”"
    assert "> It does, at noon." in mail.get_content() and "sven@s.example" not in str(mail)
    place = re.search(r"https://blog\.example(/\S*#comment-\d+)", mail.get_content())
    assert place
    with reader(browser, stack.fronts[0].url) as page:
        page.goto(place[1])
        expect(page.locator(".comment:target")).to_contain_text("It does, at noon.")

    with reader(browser, stack.fronts[0].url) as page:
        page.goto(link(mail, "unsubscribe"))
        assert not ReplyNotice.get().ended_at
        page.get_by_role("button").first.click()
        expect(page.get_by_role("status")).to_be_visible()
    assert ReplyNotice.get().ended_at
    reply_to(stack, question, "And at six.")
    await_idle(stack)
    assert len(mails_to(stack, server, ROSA, 2)) == 2
    assert len(mails_to(stack, server, AUTHOR, 4)) == 4, "the author is told of each comment"


@pytest.mark.parametrize("encoding", list(ONE_CLICK))
def test_the_button_of_a_mail_program_ends_it_at_once(stack: WebStack, server: Server, encoding: str) -> None:
    address = f"{encoding.partition('/')[0]}@r.example"
    stack.source = "127.8.200.1"
    assert stack.comment("ferries", f"By {address}.", name="Tove", email=address, notify="1").status == 303
    (asked,) = mails_to(stack, server, address, 1)
    answer = stack.post(link(asked, "confirm"), {})
    assert answer.status == 200
    question = Comment.get(Comment.author_email == address)
    reply_to(stack, question, f"A reply to {address}.")
    mail = mails_to(stack, server, address, 2)[-1]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    target = urlsplit(mail["List-Unsubscribe"].strip("<>"))
    assert target.scheme == "https"
    path = f"{target.path}?{target.query}"
    assert stack.get(path).status == 200
    assert not ReplyNotice.get(ReplyNotice.email == address).ended_at, "only a POST ends it"
    for _ in range(2):  # a provider may send it again
        answer = one_click(stack, path, encoding)
        assert answer.status == 200 and not answer.location
    assert ReplyNotice.get(ReplyNotice.email == address).ended_at
    reply_to(stack, question, f"Another reply to {address}.")
    await_idle(stack)
    assert len(mails_to(stack, server, address, 2)) == 2


def test_a_link_that_somebody_changed_does_nothing(stack: WebStack, server: Server) -> None:
    address = "una@r.example"
    stack.source = "127.8.201.1"
    assert stack.comment("ferries", "By Una.", name="Una", email=address, notify="1").status == 303
    confirm = link(mails_to(stack, server, address, 1)[0], "confirm")
    wrong = (
        f"{confirm[:-2]}AA",
        confirm.replace("/confirm", "/unsubscribe"),
        confirm.partition("token=")[0] + "token=",
    )
    for path in wrong:
        assert stack.post(path, {}).status == 410
    notice = ReplyNotice.get(ReplyNotice.email == address)
    assert notice.confirmed_at is None and notice.ended_at is None
