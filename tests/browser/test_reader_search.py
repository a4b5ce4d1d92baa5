"""Readers search in Chromium, with JavaScript and without, through the nginx of two front ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.content import entries, entry_edits
from appliance.content.entries import EntryData
from appliance.content.models import Comment, Entry, Site
from tests.browser.chromium import grave_violations, reader
from tests.local_site import moment
from tests.web_stack import SITE, WebStack, web_stack

pytestmark = pytest.mark.slow

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
#: Entries that make three pages of results.
SHIPS = 23


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with web_stack(tmp_path_factory.mktemp("stack")) as running:
        for number in range(SHIPS):
            save(f"Ship {number}", f"2026-10-{number + 1:02}", f"Rigging & &lt;sails> of the *schooner* {number}.")
        for number in range(SHIPS):
            await_page(running, f"ship-{number}")
        yield running


def save(title: str, day: str, text: str, entry: Entry | None = None, **more: Any) -> Entry:
    """Add or edit an entry of the first site, published by default, whose slug is the title in lower case."""
    slug = title.lower().replace(" ", "-")
    data = EntryData(title=title, slug=slug, text=text, published_at=moment(day), **more)
    return entries.save(Site.get(Site.name == SITE), data, entry=entry)[0]


def await_page(stack: WebStack, slug: str) -> None:
    """Wait until both front ends have the page of an entry."""
    for front in (0, 1):
        stack.await_that(partial(_has_page, stack, slug, front))


def _has_page(stack: WebStack, slug: str, front: int) -> bool:
    return stack.get(f"/2026/{10 if slug.startswith('ship') else 11}/{slug}/", front).status == 200


def search(page: Page, query: str) -> None:
    """Write into the box of the page that is open, and press Enter."""
    page.get_by_role("searchbox").fill(query)
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("heading", name="Search A Blog")).to_be_visible()


def titles(page: Page) -> list[str]:
    return page.locator("main h2").all_inner_texts()


@SCRIPT
@pytest.mark.parametrize("front", [0, 1])
def test_the_box_of_every_page_leads_to_entries(stack: WebStack, browser: Browser, script: bool, front: int) -> None:
    with reader(browser, stack.fronts[front].url, script=script) as page:
        for address in ("/", stack.address("first"), "/archives/"):
            page.goto(address)
            search(page, "SECOND harbour")
            expect(page.get_by_text("1 result", exact=True)).to_be_visible()
            assert titles(page) == ["The second post"]
            assert [mark.lower() for mark in page.locator("mark").all_inner_texts()] == ["second", "harbours"]
            assert page.get_by_role("searchbox").input_value() == "SECOND harbour"
        assert page.title() == "“SECOND harbour” – Search – A Blog"
        page.get_by_role("link", name="The second post").click()
        expect(page.get_by_role("heading", name="The second post")).to_be_visible()
        page.go_back()
        search(page, "third")
        assert titles(page) == ["The third post"]


@SCRIPT
def test_pages_of_results_lead_on_and_back(stack: WebStack, browser: Browser, script: bool) -> None:
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto("/")
        search(page, "schooner")
        expect(page.get_by_text(f"{SHIPS} results", exact=True)).to_be_visible()
        seen = [titles(page)]
        for number in (2, 3):
            page.get_by_role("link", name="Next").click()
            expect(page.get_by_text(f"{SHIPS} results, page {number}")).to_be_visible()
            seen.append(titles(page))
        assert [title for one in seen for title in one] == [f"Ship {number}" for number in reversed(range(SHIPS))]
        assert page.get_by_role("link", name="Next").count() == 0
        page.get_by_role("link", name="Previous").click()
        expect(page.get_by_text(f"{SHIPS} results, page 2")).to_be_visible()
        assert titles(page) == seen[1]
        assert "Rigging & <sails> of the schooner" in page.locator("main .summary").first.inner_text()
        page.goto(f"{stack.endpoint('search')}?q=schooner&page=4")
        expect(page.get_by_text("There are no more results.")).to_be_visible()
        page.get_by_role("link", name="Previous").click()
        assert titles(page) == seen[2]


@SCRIPT
def test_nothing_is_found_and_nothing_is_asked(stack: WebStack, browser: Browser, script: bool) -> None:
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto("/")
        page.get_by_role("searchbox").press("Enter")
        assert page.url == f"{stack.fronts[0].url}", "the box asks for a word first"
        search(page, "zeppelin")
        expect(page.get_by_text("Nothing was found for “zeppelin”.")).to_be_visible()
        assert titles(page) == []
        page.goto(stack.endpoint("search"))
        expect(page.get_by_text("Write one or more words.")).to_be_visible()


@pytest.mark.parametrize(
    "query",
    [
        "<script>console.error('ran')</script>", "\"><img src=x onerror=console.error('ran')>", '"the first"', '"',
        "a'b", "{{ 7*7 }} {site} %s", "second OR first", "NEAR(second) -first *", "\\ % _", "schooner' --", "😀",
        "x" * 200,
    ],
)  # fmt: skip
def test_odd_queries_are_only_words(stack: WebStack, browser: Browser, query: str) -> None:
    """The reader fails if a script runs or the policy is broken."""
    with reader(browser, stack.fronts[0].url) as page:
        page.goto("/")
        search(page, query)
        assert page.get_by_role("searchbox").input_value() == query
        assert page.locator("main :is(script, img)").count() == 0
        assert page.title().startswith(f"“{query}” – Search")


@pytest.mark.parametrize(
    "query", ["%00", "second%00", "%FF%FE", "%E2%80%AEsecond", "a" * 4000, "%22" * 300, "+", "%0D%0Ax:%20y"]
)
def test_queries_that_no_box_sends_do_no_harm(stack: WebStack, query: str) -> None:
    answer = stack.get(f"{stack.endpoint('search')}?q={query}")
    assert (answer.status, "x" in answer.headers) == (200, False)
    assert "\x00" not in answer.text
    assert "\u202e" not in answer.text
    assert ("The second post" in answer.text) == ("second" in query)


def test_what_is_published_is_found_at_once_and_what_is_withdrawn_no_longer(stack: WebStack, browser: Browser) -> None:
    with reader(browser, stack.fronts[1].url, allowed=("404",)) as page:
        page.goto("/")
        search(page, "lantern")
        assert titles(page) == []
        entry = save("Lantern", "2026-11-05", "Draft of a lantern.", status="draft")
        search(page, "lantern")
        assert titles(page) == []
        entry_edits.publish(entry, "a test")
        await_page(stack, "lantern")
        search(page, "lantern")
        assert titles(page) == ["Lantern"]
        save("Lantern", "2026-11-05", "Nothing shines here.", entry=entry)
        search(page, "draft lantern")
        assert titles(page) == []
        search(page, "shines")
        assert titles(page) == ["Lantern"]
        entry_edits.unpublish(Entry.get_by_id(entry.id), "a test")
        search(page, "shines")
        assert titles(page) == []


def test_a_flood_of_comments_leaves_room_for_searches(stack: WebStack, browser: Browser) -> None:
    """Forty networks write at once; each reader's search is answered, and each comment saved."""
    before, done = Comment.select().count(), threading.Event()

    def flood(network: int) -> int:
        sent = 0
        while not done.is_set():
            writer = WebStack(stack.folder, stack.config, stack.fronts, stack.daemon, stack.web_socket,
                              source=f"127.0.{network}.1", _ids=ids)  # fmt: skip
            assert writer.comment("third", f"Flood {network} {sent}.").status < 400
            sent += 1
        return sent

    ids = {slug: stack.entry_id(slug) for slug in ("first", "third")}
    with ThreadPoolExecutor(8) as pool, reader(browser, stack.fronts[0].url) as page:
        floods = [pool.submit(flood, network) for network in range(40, 48)]
        try:
            page.goto("/")
            for number in range(SHIPS):
                search(page, f"schooner {number}")
                assert f"Ship {number}" in titles(page)
        finally:
            done.set()
        sent = sum(future.result() for future in floods)
    assert sent > SHIPS
    assert Comment.select().count() == before + sent


