"""Processes, schedule and settings in Chromium, on a real daemon: recycled while it publishes, and nothing is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import db, plan_job, publishing, settings_report
from appliance.building.verification import verify
from appliance.content.models import Entry
from appliance.importing.markdown.importer import import_folder
from appliance.planning.permalinks import find_path
from appliance.queue import processes, store
from tests.admin_stack import SITES, AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, set_up_app, sign_in, trusting_chromium
from tests.browser.test_admin_accessibility import check

pytestmark = pytest.mark.slow

#: Posts of one publication, and seconds that a worker pauses after each, so that it takes a while.
POSTS = 300
PAUSE = 0.03


def write_posts(folder: Path, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        text = f"---\ntitle: Post {number}\ndate: 2024-05-{number % 28 + 1:02}\n---\nText of {number}.\n"
        (folder / f"post-{number}.md").write_text(text, "utf-8")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    folder = tmp_path_factory.mktemp("stack")
    write_posts(folder / "notes", range(1000, 1003))
    (folder / "notes" / "broken.md").write_text("---\ntitle: [\n---\n", "utf-8")
    fed = [SITES[0], {**SITES[1], "sources": [{"name": "notes", "folder": str(folder / "notes")}]}]
    queue = {"workers": 2, "batch": 5, "pause": PAUSE}
    with admin_stack(folder, sites=fed, queue=queue) as running:
        add_user("ada", everywhere="admin")
        yield running


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


@pytest.fixture(scope="module")
def phone() -> list[str]:
    """The recovery codes of the administrator, once there are any."""
    return []


def enter(page: Page, phone: list[str]) -> None:
    """Sign in as the administrator."""
    sign_in(page, "ada")
    if not phone:
        phone += set_up_app(page)[1]
        return
    page.goto("/sign-in/recovery-code")
    page.get_by_label("Recovery code").fill(phone.pop())
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def pids(role: str) -> set[int]:
    return {row.pid for row in processes.list_processes() if row.role == role}


@pytest.mark.conformance("D4")
def test_workers_are_recycled_while_they_publish_and_nothing_is_lost(
    browser: Browser, stack: AdminStack, phone: list[str], tmp_path: Path
) -> None:
    with person(browser, stack) as page:
        enter(page, phone)
        page.goto("/processes")
        expect(page.locator("#verdict .sentence")).to_contain_text("all running")
        write_posts(tmp_path / "posts", range(POSTS))
        with plan_job.hold_back_import("blog"):  # planned as a whole, so that no page is built twice
            import_folder(stack.config, "blog", tmp_path / "posts", source="posts")
        publishing.publish(stack.config, ["blog"])
        before = store.count_unfinished()
        stack.await_that(lambda: store.count_unfinished() < before)

        old, other = sorted(pids("worker"))
        page.get_by_role("button", name=f"Recycle worker publisher:{old}").click()
        expect(page.locator("#followed .sentence")).to_have_text("The process is replaced.")
        (new,) = pids("worker") - {other}
        assert new != old
        expect(page.locator("#followed")).to_contain_text(f"publisher:{new}")
        expect(page.locator(f"tr[id^='process-{old}-']")).to_have_count(0)

        assert store.count_unfinished() > 0, "it still publishes"
        everybody = {row.pid for row in processes.list_processes() if row.role != "supervisor"}
        page.get_by_role("link", name="Recycle all").click()
        check(page)
        number = len(everybody)
        page.get_by_role("button", name=f"Recycle {number} processes").click()
        expect(page.locator("#followed .sentence")).to_have_text(f"All {number} processes are replaced.")
        now = {row.pid for row in processes.list_processes() if row.role != "supervisor"}
        assert now.isdisjoint(everybody)
        check(page)

    stack.await_that(lambda: store.count_unfinished() == 0, 120)
    assert store.recent_failures() == []
    assert verify(stack.config, contents=True).differing == 0
    puts = Counter(path for (path,) in db.execute("SELECT path FROM publication WHERE op = 'put'").fetchall())
    posts = list(Entry.select().where(Entry.source == "posts"))
    assert len(posts) == POSTS
    for post in posts:
        path = find_path("entry", post.id)
        assert path is not None
        assert post.title in (stack.config.docroot / path).read_text("utf-8")
        assert puts[path] == 1, "done once, and not lost and repeated"
    jobs = db.execute("SELECT state, COUNT(*) FROM job WHERE kind = 'publish' GROUP BY state").fetchall()
    assert dict(jobs).keys() == {"done"}


def test_a_paused_worker_takes_nothing_and_goes_on(browser: Browser, stack: AdminStack, phone: list[str]) -> None:
    with person(browser, stack) as page:
        enter(page, phone)
        page.goto("/processes")
        (pid, *_) = sorted(pids("worker"))
        row = page.locator(f"tr[id^='process-{pid}-']")
        row.get_by_role("button", name="Pause").click()
        expect(row.locator(".state")).to_have_text("paused")
        stack.await_that(lambda: next(row for row in processes.list_processes() if row.pid == pid).doing == "paused")
        page.mouse.move(0, 0)
        expect(row.locator(".doing")).to_have_text("paused")
        row.get_by_role("button", name="Resume").click()
        expect(row.locator(".state")).to_have_text("running")
        expect(row.locator(".doing")).to_have_text("waiting for work")


def test_without_scripts_one_looks_again(browser: Browser, stack: AdminStack, phone: list[str]) -> None:
    with person(browser, stack, script=False) as page:
        enter(page, phone)
        page.goto("/processes")
        (old,) = pids("schedule")
        page.get_by_role("button", name=f"Recycle schedule publisher:{old}").click()
        while (look := page.get_by_role("link", name="Look again")).count():
            look.click()
        expect(page.locator("#followed .sentence")).to_have_text("The process is replaced.")
        (new,) = pids("schedule")
        expect(page.locator(f"tr[id^='process-{new}-'] th")).to_contain_text("fresh")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without"])
def test_a_source_is_pulled_now_and_its_report_read(
    browser: Browser, stack: AdminStack, phone: list[str], *, script: bool
) -> None:
    number = 2000 + script
    write_posts(stack.folder / "notes", range(number, number + 1))
    with person(browser, stack, script=script) as page:
        enter(page, phone)
        page.goto("/schedule")
        page.get_by_role("button", name="Pull now notes of news").click()
        expect(page.get_by_role("status")).to_have_text("Asked for. A worker pulls the source now.")
        if script:
            page.mouse.move(0, 0)
        else:
            while (look := page.get_by_role("link", name="Look again")).count():
                look.click()
        first = page.locator(".timeline li").first
        expect(first).to_contain_text("changed")
        report = first.locator("pre")
        expect(report).to_contain_text(re.compile(r"texts: \d added"))
        expect(report).to_contain_text("broken.md")
        if script:
            check(page)
            page.goto("/schedule")
            check(page)


def test_a_task_is_run_now(browser: Browser, stack: AdminStack, phone: list[str]) -> None:
    with person(browser, stack) as page:
        enter(page, phone)
        (before,) = db.execute("SELECT done_at FROM periodic WHERE name = 'audit'").fetchone()
        page.goto("/schedule")
        page.get_by_role("button", name="Run now audit").click()
        stack.await_that(lambda: db.execute("SELECT done_at FROM periodic WHERE name = 'audit'").fetchone()[0] > before)
        page.mouse.move(0, 0)
        expect(page.get_by_role("row", name=re.compile("^audit"))).to_contain_text("done")


def test_faults_in_the_file_are_said(browser: Browser, stack: AdminStack, phone: list[str]) -> None:
    text = stack.config.path.read_text("utf-8")
    with person(browser, stack) as page:
        enter(page, phone)
        page.goto("/settings")
        expect(page.locator("#verdict .sentence")).to_have_text("Nothing is wrong in the settings.")
        check(page)
        try:
            stack.config.path.write_text(text.replace("workers = 2", "wrkers = 2"), "utf-8")
            stack.await_that(lambda: any(host.faults for host in settings_report.read()), 60)
            page.reload()
            expect(page.locator("#verdict .sentence")).to_have_text("1 fault in the settings of publisher.")
            expect(page.locator("#verdict li")).to_have_text("queue.wrkers: unknown key; did you mean workers?")
            check(page)
        finally:
            stack.config.path.write_text(text, "utf-8")
