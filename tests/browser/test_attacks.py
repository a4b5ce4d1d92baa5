"""Every attack on a reader's browser, through every field, in Chromium on the running site: nothing of it runs.

Whoever reads the pages reports each dialog, script, request, violation of the policy and address that is not the
site's own. What a browser makes of the markup is judged here; `tests/attacks` reads the markup of many more answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect

from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from tests.attacks.vectors import TAGS, VECTORS
from tests.browser.chromium import reader
from tests.local_site import moment
from tests.web_stack import SITE, WebStack, web_stack

pytestmark = pytest.mark.slow

FIELDS = ("name", "email", "website", "text")
HIDDEN = ("entry", "parent", "token", "topic", "notify", "action")
#: What pages of a site load by themselves.
_OWN = ("/-/static/", "/theme/", f"/-/{SITE}/comments/form", f"/-/{SITE}/opensearch.xml", "/favicon.ico")
#: Tells of every call of what the attacks call, and of every dialog that a script opens.
_TELL = """
for (const name of ['hit', 'alert', 'confirm', 'prompt', 'print', 'open'])
    window[name] = () => console.error('ran ' + name);
"""
#: Touches everything on the page that could have a handler.
_TOUCH = """
for (const element of document.querySelectorAll('main *')) {
    for (const kind of ['mouseover', 'mouseenter', 'focus', 'blur', 'toggle', 'error', 'load', 'animationstart'])
        element.dispatchEvent(new Event(kind));
}
"""
#: What would be markup of an attacker: handlers, styles, and addresses that are neither the web's nor the site's own.
_MARKUP = """
[...document.querySelectorAll('main *')].flatMap(element => [...element.attributes]
    .filter(a => a.name.startsWith('on') || ['style', 'srcdoc', 'formaction'].includes(a.name)
        || ['href', 'src', 'action'].includes(a.name)
            && !['http:', 'https:', 'mailto:'].includes(new URL(a.value, location.href).protocol))
    .map(a => `${element.tagName} ${a.name}=${a.value}`))
