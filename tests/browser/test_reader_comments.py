"""Readers comment in Chromium, with JavaScript and without, through the nginx of two front ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Comment, Site
from tests.browser.chromium import grave_violations, reader
from tests.local_site import moment
from tests.web_stack import WebStack, web_stack

pytestmark = pytest.mark.slow

#: A second site, where somebody looks at every comment before it is published.
CAREFUL = {"name": "careful", "title": "Careful", "url": "https://blog.example/careful/", "folder": "careful",
           "comments": {"moderation": "all"}}  # fmt: skip
CAREFUL_PAGE = "/careful/2026/11/opinion/"
SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with web_stack(tmp_path_factory.mktemp("stack"), sites=({}, CAREFUL), queue={"workers": 1}) as running:
        site = Site.get(Site.name == "careful")
        data = EntryData(title="Opinion", slug="opinion", text="Text.", published_at=moment("2026-11-02"))
        entries.save(site, data)
        appliance(running, "publish")
        for number in (0, 1):
            running.await_that(partial(_is_there, running, number))
        yield running


def _is_there(stack: WebStack, front: int) -> bool:
    return stack.get(CAREFUL_PAGE, front).status == 200


def appliance(stack: WebStack, *arguments: str) -> str:
    command = [sys.executable, "-c", "from appliance.tasks import main; main()", *arguments]
    ran = subprocess.run(command, cwd=stack.folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"form[method=post] [name={name}]").fill(value)


def send(page: Page, action: str = "post") -> None:
    page.locator(f"button[name=action][value={action}]").click()


def comment(page: Page, script: bool, **fields: str) -> None:
    """Write into the form of the page that is open, and send it. Without a script it has to be confirmed."""
    fill(page, **{"name": "Ada", **fields})
    send(page)
    if not script:
        expect(page.get_by_role("heading", name="Almost there")).to_be_visible()
        assert page.locator("[name=text]").input_value() == fields["text"]
        send(page)


def await_shown(stack: WebStack, path: str, text: str, shown: bool = True) -> None:
    """Wait until both front ends show a text, or no longer do."""
    for front in (0, 1):
        stack.await_that(lambda n=front: (text in stack.get(path, n).text) is shown)


def await_place(page: Page, path: str, text: str) -> None:
    """Wait until the reader is at a comment, on the page of its entry."""
    expect(page.locator(".comment:target")).to_contain_text(text)
    assert re.search(rf"//[^/]+{path}(\?receipt=[^#]+)?#comment-\d+$", page.url)


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Let processes do nothing until the block ends."""
    assert pids
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@SCRIPT
def test_a_comment_leads_to_its_place_and_is_on_both_front_ends(
    stack: WebStack, browser: Browser, script: bool
) -> None:
    text, path = f"A comment, {script}.", stack.address("first")
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto(path)
        comment(page, script, text=text, email="ada@example.org", website="https://ada.example/")
        await_place(page, path, text)
        assert "ada@example.org" not in page.content()
    await_shown(stack, path, text)
    with reader(browser, stack.fronts[1].url, script=script) as page:
        page.goto(path)
        expect(page.get_by_text(text)).to_be_visible()


@SCRIPT
def test_a_preview_is_only_a_preview(stack: WebStack, browser: Browser, script: bool) -> None:
    text, path = f"**Bold**, {script}.", stack.address("first")
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto(path)
        fill(page, name="Ada", text=text)
        send(page, "preview")
        expect(page.get_by_role("heading", name="This is how your comment will look")).to_be_visible()
        expect(page.locator("strong", has_text="Bold")).to_be_visible()
        assert not Comment.select().where(Comment.text == text).exists()
        assert page.locator("[name=text]").input_value() == text
        if script:
            assert grave_violations(page) == []
        send(page)
        await_place(page, path, f"Bold, {script}.")


def test_long_lines_of_code_fit_a_phone(stack: WebStack, browser: Browser) -> None:
    text, path = f"```\n{'fathoms = measure(harbour) ' * 8}\n```", stack.address("third")
    with reader(browser, stack.fronts[0].url, viewport={"width": 390, "height": 800}) as page:
        page.goto(path)
        fill(page, name="Ada", text=text)
        for action, title in (("preview", "This is how your comment will look"), ("post", "Write a comment")):
            send(page, action)
            expect(page.get_by_role("heading", name=title)).to_be_visible()
            assert grave_violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 390


@SCRIPT
def test_a_reply_is_below_what_it_answers(stack: WebStack, browser: Browser, script: bool) -> None:
    path, first, answer = stack.address("second"), f"Question, {script}?", f"Answer, {script}."
    assert stack.comment("second", first).status < 400
    await_shown(stack, path, first)
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto(path)
        asked = page.locator("li", has=page.get_by_text(first)).last
        asked.get_by_role("link", name="Reply to").click()
        expect(page.get_by_role("heading", name="Reply to A reader")).to_be_visible()
        if not script:
            expect(page.get_by_text(first)).to_be_visible()
        fill(page, name="Bo", text=answer)
        send(page)
        await_place(page, path, answer)
        expect(asked.locator("ol .comment")).to_contain_text(answer)