def test_a_network_that_searches_too_often_is_told_and_keeps_its_query(stack: WebStack) -> None:
    stack.source = "127.0.99.1"
    try:
        answers = [stack.get(f"{stack.endpoint('search')}?q=schooner", number % 2) for number in range(121)]
    finally:
        stack.source = "127.0.0.1"
    assert [answer.status for answer in answers] == [200] * 120 + [429]
    assert 'value="schooner"' in answers[-1].text
    assert "too many requests" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) > 30
    assert stack.get(f"{stack.endpoint('search')}?q=schooner").status == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_of_a_search_is_accessible_and_fits(
    stack: WebStack, browser: Browser, scheme: str, width: int
) -> None:
    queries = ("", "?q=schooner", "?q=schooner&page=2", "?q=zeppelin", f"?q={quote('x' * 200)}", "?q=second")
    with reader(browser, stack.fronts[0].url, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for address in ("/", stack.address("first"), *(f"{stack.endpoint('search')}{query}" for query in queries)):
            page.goto(address)
            assert grave_violations(page) == [], address
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_a_search_needs_no_mouse(stack: WebStack, browser: Browser) -> None:
    with reader(browser, stack.fronts[0].url) as page:
        page.goto("/")
        while not page.evaluate("document.activeElement.matches('input[type=search]')"):
            page.keyboard.press("Tab")
        page.keyboard.type("third")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Search A Blog")).to_be_visible()
        while page.evaluate("document.activeElement.textContent") != "The third post":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="The third post")).to_be_visible()


def test_browsers_are_told_how_to_search(stack: WebStack, browser: Browser) -> None:
    with reader(browser, stack.fronts[0].url) as page:
        page.goto("/")
        link = page.locator("link[rel=search]")
        described = stack.get(str(link.get_attribute("href")))
    assert described.headers["Content-Type"] == "application/opensearchdescription+xml; charset=utf-8"
    assert f"https://blog.example{stack.endpoint('search')}?q={{searchTerms}}" in described.text