"""


@dataclass
class Watch:
    """A page whose reader notes what it does besides being shown."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)
    pages: int = 0

    def __post_init__(self) -> None:
        self.page.context.add_init_script(_TELL)
        self.page.on("request", self._asked)
        self.page.on("console", self._said)
        self.page.on("dialog", lambda dialog: self.faults.append(f"a dialog: {dialog.message}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"an error: {error}"))
        self.page.on("popup", lambda _: self.faults.append("a window"))

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        document = request.is_navigation_request() and request.frame == self.page.main_frame
        if parts.netloc != self.origin or not (document or parts.path.startswith(_OWN)):
            self.faults.append(f"asked {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        # The page itself may be one that refuses; its address is that of the page.
        refused = "Failed to load resource" in message.text and message.location["url"] == self.page.url
        if message.type == "error" and not refused:
            self.faults.append(message.text)

    def check(self, vector: str, path: str, *, touch: bool = False) -> None:
        """Nothing has happened on the page that is open, which is at `path`."""
        self.pages += 1
        if touch:
            self.page.evaluate(_TOUCH)
        self.faults += self.page.evaluate(_MARKUP)
        parts = urlsplit(self.page.url)
        assert (parts.netloc, parts.path) == (self.origin, path), vector
        assert self.faults == [], vector

    def open(self, path: str, vector: str) -> None:
        """Open a page of the site, which may be one that refuses."""
        self.page.goto(path)
        self.check(vector, urlsplit(path).path)

    def fill(self, values: Mapping[str, str], button: str) -> None:
        """Fill the form of the page that is open, hidden fields as well, and press a button."""
        with self.page.expect_navigation():
            self.page.evaluate(
                """([values, button]) => {
                    const form = document.querySelector('form.comment-form');
                    for (const [name, value] of Object.entries(values)) {
                        const field = form.querySelector(`[name="${name}"]`)
                            || form.appendChild(Object.assign(document.createElement('input'), {name}));
                        if (field.type === 'checkbox') field.type = 'text';
                        field.value = value;
                    }
                    form.noValidate = true;
                    form.requestSubmit(form.querySelector(`button[value="${button}"]`));
                }""",
                [dict(values), button],
            )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    held = {"name": "careful", "title": "Careful", "url": "https://blog.example/careful/", "folder": "careful",
            "comments": {"moderation": "all"}}  # fmt: skip
    with web_stack(tmp_path_factory.mktemp("stack"), sites=({}, held), queue={"workers": 1}) as running:
        yield running


@contextmanager
def watched(stack: WebStack, browser: Browser, front: int = 0) -> Iterator[Watch]:
    url = stack.fronts[front].url
    # The watch judges what is refused more closely than the reader does.
    with reader(browser, url, allowed=("Failed to load resource",)) as page:
        watch = Watch(page, urlsplit(url).netloc)
        yield watch
        assert watch.pages, "nothing was looked at"


def _answer(html: str, route: Route) -> None:
    route.fulfill(content_type="text/html", body=f"<main>{html}</main>")


def test_what_runs_is_noticed(stack: WebStack, browser: Browser) -> None:
    """The watch sees what it is there for, on a page whose policy and escaping fail."""
    told = {
        "<img src=/nowhere.png onerror=hit()>": "ran hit",
        "<script>hit()</script>": "ran hit",
        "<a href='javascript:hit()'>x</a>": "A href=javascript:hit()",
        "<p style='color:red'>x</p>": "P style",
        "<iframe src=/first/>": "asked",
        "<script>document.createElement('dialog'); onerror = null; throw Error('x')</script>": "an error: x",
    }
    for html, expected in told.items():
        context = browser.new_context(base_url=stack.fronts[0].url)
        page = context.new_page()
        watch = Watch(page, urlsplit(stack.fronts[0].url).netloc)
        page.route("**/first/", partial(_answer, html))
        page.goto("/first/")
        page.wait_for_load_state("networkidle")
        with suppress(AssertionError):
            watch.check("", "/first/")
        assert any(expected in fault for fault in watch.faults), (html, watch.faults)
        context.close()


def test_published_comments_run_nothing(stack: WebStack, browser: Browser) -> None:
    stack.entry_id("first")  # the threads have no database

    def post(number: int) -> int:
        sender = replace(stack, source=f"127.21.{number % 256}.1")
        filled = (
            {"name": VECTORS[number], "text": VECTORS[number]},
            {"website": VECTORS[number], "text": f"{number}."},
        )
        return sum(sender.comment("first", **fields).status == 303 for fields in filled)

    with ThreadPoolExecutor(8) as threads:  # each waits until its comment is shown
        kept = sum(threads.map(post, range(len(VECTORS))))
    assert kept > len(VECTORS) / 2
    count = sum(row.status == "approved" for row in stack.comments())
    for front in (0, 1):
        stack.await_that(lambda n=front: stack.page("first", n).count('class="comment"') == count)
        with watched(stack, browser, front) as watch:
            path = stack.address("first")
            watch.open(path, "all")
            watch.page.wait_for_load_state("networkidle")
            watch.check("all", path, touch=True)
            assert "hit()" in watch.page.locator("#comments").inner_text(), "they are there, as text"
            watch.page.locator("a.reply").last.click()
            watch.check("the name of who is answered", path, touch=True)
            assert watch.page.locator("#respond-title").locator("*").count() == 0


def test_forms_and_previews_run_nothing(stack: WebStack, browser: Browser) -> None:
    """Each attack in all fields at once comes back with its problems; as name and text it is shown as a preview."""
    with watched(stack, browser) as watch:
        watch.open(stack.address("second"), "")
        for number, vector in enumerate(VECTORS):
            if number % 5 == 0:
                watch.fill(dict.fromkeys(FIELDS, vector), "preview")
                watch.check(vector, stack.endpoint(), touch=True)
            watch.fill({"name": vector[:100], "email": "", "website": "", "text": vector}, "preview")
            watch.check(vector, stack.endpoint(), touch=True)


def test_hidden_fields_run_nothing(stack: WebStack, browser: Browser) -> None:
    with watched(stack, browser) as watch:
        for vector in TAGS[::6]:
            for name in HIDDEN:
                watch.open(stack.address("second"), "")
                watch.fill({"name": "Ada", "text": "Words.", name: vector}, "preview" if name != "action" else "post")
                watch.check(vector, stack.endpoint(), touch=True)


def test_confirmed_held_and_deleted_comments_run_nothing(stack: WebStack, browser: Browser) -> None:
    """A form without a token leads to a page that asks to confirm; then come the held comment and its deletion."""
    entry = {"name": "Ada", "entry": str(_careful(stack)), "token": ""}
    with watched(stack, browser) as watch:
        for vector in VECTORS[::8]:
            base = "/-/careful/comments"
            watch.open(f"{base}?entry={entry['entry']}", vector)
            watch.fill({**entry, "text": vector}, "post")
            watch.check(vector, base, touch=True)
            if "Almost there" not in watch.page.content():
                continue  # refused, with its problems
            watch.fill({}, "post")
            watch.check(vector, f"{base}/status", touch=True)
            expect(watch.page.get_by_role("heading", name="Your comment waits for approval")).to_be_visible()
            watch.page.get_by_role("link", name="Delete my comment").click()
            watch.check(vector, f"{base}/delete", touch=True)
            watch.page.get_by_role("button", name="Delete it").click()
            watch.check(vector, f"{base}/delete")


def _careful(stack: WebStack) -> int:
    """The entry of the site where every comment waits."""
    if found := Entry.get_or_none(Entry.slug == "opinion"):
        return int(found.id)
    data = EntryData(title="Opinion", slug="opinion", text="Text.", published_at=moment("2026-11-02"))
    return int(entries.save(Site.get(Site.name == "careful"), data)[0].id)


def test_addresses_run_nothing(stack: WebStack, browser: Browser) -> None:
    """Queries, tokens, and what the theme's script reads of an address."""
    entry, page = stack.entry_id("second"), stack.address("second")
    with watched(stack, browser) as watch:
        for number, vector in enumerate(VECTORS):
            quoted = quote(vector, safe="")
            watch.open(stack.endpoint(f"search?q={quoted}"), vector)
            if number % 6:
                continue
            for path in (
                f"search?q=many&page={quoted}", f"comments?entry={entry}&parent={quoted}", f"comments?entry={quoted}",
                f"comments/status?receipt={quoted}&look={quoted}", f"comments/delete?receipt={quoted}",
                f"notices/confirm?token={quoted}", f"notices/unsubscribe?token={quoted}", quoted,
            ):  # fmt: skip
                watch.open(stack.endpoint(path), vector)
            watch.open(f"{page}?receipt={quoted}#comment-1", vector)
            watch.page.goto(f"{page}#{quoted}")
            watch.check(vector, page, touch=True)


def test_what_a_browser_remembers_runs_nothing(stack: WebStack, browser: Browser) -> None:
    """The draft, the details and the receipts that the script kept may be anything, if another page wrote them."""
    path = stack.address("first")
    with watched(stack, browser) as watch:
        watch.open(path, "")
        for vector in TAGS[::4]:
            kept = {
                "comment-details": {"name": vector, "email": vector, "website": vector},
                f"comment-draft {path}": {"text": vector, "parent": vector},
                "comment-receipts": [{"receipt": vector, "anchor": "comment-1", "until": 9e15},
                                     {"receipt": "x", "anchor": vector, "until": 9e15}],
            }  # fmt: skip
            stored = {key: json.dumps(value) for key, value in kept.items()}
            watch.page.evaluate(
                """stored => { for (const [key, value] of Object.entries(stored)) {
                    localStorage.setItem(key, value); sessionStorage.setItem(key, value); } }""",
                stored,
            )
            watch.open(path, vector)
            watch.check(vector, path, touch=True)
            assert watch.page.locator("[name=text]").input_value() == vector.replace("\r\n", "\n")
