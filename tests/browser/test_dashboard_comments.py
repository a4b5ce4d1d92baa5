"""Moderating comments in Chromium on a running installation: by keyboard alone, without scripts, and two at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import db, publishing
from appliance.content import comments
from appliance.content.comment_models import CommentOrigin
from appliance.content.entries import EntryData, save
from appliance.content.models import Comment, Entry, Site
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, sign_in, trusting_chromium

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    with admin_stack(tmp_path_factory.mktemp("stack")) as running:
        for name in ("mona", "otto"):
            add_user(name, blog="moderator", news="moderator")
        yield running


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


@pytest.fixture
def entry(stack: AdminStack) -> Entry:
    """A published entry, with no comment anywhere."""
    Comment.delete().execute()
    found: Entry | None = Entry.get_or_none(Entry.slug == "tides")
    if found is None:
        found = save(Site.get(Site.name == "blog"), EntryData(title="Tides", slug="tides", published_at=1))[0]
    publishing.publish(stack.config)
    stack.await_that(lambda: page_of(stack).exists())
    return found


def page_of(stack: AdminStack) -> Path:
    """The page of the entry on the docroot."""
    return next(iter(Path(stack.config.docroot).glob("blog/**/tides/index.html")), Path("/nowhere"))


def published(stack: AdminStack) -> set[str]:
    """The readers whose comments are on the page."""
    text = page_of(stack).read_text("utf-8")
    return {f"Reader {number}" for number in range(20) if f"Comment number {number}." in text}


def held(entry: Entry, count: int) -> list[Comment]:
    """Comments that wait, the newest last."""
    made = []
    with db.write():
        for number in range(count):
            one = comments.add(
                entry, f"Reader {number}", f"Comment number {number}.\n{'More of it. ' * 40}", status="pending",
                email=f"r{number}@r.example", created_at=1_700_000_000 + number,
            )  # fmt: skip
            CommentOrigin.create(
                comment=one, address=f"192.0.2.{number}", network="192.0.2.0/24", reason="3 links", created_at=1
            )
            made.append(one)
    return made


def statuses(made: list[Comment]) -> list[str]:
    found = {row.id: row.status for row in Comment.select()}
    return [found.get(one.id, "deleted") for one in made]


def opened(page: Page, name: str) -> None:
    sign_in(page, name, path="/sign-in?next=/comments")
    expect(page.get_by_role("heading", name="Comments", exact=True)).to_be_visible()
    page.wait_for_load_state()  # the keys work once the scripts have run


def test_ten_comments_by_keyboard_alone(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    made = list(reversed(held(entry, 10)))  # as the list has them
    with person(browser, stack) as page:
        opened(page, "mona")
        rows = page.locator(".comments > li")
        expect(rows).to_have_count(10)
        page.keyboard.press("j")
        expect(rows.nth(0)).to_be_focused()
        for number, key in enumerate("aasdaahssd"):
            before = rows.nth(min(number + 1, 9)).bounding_box()
            page.keyboard.press(key)
            if key == "h":  # it is held already, and nothing says otherwise
                page.keyboard.press("j")
            else:
                expect(rows.nth(number)).to_have_attribute("data-done", "")
            if number < 9:
                expect(rows.nth(number + 1)).to_be_focused()
            after = rows.nth(min(number + 1, 9)).bounding_box()
            assert before is not None
            assert after is not None
            expect(rows.nth(min(number + 1, 9))).to_be_in_viewport()
        decided = [
            "approved",
            "approved",
            "spam",
            "deleted",
            "approved",
            "approved",
            "pending",
            "spam",
            "spam",
            "deleted",
        ]
        assert statuses(made) == decided
        names = {one.author_name for one, status in zip(made, decided, strict=True) if status == "approved"}
        stack.await_that(lambda: published(stack) == names)
        page.keyboard.press("u")  # where one is: the last one
        expect(rows.nth(9)).not_to_have_attribute("data-done", "")
        assert statuses(made)[9] == "pending"
        for _ in range(9):
            page.keyboard.press("k")
        expect(rows.nth(0)).to_be_focused()
        page.keyboard.press("u")
        expect(rows.nth(0)).not_to_have_attribute("data-done", "")
        expect(rows.nth(0)).to_be_focused()
        assert statuses(made)[0] == "pending"
        stack.await_that(lambda: published(stack) == names - {made[0].author_name})


def test_the_last_decision_is_undone_from_the_next_row(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    made = list(reversed(held(entry, 3)))
    with person(browser, stack) as page:
        opened(page, "mona")
        rows = page.locator(".comments > li")
        page.keyboard.press("j")
        page.keyboard.press("d")
        expect(rows.nth(1)).to_be_focused()
        expect(page.get_by_role("status").filter(has_text="1 comment deleted.")).to_be_visible()
        assert statuses(made) == ["deleted", "pending", "pending"]
        page.keyboard.press("u")
        expect(rows.nth(0)).to_be_focused()
        expect(page.get_by_role("status").filter(has_text="Undone.")).to_be_visible()
        assert statuses(made) == ["pending"] * 3


def test_the_list_stays_where_it_is(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    held(entry, 10)
    with person(browser, stack, viewport={"width": 390, "height": 700}) as page:
        opened(page, "mona")
        rows = page.locator(".comments > li")
        rows.nth(4).get_by_role("button", name="Approve").scroll_into_view_if_needed()
        before = rows.nth(5).bounding_box()
        rows.nth(4).get_by_role("button", name="Approve").click()
        expect(rows.nth(5)).to_be_focused()
        after = rows.nth(5).bounding_box()
        assert before is not None
        assert after is not None
        assert after["y"] <= before["y"] + 1, "it may scroll into view, but never away from the thumb"
        height = rows.nth(5).get_by_role("button", name="Approve").bounding_box()
        assert height is not None
        assert height["height"] >= 44


def test_a_selection_and_the_keys(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    made = list(reversed(held(entry, 4)))
    with person(browser, stack) as page:
        opened(page, "mona")
        for key in "jxjx":
            page.keyboard.press(key)
        expect(page.get_by_text("2 selected")).to_be_visible()
        with page.expect_navigation():
            page.keyboard.press("Shift+S")
        expect(page.get_by_text("2 comments marked as spam.")).to_be_visible()
        assert statuses(made) == ["spam", "spam", "pending", "pending"]
        with page.expect_navigation():
            page.keyboard.press("u")
        expect(page.get_by_text("Undone.")).to_be_visible()
        assert statuses(made) == ["pending"] * 4
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("approve the comment")
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        expect(page.get_by_label("Text")).to_be_focused()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        with page.expect_navigation():
            page.keyboard.press("c")
        page.keyboard.press("j")
        with page.expect_navigation(url="**/edit?**"):
            page.keyboard.press("e")
        page.get_by_label("Text").fill("Mended.")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(f"#c-{made[0].id}")).to_be_focused()
        expect(page.locator(f"#c-{made[0].id}")).to_contain_text("Mended.")


def test_the_thread_opens_below_its_comment(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    top = comments.add(entry, "Bo", "The harbour froze.")
    comments.add(entry, "Ida", "So it did.", parent=top, status="pending")
    with person(browser, stack) as page:
        opened(page, "mona")
        page.keyboard.press("j")
        page.keyboard.press("t")
        thread = page.get_by_role("list", name="The thread")
        expect(thread.get_by_role("listitem")).to_have_count(2)
        assert page.url.endswith("/comments")


def test_two_moderators_at_once(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    made = list(reversed(held(entry, 2)))
    with person(browser, stack) as page, person(browser, stack) as other:
        opened(page, "mona")
        opened(other, "otto")
        other.keyboard.press("j")
        other.keyboard.press("s")
        expect(other.locator(".comments > li").first).to_have_attribute("data-done", "")
        page.keyboard.press("j")
        page.keyboard.press("a")
        row = page.locator(".comments > li").first
        expect(row).to_contain_text("Otto marked as spam this comment just now, so nothing was done.", ignore_case=True)
        expect(row).to_contain_text("spam")
        assert statuses(made) == ["spam", "pending"]
        page.keyboard.press("a")  # now on what is there
        expect(row).to_have_attribute("data-done", "")
        assert statuses(made) == ["approved", "pending"]
        other.keyboard.press("k")
        other.keyboard.press("u")
        expect(other.locator(".comments > li").first).to_contain_text("mona approved", ignore_case=True)
        assert statuses(made) == ["approved", "pending"]


def test_without_scripts(browser: Browser, stack: AdminStack, entry: Entry) -> None:
    made = list(reversed(held(entry, 3)))
    with person(browser, stack, script=False) as page:
        opened(page, "mona")
        page.get_by_role("button", name="Approve the comment by Reader 2").click()
        expect(page.get_by_text("1 comment approved.")).to_be_visible()
        assert page.url.endswith(f"#c-{made[1].id}")
        expect(page.locator(".comments > li")).to_have_count(2)
        stack.await_that(lambda: published(stack) == {"Reader 2"})
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Undone.")).to_be_visible()
        stack.await_that(lambda: published(stack) == set())
        page.get_by_label("Select the comment by Reader 0").check()
        page.get_by_label("Select the comment by Reader 1").check()
        page.get_by_label("Decide about the selected comments").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("2 comments deleted.")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        assert statuses(made) == ["pending"] * 3
        page.get_by_text("All that match").click()
        page.get_by_role("link", name="Approve all").click()
        page.get_by_role("button", name="Approve 3 comments").click()
        expect(page.get_by_text("3 comments approved.")).to_be_visible()
        stack.await_that(lambda: len(published(stack)) == 3)
