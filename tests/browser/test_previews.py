"""Links to previews in Chromium, through the admin process and a web server: what they show and what they cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from appliance import db, editorial, previews
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Comment, Entry, Site
from tests.browser.chromium import PATIENCE
from tests.local_site import moment
from tests.preview_stack import NAME, PreviewStack, preview_stack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stack(
    request: pytest.FixtureRequest,
    browser: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PreviewStack]:
    url = request.getfixturevalue("postgres").fresh() if request.param == "postgresql" else ""
    with preview_stack(tmp_path_factory.mktemp("previews"), url) as running:
        yield running


@contextmanager
def visitor(browser: Browser, asked: list[str] | None = None) -> Iterator[Page]:
    """A visitor who has visited nothing; `asked` collects the addresses that the pages ask."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)

    def note(request: Request) -> None:
        if asked is not None:
            asked.append(request.url)

    context.on("request", note)
    try:
        yield context.new_page()
    finally:
        context.close()


def heading(page: Page, text: str) -> None:
    expect(page.locator("h1")).to_have_text(text)


def new_draft(stack: PreviewStack, title: str) -> Entry:
    data = EntryData(title=title, slug=title.lower(), published_at=moment("2026-11-03"), status="draft", text="Text.")
    return entries.save(Site.get(), data)[0]


def test_a_link_shows_a_draft_with_its_styles_and_pictures(stack: PreviewStack, browser: Browser) -> None:
    before, asked = stack.public(), list[str]()
    with visitor(browser, asked) as page:
        link = stack.share(stack.draft)
        page.goto(link)
        heading(page, "Draft")
        assert page.url.endswith("/draft/")
        assert page.evaluate("document.querySelector('img[alt=\"A cat\"]').naturalWidth") == 40
        assert page.evaluate("getComputedStyle(document.querySelector('.search')).display") != ""
        assert page.evaluate("document.styleSheets.length") > 0
        assert page.evaluate("document.cookie") == ""
        assert page.evaluate("document.referrer") == ""
        secret = link.rpartition("/")[2]
        assert secret not in page.content()
    assert {urlsplit(url).hostname for url in asked} == {NAME}
    assert stack.public() == before


def test_forms_of_a_preview_send_nothing(stack: PreviewStack, browser: Browser) -> None:
    asked: list[str] = []
    with visitor(browser, asked) as page:
        page.goto(stack.share(stack.draft))
        heading(page, "Draft")
        for form in ("form.search", "form[method=post]"):
            with page.expect_console_message(lambda message: "form-action" in message.text):
                page.evaluate("form => document.querySelector(form).submit()", form)
        # Playwright's own ways to look would wait for the page that does not come.
        assert page.evaluate("document.querySelector('h1').textContent") == "Draft"
        refused = page.evaluate("fetch('https://blog.example/').then(() => 'sent', () => 'refused')")
        assert refused == "refused"
        posted = page.evaluate("fetch('/-/blog/comments', {method: 'POST', body: 'text=Hello'}).then(r => r.status)")
        assert posted == 405
    assert not Comment.select().exists()
    assert not [url for url in asked if "/-/" in url and "?" in url]


def test_a_second_link_takes_the_place_of_the_first(stack: PreviewStack, browser: Browser) -> None:
    with visitor(browser) as page:
        page.goto(stack.share(stack.draft))
        address = page.url
        page.goto(stack.share(new_draft(stack, "Second")))
        heading(page, "Second")
        page.goto(address)
        heading(page, "This page is not part of the preview")
        page.get_by_role("link", name="Go back to the entry").click()
        heading(page, "Second")


def test_a_change_shows_at_the_next_look(stack: PreviewStack, browser: Browser) -> None:
    entry = new_draft(stack, "Changing")
    with visitor(browser) as page:
        page.goto(stack.share(entry))
        heading(page, "Changing")
        editorial.edit_entry(stack.config, "blog", entry, title="Changed")
        page.reload()
        heading(page, "Changed")


def test_a_revoked_link_is_dead_at_once(stack: PreviewStack, browser: Browser) -> None:
    with visitor(browser) as page:
        link = stack.share(new_draft(stack, "Revoked"))
        page.goto(link)
        heading(page, "Revoked")
        newest = previews.list_links(stack.config, "blog").rows[0]
        previews.revoke(stack.config, "blog", newest.id)
        page.reload()
        heading(page, "There is no preview here")
        page.goto(link)
        heading(page, "There is no preview here")


def test_an_expired_link_and_one_of_a_deleted_entry_are_dead(stack: PreviewStack, browser: Browser) -> None:
    entry = new_draft(stack, "Short")
    with visitor(browser) as page:
        page.goto(stack.share(entry))
        heading(page, "Short")
        db.execute("UPDATE preview_link SET expires_at = 1 WHERE entry_id = ?", [entry.id])
        page.reload()
        heading(page, "There is no preview here")
        page.goto(stack.share(entry))
        heading(page, "Short")
        editorial.delete_entries(stack.config, "blog", entry)
        page.reload()
        heading(page, "There is no preview here")


def test_links_of_the_page_lead_nowhere_harmful(stack: PreviewStack, browser: Browser) -> None:
    asked: list[str] = []
    with visitor(browser, asked) as page:
        page.goto(stack.share(stack.draft))
        heading(page, "Draft")
        links = page.eval_on_selector_all("a[href^='/']", "all => all.map(one => one.getAttribute('href'))")
        assert len(links) > 3
        for link in dict.fromkeys(links):
            answer = page.goto(urljoin(page.url, link))
            assert answer is not None
            assert answer.status in (200, 404), link
    assert {urlsplit(url).hostname for url in asked} == {NAME}


def test_crawlers_are_told_to_go_away(stack: PreviewStack) -> None:
    robots = stack.ask("GET", "/robots.txt")
    assert (robots.status, robots.text) == (200, "User-agent: *\nDisallow: /\n")
    link = stack.share(stack.draft)
    for path in ("/", urlsplit(link).path):
        assert stack.ask("GET", path).headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"


def test_other_names_show_no_preview(stack: PreviewStack) -> None:
    path = urlsplit(stack.share(stack.draft)).path
    for name, status in ((f"admin.localhost:{stack.port}", 404), ("elsewhere.localhost", 421)):
        answer = stack.ask("GET", path, Host=name)
        assert answer.status in (status, 303)
        assert "/sign-in" in answer.location or answer.status == status
        assert "Set-Cookie" not in answer.headers


def test_nothing_of_previews_is_published(stack: PreviewStack) -> None:
    """Neither in the docroot, nor in the journal, nor on the target; and no file beside the settings."""
    stack.share(stack.draft)
    stack.await_that(lambda: previews.list_links(stack.config, "blog", stack.draft).rows[0].build == "ready")
    assert not [path for path in stack.public() if "draft" in path]
    assert not db.execute("SELECT 1 FROM publication WHERE path LIKE '%draft%'").fetchall()
    assert not list(stack.folder.glob("preview*"))