@SCRIPT
def test_what_was_typed_survives_a_refusal(stack: WebStack, browser: Browser, script: bool) -> None:
    path = stack.address("first")
    with reader(browser, stack.fronts[0].url, script=script, allowed=("422",)) as page:
        page.goto(path)
        page.locator(".comment-form").evaluate("form => form.noValidate = true")
        fill(page, name="Ada", email="no address", website="javascript:alert(1)", text=f"Kept, {script}.")
        send(page)
        expect(page.locator("[name=email]")).to_have_attribute("aria-invalid", "true")
        for name, value in {"name": "Ada", "email": "no address", "website": "javascript:alert(1)"}.items():
            assert page.locator(f"form[method=post] [name={name}]").input_value() == value
        assert page.locator("[name=text]").input_value() == f"Kept, {script}."
        if script:
            assert grave_violations(page) == []
        fill(page, email="", website="")
        send(page)
        await_place(page, path, f"Kept, {script}.")


@SCRIPT
def test_a_held_comment_is_shown_once_it_is_approved(stack: WebStack, browser: Browser, script: bool) -> None:
    text = f"Please look, {script}."
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto(CAREFUL_PAGE)
        comment(page, script, text=text)
        expect(page.get_by_role("heading", name="Your comment waits for approval")).to_be_visible()
        if script:
            assert grave_violations(page) == []
        page.get_by_role("link", name="Back to").click()
        assert text not in page.locator("#comments").inner_text()
        assert page.locator("[name=text]").input_value() == ""
    held = Comment.get(Comment.text == text)
    assert held.status == "pending"
    appliance(stack, "content.moderate", str(held.id), "--approve", "--site=careful")
    await_shown(stack, CAREFUL_PAGE, text)


def test_a_reader_deletes_a_comment_from_its_place(stack: WebStack, browser: Browser) -> None:
    text, path = "Rash words.", stack.address("third")
    with reader(browser, stack.fronts[0].url) as page:
        page.goto(path)
        comment(page, True, text=text)
        await_place(page, path, text)
        await_shown(stack, path, text)
        assert "receipt" not in page.url
        page.locator(".comment:target .delete").click()
        expect(page.get_by_role("heading", name="Delete your comment?")).to_be_visible()
        expect(page.get_by_text(text)).to_be_visible()
        assert grave_violations(page) == []
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("heading", name="Your comment is deleted")).to_be_visible()
    await_shown(stack, path, text, shown=False)


def test_a_reader_without_a_script_deletes_a_held_comment(stack: WebStack, browser: Browser) -> None:
    text = "Rash words, and held."
    with reader(browser, stack.fronts[0].url, script=False) as page:
        page.goto(CAREFUL_PAGE)
        comment(page, False, text=text)
        page.get_by_role("link", name="Delete my comment").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("heading", name="Your comment is deleted")).to_be_visible()
    assert not Comment.select().where(Comment.text == text).exists()


@SCRIPT
def test_a_comment_on_its_way_leads_to_its_place_by_itself(stack: WebStack, browser: Browser, script: bool) -> None:
    text, path = f"Slow road, {script}.", stack.address("third")
    with reader(browser, stack.fronts[0].url, script=script) as page:
        page.goto(path)
        with stopped(stack.pids("courier")):
            comment(page, script, text=text)
            expect(page.get_by_role("heading", name="Your comment is on its way")).to_be_visible()
            if script:
                assert violations_of_a_page_that_reloads(page) == []
        await_place(page, path, text)


def violations_of_a_page_that_reloads(page: Page, tries: int = 8) -> list[str]:
    """Like `grave_violations`, once more when the page looked again while axe was at it."""
    for left in reversed(range(tries)):
        try:
            return grave_violations(page)
        except Error as error:
            if "navigation" not in str(error) or not left:
                raise
    raise AssertionError


def test_a_comment_needs_no_mouse(stack: WebStack, browser: Browser) -> None:
    text, path = "Typed only.", stack.address("first")
    with reader(browser, stack.fronts[0].url) as page:
        page.goto(path)
        page.locator("#respond-title").focus()
        for value in ("Ada", "ada@example.org", ""):
            page.keyboard.press("Tab")
            page.keyboard.type(value)
        page.keyboard.press("Tab")
        page.keyboard.type(text)
        while page.evaluate("document.activeElement.value") != "post":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        await_place(page, path, text)


def test_markup_of_readers_runs_nothing(stack: WebStack, browser: Browser) -> None:
    """The reader fails if a script runs or the policy is broken."""
    text = "<img src=x onerror=console.error('ran')> <script>console.error('ran')</script> [x](javascript:alert(1))"
    path = stack.address("first")
    with reader(browser, stack.fronts[0].url) as page:
        page.goto(path)
        fill(page, name="<b onclick=alert(1)>Ada</b>", text=text)
        send(page, "preview")
        expect(page.get_by_role("heading", name="This is how your comment will look")).to_be_visible()
        send(page)
        expect(page.locator(".comment:target cite")).to_have_text("<b onclick=alert(1)>Ada</b>")
        assert page.locator(".comment:target").locator("img, script, [onclick], a[href^=javascript]").count() == 0
