"""A broken template in the browser: the failure is found and understood, mended, retried and seen published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import db, editorial, publishing
from appliance.queue import store
from tests.admin_stack import SITES, AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, sign_in, trusting_chromium
from tests.local_site import ENTRY, LISTING, archive, index, write_theme

pytestmark = pytest.mark.slow

GOOD = "<!DOCTYPE html>\n<title>{{ entry.title }}</title>\n<h1>{{ entry.title }}</h1>\n{{ entry.html }}\n"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    url = request.getfixturevalue("postgres").fresh() if request.param == "postgresql" else ""
    folder = tmp_path_factory.mktemp("job")
    manifest = index("index.html") + archive("entry", "{slug}.html")
    write_theme(folder / "theme", manifest, {"entry.html": ENTRY, "listing.html": LISTING, "redirect.html": ""})
    with admin_stack(folder, url, sites=[{**SITES[0], "theme": "theme"}]) as running:
        add_user("ines", blog="editor")
        yield running


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


def template(stack: AdminStack) -> Path:
    return stack.folder / "theme" / "entry.html"


def break_pages(stack: AdminStack, *titles: str) -> None:
    """Let the worker fail at the pages of new entries, and of no other."""
    broken = f"{{{{ entry.headline if entry.title in {titles} else entry.title }}}}"
    template(stack).write_text(GOOD.replace("<h1>{{ entry.title }}", f"<h1>{broken}"), "utf-8")
    publishing.publish(stack.config)
    for title in titles:
        editorial.add_entry(stack.config, "blog", title, "Fog and gulls.", status="published")
    # A page that changed while it was built is built once more, and then has two failed jobs.
    stack.await_that(lambda: failed() >= len(titles) and not store.count_unfinished())


def failed() -> int:
    found: int = db.execute("SELECT COUNT(*) FROM job WHERE state = 'failed'").fetchone()[0]
    return found


def retries() -> int:
    """How many acts of retrying the audit has."""
    found: int = db.execute("SELECT COUNT(*) FROM audit WHERE action = 'job.retry'").fetchone()[0]
    return found


def published(stack: AdminStack, name: str) -> str:
    file = stack.config.docroot / "blog" / name
    return file.read_text("utf-8") if file.is_file() else ""


def find_failure(page: Page) -> None:
    """Go from the navigation to the newest job of the only group of failures."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Failures").click()
    row = page.locator("tbody tr").filter(has_text="headline")
    expect(row).to_contain_text("entry.html:3")
    row.get_by_role("link", name="headline").first.click()


def test_a_failure_is_found_read_mended_and_retried(browser: Browser, stack: AdminStack) -> None:
    break_pages(stack, "Night trains")
    with person(browser, stack) as page:
        sign_in(page, "ines")
        find_failure(page)
        expect(page.locator("h1")).to_have_text("blog/night-trains.html")
        expect(page.locator(".source .fault")).to_contain_text("<h1>{{ entry.headline if")
        expect(page.locator(".timeline").first).to_contain_text("Night trains")
        page.get_by_role("button", name="Compare", exact=True).click()
        # It comes by itself, once the worker has tried.
        expect(page.locator("#comparison")).to_contain_text("It cannot be built")
        template(stack).write_text(GOOD, "utf-8")
        page.get_by_role("button", name="Compare again").click()
        expect(page.locator("#comparison ins").first).to_contain_text("<!DOCTYPE html>")
        assert published(stack, "night-trains.html") == ""
        page.get_by_role("button", name="Retry", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("1 job waits again")
        page.mouse.move(0, 0)
        expect(page.locator("#job .sentence")).to_contain_text("Done, and the file changed")
        expect(page.locator("#job tbody tr")).to_have_count(2)
        assert "<h1>Night trains</h1>" in published(stack, "night-trains.html")
        page.goto("/failures")
        expect(page.locator(".empty")).to_contain_text("No job is failed")


def test_a_group_is_retried_without_scripts(browser: Browser, stack: AdminStack) -> None:
    break_pages(stack, "Fog", "Gulls", "Tide")
    template(stack).write_text(GOOD, "utf-8")
    with person(browser, stack, script=False) as page:
        sign_in(page, "ines")
        find_failure(page)
        page.get_by_role("button", name="Compare", exact=True).click()
        stack.await_that(lambda: db.execute("SELECT 1 FROM comparison WHERE built_at >= requested_at").fetchone())
        page.reload()
        expect(page.locator("#comparison")).to_contain_text("It would be new")
        page.goto("/failures")
        page.get_by_role("link", name="Retry all").click()
        number = failed()
        expect(page.locator("h1")).to_have_text(f"Retry {number} jobs?")
        page.get_by_role("button", name=f"Retry all {number}").click()
        expect(page.get_by_role("status")).to_contain_text("3 jobs wait again")
        stack.await_that(lambda: all(published(stack, name) for name in ("fog.html", "gulls.html", "tide.html")))
        page.reload()
        expect(page.locator(".empty")).to_be_visible()


def test_two_people_do_nothing_twice(browser: Browser, stack: AdminStack) -> None:
    break_pages(stack, "Harbour")
    before = retries()
    with person(browser, stack, script=False) as one, person(browser, stack, script=False) as two:
        for page in (one, two):
            sign_in(page, "ines")
            find_failure(page)
        template(stack).write_text(GOOD, "utf-8")
        one.get_by_role("button", name="Retry", exact=True).click()
        stack.await_that(lambda: published(stack, "harbour.html"))
        two.get_by_role("button", name="Retry", exact=True).click()
        expect(two.get_by_role("status")).to_contain_text("1 job was left alone")
    assert retries() == before + 1
