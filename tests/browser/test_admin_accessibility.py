"""Every page of the admin application in Chromium: usable by everybody, light and dark, on phones and desktops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import html5lib
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from appliance import audit
from appliance.accounts import links, tokens, users
from appliance.actor import Actor
from appliance.content import comments
from appliance.content.comment_models import CommentBan, CommentOrigin
from appliance.content.entries import EntryData, save
from appliance.content.models import Site
from appliance.delivery import journal, lag_history
from appliance.errors import SourceExcerpt
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import (
    PASSWORD,
    add_authenticator,
    add_user,
    person,
    set_up_app,
    sign_in,
    trusting_chromium,
)

pytestmark = pytest.mark.slow

LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize], ...] = (
    ("light", {"width": 390, "height": 844}),
    ("dark", {"width": 1280, "height": 900}),
)
#: Pages for whoever has not signed in.
OUTSIDE = ("/sign-in", "/sign-in?done=signed-out", "/forgotten", "/reset/gone", "/invitation/gone", "/nowhere")
#: Pages for an administrator. Numbers are those of what `stack` has made.
INSIDE = (
    "/comments", "/comments?status=all&text=surge", "/comments?status=spam&text=nothing", "/comments?age=soon",
    "/comments/all?act=spam", "/comments/bans", "/sites/blog/comments/2", "/sites/blog/comments/2/edit",
    "/sites/blog/comments/2/ban",
    "/", "/account", "/account/password", "/account/second-factor?done=recovery", "/account/passkeys/1",
    "/account/sessions", "/account/tokens", "/account/tokens/new", "/users", "/users?text=nobody-at-all", "/users/new",
    "/users/1", "/users/2", "/users/3", "/audit", "/audit?since=yesterday", "/audit?actor=ines", "/audit/1",
    "/sites/blog/audit", "/confirm?next=/users", "/nowhere",
    "/failures", "/jobs/1", "/jobs", "/jobs?q=state:failed", "/jobs?q=state:fialed", "/jobs?q=nothing-like-it",
    "/jobs/all/delete", "/jobs/all/prioritise", "/jobs/all/retry?q=nothing-like-it",
    "/processes", "/processes?since=1&n=2", "/processes/ask?request=recycle", "/processes/ask?request=pause&host=x",
    "/schedule", "/schedule/task?name=rescue", "/settings", "/settings?text=idle", "/settings?text=nothing-like-it",
    "/targets", "/targets?done=target-paused", "/targets/www1", "/targets/www1?span=day", "/targets/www2",
    "/targets/www1/resync", "/pages", "/pages?path=blog/index.html", "/pages?path=blog/inde",
)  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    folder = tmp_path_factory.mktemp("stack")
    with admin_stack(folder, targets=two_targets(folder)) as running:
        running.await_that(lambda: journal.latest_of("blog/index.html"))
        audit.record(
            "entry.edit", "entry", 7, site="blog", label="The surge that came early", actor=Actor("ines", "browser"),
            before={"title": "The surge", "text": "Fog.\nGulls."},
            after={"title": "The surge that came early", "text": f"Fog.\n{'x' * 500}\nGulls."},
        )  # fmt: skip
        ada = add_user("ada", everywhere="admin")
        add_user("ines", blog="editor", news="author")
        users.disable(add_user("jonas", news="moderator"))
        fail_a_job()
        tokens.create(ada, "Import from the newsroom", scopes=["entry.add", "entry.edit"], sites=["blog"])
        make_comments()
        for _ in range(2):
            lag_history.sample(running.config)
        yield running


def two_targets(folder: Path) -> list[dict[str, object]]:
    """One that receives, and one that cannot, since a file is in its place."""
    (folder / "file").write_text("")
    return [
        {"name": name, "address": str(folder / place), "other_path": True}
        for name, place in (("www1", "front"), ("www2", "file/front"))
    ]


def fail_a_job() -> None:
    """Fail a job of a kind that no worker takes, with the lines of a template."""
    excerpt = SourceExcerpt("entry.html", 12, 11, ("<p>", f"{{{{ {'x' * 200} }}}}", "</p>"))
    enqueue("strange", [JobRequest("a/rather/long/path/of/a/page/index.html", scope="blog")], ageing=60.0)
    (claim,) = store.claim("here:1", ["strange"], 1, 30.0)
    failure = FailureDetails(
        "TemplateFailure", "It is broken; mend it.", "Traceback\n  deep in it", "entry.html", excerpt
    )
    store.fail(claim, failure, retry_after=None)


def make_comments() -> None:
    """A thread whose second comment waits, with what is known of its sender; spam; and a ban."""
    entry = save(Site.get(Site.name == "blog"), EntryData(title="The surge", slug="surge", published_at=1))[0]
    first = comments.add(entry, "Bo", f"The surge came early. {'It did. ' * 200}", email="ida@r.example")
    held = comments.add(entry, "Ida", "So it did.", email="ida@r.example", parent=first, status="pending")
    comments.add(entry, "Pills", "https://pills.example", status="spam")
    CommentOrigin.create(
        comment=held, address="192.0.2.7", network="192.0.2.0/24", reason="3 links", judged="ham", created_at=1
    )
    CommentBan.create(site=entry.site, kind="network", value="192.0.2.0/24", reason="rude", created_at=1)


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


def check(page: Page) -> None:
    """Check the page that is open in both appearances, in one of them as a phone shows it."""
    html5lib.HTMLParser(strict=True).parse(page.evaluate("'<!DOCTYPE html>' + document.documentElement.outerHTML"))
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        faults = Axe().run(page).response["violations"]
        told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in faults]
        assert told == [], (page.url, scheme, size)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{page.url} is {wide} px too wide at {size['width']}"


def test_pages_before_signing_in(browser: Browser, stack: AdminStack) -> None:
    with person(browser, stack) as page:
        for path in (*OUTSIDE, links.create(users.find_user("ines"), "reset")):
            page.goto(path)
            check(page)
        sign_in(page, "ines", "wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        check(page)


def test_pages_after_signing_in(browser: Browser, stack: AdminStack) -> None:
    with person(browser, stack) as page:
        add_authenticator(page)
        sign_in(page, "ada")
        expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
        check(page)
        page.get_by_role("button", name="Set up an app").click()
        check(page)
        page.goto("/sign-in/set-up")
        phone, _ = set_up_app(page)
        page.goto("/account/second-factor")
        page.get_by_label("Name", exact=True).fill("Laptop")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("status")).to_be_visible()
        page.get_by_role("button", name="Make new codes").click()
        check(page)
        for path in INSIDE:
            page.goto(path)
            check(page)
        page.goto("/failures")
        page.get_by_role("link", name="It is broken", exact=True).click()
        expect(page.locator(".source")).to_be_visible()
        check(page)
        page.goto("/failures")
        page.get_by_role("link", name="Retry all").click()
        check(page)
        page.goto("/jobs/1")
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("#comparison")).to_contain_text("The same, byte for byte")
        check(page)
        page.goto("/audit?actor=ines")
        for name in ("JSON lines", "CSV"):
            with page.expect_download() as download:
                page.get_by_role("link", name=name).click()
            assert "The surge that came early" in download.value.path().read_text("utf-8")
        page.goto("/account/tokens/new")
        page.get_by_text("Choose actions").click()
        check(page)
        page.get_by_label("Label").fill("x")
        page.get_by_role("button", name="Make the token").click()
        expect(page.locator("#token")).to_be_visible()
        check(page)
        page.goto("/users/2")
        page.get_by_role("button", name="Send a link").click()
        expect(page.locator("#link")).to_be_visible()
        check(page)
        page.goto("/account")
        page.get_by_label("Display name").evaluate("field => field.value = ' '")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_be_visible()
        check(page)
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, "ada", PASSWORD)
        check(page)
        page.get_by_role("link", name="Lost your phone").click()
        check(page)
        assert phone.secret


def test_the_keyboard_sees_where_it_is(browser: Browser, stack: AdminStack) -> None:
    with person(browser, stack) as page:
        page.goto("/forgotten")
        seen = set()
        for _ in range(8):
            page.keyboard.press("Tab")
            style = page.evaluate(
                "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
            )
            if style[0] != "BODY":
                seen.add(tuple(style))
        assert {tag for tag, _ in seen} >= {"A", "BUTTON"}
        assert {outline for _, outline in seen} == {"solid"}


def test_the_chosen_appearance_stays(browser: Browser, stack: AdminStack) -> None:
    for script in (True, False):
        with person(browser, stack, script=script, color_scheme="light") as page:
            page.goto("/forgotten")
            page.get_by_role("button", name="dark", exact=True).click()
            expect(page.get_by_role("button", name="dark", exact=True)).to_have_attribute("aria-pressed", "true")
            assert page.url == f"{stack.url}/forgotten"
            page.goto("/sign-in")
            expect(page.locator("html")).to_have_attribute("data-appearance", "dark")
            expect(page.locator("body")).to_have_css("background-color", "rgb(20, 23, 26)")
            page.get_by_role("button", name="system").click()
            expect(page.locator("body")).to_have_css("background-color", "rgb(251, 250, 248)")
