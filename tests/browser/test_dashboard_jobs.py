"""The list of jobs in Chromium, with real workers and failures of a theme: found, retried, deleted and brought back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import db
from appliance.queue import administration, processes, store
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, sign_in, trusting_chromium

pytestmark = pytest.mark.slow

SHOUT = "no filter named “shout”"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    with admin_stack(tmp_path_factory.mktemp("stack"), admin={"second_factor": []}) as running:
        for name in ("ada", "bob"):
            add_user(name, everywhere="admin")
        yield running


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_runs(stack: AdminStack) -> None:
    """Each test begins with an empty queue, and workers that are paused."""
    for process in workers():
        processes.request(process, "pause")
    stack.await_that(lambda: all(one.doing == "paused" for one in processes.list_processes() if one.name in workers()))
    db.execute("DELETE FROM job")


def workers() -> list[str]:
    return [one.name for one in processes.list_processes() if one.role in ("worker", "errands")]


def go_on() -> None:
    for process in workers():
        processes.request(process, "resume")


def ask_for(*keys: str, priority: int = 5) -> None:
    requests = [JobRequest(key, priority, "blog", template="entry.html") for key in keys]
    enqueue("publish", requests, ageing=60.0, causes=[Cause("entry edited", "ines")])


def fail(*keys: str, message: str = SHOUT) -> None:
    for claim in store.claim("pub1:7", ["publish"], 100, 600.0, keys=keys):
        store.fail(claim, FailureDetails("TemplateFailure", message, ""), retry_after=None)


def states() -> dict[str, str]:
    return {row.key: row.state for row in administration.find(JobFilter(kinds=["publish"]), "id", 1000)}


def enter(page: Page, name: str = "ada") -> None:
    sign_in(page, name)
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


def rows(page: Page) -> list[str]:
    return page.locator("tbody .what .path").all_inner_texts()


def tick(page: Page, *keys: str) -> None:
    for key in keys:
        page.get_by_role("checkbox", name=re.compile(f", {key}$")).check()


def search(page: Page, line: str) -> None:
    page.get_by_label("Search", exact=True).fill(line)
    page.get_by_label("Search", exact=True).press("Enter")
    expect(page.get_by_label("Search", exact=True)).to_have_value(line)


def test_a_failed_job_is_found_by_its_error_and_retried(browser: Browser, stack: AdminStack) -> None:
    ask_for("blog/a.html", "blog/b.html", "blog/waits.html")
    fail("blog/a.html")
    fail("blog/b.html", message="disk full")
    with person(browser, stack) as page:
        enter(page)
        line = page.get_by_label("Search", exact=True)
        line.press_sequentially('state:failed error:"named “shout')
        expect(page.locator("#search-help")).to_contain_text("The quotation mark")
        line.press_sequentially('"')
        expect(page.locator("#search-help")).to_contain_text("the state is failed; the error contains “named “shout”")
        line.press("Enter")
        expect(page.locator("tbody .what")).to_have_text(["blog/a.html"])
        expect(page.locator("tbody .error")).to_contain_text(SHOUT)
        page.keyboard.press("j")
        page.keyboard.press("r")
        expect(page.locator("#told")).to_contain_text("1 job waits again.")
        assert states() == {"blog/a.html": "pending", "blog/b.html": "failed", "blog/waits.html": "pending"}
        go_on()
        stack.await_that(lambda: states()["blog/a.html"] == "done")


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_selection_is_deleted_and_brought_back(browser: Browser, stack: AdminStack, script: bool) -> None:
    ask_for("a", "b", "c")
    with person(browser, stack, script=script) as page:
        enter(page)
        search(page, "state:pending")
        tick(page, "a", "c")
        if script:
            expect(page.locator("[data-selected]")).to_have_text("2 selected:")
        page.locator(".bulk").get_by_role("button", name="Delete").click()
        expect(page.locator("#told")).to_contain_text("2 jobs are deleted.")
        assert rows(page) == ["b"]
        ask_for("a", priority=9)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("The deletion is undone.")
        assert sorted(rows(page)) == ["a", "b", "c"]
        assert sorted(row.state for row in administration.find(JobFilter())) == ["pending"] * 3 + ["superseded"]


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_the_priority_of_all_that_match(browser: Browser, stack: AdminStack, script: bool) -> None:
    ask_for(*(f"p/{n}" for n in range(60)), "other")
    with person(browser, stack, script=script) as page:
        enter(page)
        search(page, "path:p/ state:pending")
        page.get_by_role("link", name="Priority… all jobs that match").click()
        expect(page.get_by_role("heading")).to_have_text("Change the priority of 60 jobs?")
        ask_for("p/new")
        page.get_by_label("New priority").fill("8")
        page.get_by_role("button", name="Change the priority").click()
        expect(page.locator("#told")).to_contain_text("60 jobs have priority 8 now.")
        changed = [row.key for row in administration.find(JobFilter(priority=8), limit=100)]
        assert sorted(changed) == sorted(f"p/{n}" for n in range(60))


def test_two_people_at_once_do_nothing_twice_and_are_told(browser: Browser, stack: AdminStack) -> None:
    ask_for("a", "b", "c")
    fail("a", "b", "c")
    with person(browser, stack) as hers, person(browser, stack) as his:
        enter(hers)
        enter(his, "bob")
        for page in (hers, his):
            search(page, "state:failed")
        tick(his, "a", "b")
        his.locator(".bulk").get_by_role("button", name="Retry").click()
        expect(his.locator("#told")).to_contain_text("2 jobs wait again.")
        hers.get_by_label("Select all on this page").check()
        hers.locator(".bulk").get_by_role("button", name="Delete").click()
        expect(hers.locator("#told")).to_contain_text("1 job is deleted. 2 jobs were left alone:")
        expect(hers.locator("#told li").first).to_contain_text(re.compile(r"^a was retried by bob"))
        assert states() == {"a": "pending", "b": "pending", "c": "cancelled"}
        tick(his, "c")
        his.locator(".bulk").get_by_role("button", name="Retry").click()
        expect(his.locator("#told")).to_contain_text("1 job was left alone:")
        expect(his.locator("#told li")).to_contain_text(re.compile(r"^c was deleted by ada"))
        acts = db.execute("SELECT action FROM audit WHERE subject = 'job' ORDER BY id DESC LIMIT 2").fetchall()
        assert acts == [("job.delete",), ("job.retry",)]
