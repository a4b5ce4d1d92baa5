"""Targets in Chromium, with real front ends: their lag, what is wrong with one, and where a page is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import publishing
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from appliance.delivery import lag_history, target_state
from appliance.delivery.targets import front_ends
from appliance.demo.frontend import FrontEnd, write_known_hosts
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, sign_in, trusting_chromium
from tests.leftovers import none_left

pytestmark = pytest.mark.slow

PATH = "blog/2026/11/fog/index.html"


@dataclass
class Cluster:
    """An admin application whose host sends to two front ends with an sshd each."""

    stack: AdminStack
    fronts: list[FrontEnd]
    entry: Entry

    def publish(self, text: str) -> None:
        """Save the entry with this text, and have it published."""
        data = EntryData(title="Fog", slug="fog", text=text, published_at=1_793_600_000)
        entries.save(Site.get(Site.name == "blog"), data, entry=self.entry)
        publishing.publish(self.stack.config, ["blog"])

    def await_text(self, number: int, text: str) -> None:
        """Wait until a front end has the page with this text."""
        file = self.fronts[number].docroot / PATH
        self.stack.await_that(lambda: file.is_file() and text in file.read_text())

    def await_level(self, *names: str) -> None:
        """Wait until these targets have confirmed everything."""
        targets = [one for one in front_ends(self.stack.config) if one.name in names]
        self.stack.await_that(lambda: all(state.level for state in target_state.read_all(targets)))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("targets")
    key, known_hosts = folder / "key", folder / "known hosts"
    fronts = [FrontEnd(folder / name, key, name) for name in ("www1", "www2")]
    with none_left():
        try:
            for front in fronts:
                front.start(http=False)
            write_known_hosts(known_hosts, fronts)
            delivery = {"ssh_key": str(key), "known_hosts": str(known_hosts), "connect_timeout": 2, "timeout": 6}
            targets = [front.settings().model_dump(exclude_defaults=True) for front in fronts]
            with admin_stack(
                stack_folder(folder), admin={"second_factor": []}, delivery=delivery, targets=targets
            ) as stack:
                add_user("ada", everywhere="admin")
                data = EntryData(title="Fog", slug="fog", text="First.", published_at=1_793_600_000)
                entry = entries.save(Site.get(Site.name == "blog"), data)[0]
                made = Cluster(stack, fronts, entry)
                publishing.publish(stack.config, ["blog"])
                made.await_level("www1", "www2")
                yield made
                fronts[1].stop()  # a test started it anew
        finally:
            for front in fronts:
                front.stop()


def stack_folder(folder: Path) -> Path:
    made = folder / "stack"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def browser(cluster: Cluster) -> Iterator[Browser]:
    with trusting_chromium(cluster.stack) as running:
        yield running


def row(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.get_by_role("row", name=re.compile(rf"^{name}\b"))


def sentence(page: Page):  # type: ignore[no-untyped-def]
    return page.locator(".sentence")


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without"])
def test_a_paused_front_end_lags_and_catches_up(cluster: Cluster, browser: Browser, script: bool) -> None:
    text = f"Paused {script}."
    with person(browser, cluster.stack, script=script) as page:
        sign_in(page, "ada", path="/sign-in?next=/targets")
        page.goto("/targets")
        expect(sentence(page)).to_have_text("All 2 targets show everything that is published.")
        row(page, "www1").get_by_role("button", name="Pause www1").click()
        expect(page.get_by_role("status")).to_contain_text("nothing is sent to it until somebody resumes it")
        expect(sentence(page)).to_have_text("1 of 2 targets is paused: www1.")
        cluster.publish(text)
        cluster.await_text(1, text)
        cluster.await_level("www2")
        page.goto("/targets/www1")
        expect(sentence(page)).to_contain_text("Paused: it lacks")
        lacking = page.locator("#target-waiting")
        expect(lacking.get_by_role("link", name=PATH)).to_be_visible()
        before = lag(page)
        cluster.stack.await_that(lambda: reloaded(page, script) and lag(page) > before)
        lacking.get_by_role("link", name=PATH).click()
        expect(sentence(page)).to_contain_text("1 of 3 docroots does not have the latest version: www1.")
        expect(row(page, "www1")).to_contain_text("Paused: nothing is sent there.")
        expect(row(page, "www2")).to_contain_text("the latest version")
        page.goto("/targets/www1")
        page.get_by_role("button", name="Resume").click()
        cluster.await_text(0, text)
        cluster.await_level("www1")
        page.goto("/targets/www1")
        expect(sentence(page)).to_have_text("It shows everything that is published.")


def lag(page: Page) -> float:
    """The lag that the page shows, in seconds."""
    shown = page.locator(".tile", has_text="age of the oldest change it lacks").locator("b").inner_text()
    found = re.fullmatch(r"([\d.]+) (ms|s|min)", shown)
    return float(found[1]) * {"ms": 0.001, "s": 1, "min": 60}[found[2]] if found else 0.0


def reloaded(page: Page, script: bool) -> bool:
    """Load the page again where no script does that."""
    if not script:
        page.reload()
    else:
        page.wait_for_timeout(50)  # lets the script of the page run; the condition is what is awaited
    return True


def test_a_dead_front_end_says_what_to_do_and_comes_back(cluster: Cluster, browser: Browser) -> None:
    with person(browser, cluster.stack) as page:
        sign_in(page, "ada", path="/sign-in?next=/targets")
        page.goto("/targets")
        cluster.fronts[1].stop()
        cluster.publish("While www2 is away.")
        cluster.await_text(0, "While www2 is away.")
        expect(sentence(page)).to_have_text("1 of 2 targets fails: www2.")
        expect(row(page, "www2")).to_contain_text("Nothing listens there; start sshd on the front end")
        page.goto("/targets/www2")
        expect(page.locator("#target-now")).to_contain_text("pushes failed in a row, so it is tried only now and then")
        page.get_by_role("button", name="Check the setup").click()
        expect(page.locator("#target-now")).to_contain_text("Check failed")
        page.goto(f"/pages?path={PATH}")
        page.get_by_role("button", name="Look there now").click()
        expect(row(page, "www1")).to_contain_text("the same, byte for byte")
        expect(row(page, "www2")).to_contain_text("could not be seen")
        expect(row(page, "www2").get_by_role("cell").last).to_contain_text("Nothing listens there; start sshd")
        cluster.fronts[1].start_sshd()
        cluster.await_text(1, "While www2 is away.")
        cluster.await_level("www2")
        page.goto("/targets")
        expect(sentence(page)).to_have_text("All 2 targets show everything that is published.")


def test_a_page_that_somebody_changed_there_is_found_and_put_right(cluster: Cluster, browser: Browser) -> None:
    file = cluster.fronts[0].docroot / PATH
    with person(browser, cluster.stack) as page:
        sign_in(page, "ada", path="/sign-in?next=/targets")
        page.goto("/targets")
        page.get_by_label("Path or address of the page").fill("https://blog.example/2026/11/fog/")
        page.get_by_role("button", name="Look up").click()
        expect(sentence(page)).to_have_text("Every docroot has the latest version.")
        right = file.read_bytes()
        file.write_bytes(right.replace(b"Fog", b"Hog"))
        page.get_by_role("button", name="Look there now").click()
        expect(sentence(page)).to_have_text("What was confirmed is not what is there: www1.")
        expect(row(page, "www1")).to_contain_text("something else")
        page.get_by_role("link", name="Verify or resync www1").click()
        page.get_by_role("button", name="Verify all files").click()
        expect(page.locator("#target-now")).to_contain_text("something differs, or is there that nobody published")
        page.get_by_role("button", name="Resync …").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Send everything to www1 again?")
        page.get_by_role("button", name="Send everything again").click()
        cluster.stack.await_that(lambda: file.read_bytes() == right)
        expect(sentence(page)).to_have_text("It shows everything that is published.")
        expect(page.locator("main")).to_contain_text("had everything sent again")


def test_the_line_of_the_lag_is_drawn_from_its_table(cluster: Cluster, browser: Browser) -> None:
    for _ in range(3):
        lag_history.sample(cluster.stack.config)
    with person(browser, cluster.stack) as page:
        sign_in(page, "ada", path="/sign-in?next=/targets")
        page.goto("/targets/www1")
        expect(page.locator("#lag-plot canvas")).to_be_visible()
        page.get_by_text("The numbers").click()
        expect(page.locator("#lag tbody tr").first).to_be_visible()
        page.get_by_role("link", name="Last day").click()
        expect(page.locator("#lag figcaption")).to_contain_text("the highest of every 15 minutes")
