"""The overview in Chromium, above a real installation: what goes wrong shows by itself, and goes again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from appliance import db
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Site
from appliance.delivery import target_state
from appliance.delivery.targets import front_ends
from appliance.demo.frontend import FrontEnd, write_known_hosts
from appliance.history import last_minute, minutes
from appliance.queue import administration, store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.job_filter import JobFilter
from appliance.queue.store import FailureDetails
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, sign_in, trusting_chromium
from tests.leftovers import none_left

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    folder = tmp_path_factory.mktemp("front")
    made = FrontEnd(folder / "www1", folder / "key", "www1")
    with none_left():
        try:
            made.start(http=False)
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def stack(front: FrontEnd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    folder = tmp_path_factory.mktemp("stack")
    known_hosts = folder / "known hosts"
    write_known_hosts(known_hosts, [front])
    delivery = {"ssh_key": str(front.key), "known_hosts": str(known_hosts), "connect_timeout": 2, "timeout": 6}
    targets = [front.settings().model_dump(exclude_defaults=True)]
    own = folder / "own"
    own.mkdir()
    with admin_stack(own, admin={"second_factor": []}, delivery=delivery, targets=targets) as running:
        add_user("vera", everywhere="viewer")
        add_user("ines", blog="author")
        save("First.")
        running.await_that(lambda: target_state.read_all(front_ends(running.config))[0].level)
        try:
            yield running
        finally:
            front.stop()  # a test has started it anew


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


def save(text: str) -> None:
    """Save an entry, which workers publish."""
    site = Site.get(Site.name == "blog")
    entries.save(site, EntryData(title="Fog", slug=f"fog-{len(text)}", text=text, published_at=1_793_600_000))


def test_what_goes_wrong_shows_by_itself_and_goes_again(browser: Browser, stack: AdminStack, front: FrontEnd) -> None:
    with person(browser, stack) as page:
        sign_in(page, "vera")
        verdict = page.locator("#verdict .sentence")
        expect(verdict).to_have_text("Every page is on the front end")
        page.evaluate("window.isSamePage = true")

        enqueue("publish", [JobRequest("gone.html", scope="blog")], ageing=60.0, delay=600.0)
        with db.write():
            db.execute("UPDATE job SET run_at = created_at WHERE key = 'gone.html'")
            (claim,) = store.claim("x:1", ["publish"], 1, 30.0, keys=["gone.html"])
        store.fail(
            claim, FailureDetails("TemplateFailure", "archive.html, line 41: no readingtime", ""), retry_after=None
        )
        expect(verdict).to_have_text("1 job failed for 1 reason")
        expect(page.locator("#tiles .tile.bad")).to_contain_text("failed 1")
        expect(page.locator("#failures")).to_contain_text("no readingtime")

        front.stop()
        save("Nobody is there to take this.")
        expect(page.locator("#targets")).to_contain_text("failing")
        expect(verdict).to_have_text("The front end lacks pages")
        expect(page.locator(".troubles")).to_contain_text("1 job failed")

        front.start(http=False)
        administration.delete(JobFilter(states=("failed",)))
        expect(verdict).to_have_text("Every page is on the front end", timeout=60_000)
        assert page.evaluate("window.isSamePage")


def test_charts_are_drawn_above_the_tables_that_hold_their_numbers(browser: Browser, stack: AdminStack) -> None:
    stack.await_that(lambda: (last_minute() or 0) and any(m.published for m in minutes(0, db.now())), 150.0)
    with person(browser, stack) as page:
        sign_in(page, "vera")
        page.reload()
        expect(page.locator("[data-chart]")).to_have_count(4)
        numbers = page.locator("#files-hour details")
        expect(numbers.locator("table")).to_be_hidden()
        numbers.locator("summary").click()
        expect(numbers.locator("tbody tr").first).to_be_visible()


def test_without_scripts_it_says_the_same(browser: Browser, stack: AdminStack) -> None:
    with person(browser, stack, script=False) as page:
        sign_in(page, "vera")
        expect(page.locator("#verdict .sentence")).to_have_text("Every page is on the front end")
        expect(page.locator("#targets")).to_contain_text("www1")
        page.get_by_role("link", name="All failures").click()
        expect(page.get_by_role("heading", name="Failures")).to_be_visible()


def test_somebody_with_one_site_sees_that_site_alone(browser: Browser, stack: AdminStack) -> None:
    with person(browser, stack) as page:
        sign_in(page, "ines")
        expect(page.locator("#verdict .sentence")).to_have_text("All is well on your site")
        expect(page.locator("#targets, #processes, #schedule")).to_have_count(0)
        expect(page.get_by_role("heading", name="Your site")).to_be_visible()
