"""What the script of the default theme does in the reader's browser, and what pages are without it.

The web process is away: that may cost the reader nothing but the way round without a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.content import comments
from appliance.demo.frontend import FrontEnd
from appliance.demo.nginx import Upstream
from tests.browser.chromium import grave_violations, reader
from tests.local_site import LocalSite, local_site

pytestmark = pytest.mark.slow

PAGE = "/2026/11/harbour/"
OTHER = "/2026/11/tides/"
WIDE = "/2026/11/soundings/"
#: A table and a line of code that no phone shows whole.
SOUNDINGS = f"""
|{"Place and depth|" * 9}
|{"---|" * 9}
|{"Harbour, 12 fathoms|" * 9}

```python
{"depth = measure(harbour) + " * 12}0
```

<pre>
{"Plain text of one line. " * 12}
</pre>
"""
MAIL = {"host": "localhost", "sender": "site@example.org"}
Open = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    """A front end with a published site of the default theme, whose web process does not answer."""
    folder = tmp_path_factory.mktemp("theme")
    with local_site(folder, sites=[{"theme": "default"}], web={"path": "/-/"}, mail=MAIL) as shop:
        publish(shop)
        made = FrontEnd(folder / "www1", folder / "key", "www1", upstream=Upstream("/-/", f"unix:{folder}/none.sock"))
        made.docroot = shop.docroot
        with made:
            yield made


def publish(shop: LocalSite) -> None:
    entry = shop.save("Harbour", text="Text.")
    first = comments.add(entry, "Ada", "First.")
    comments.add(entry, "Bo", "Second.", parent=first)
    shop.save("Tides", text="Text.")
    wide = shop.save("Soundings", text=SOUNDINGS)
    comments.add(wide, "Ada", f"```\n{'a line of code ' * 12}\n```")
    shop.run()


@pytest.fixture
def visit(front: FrontEnd, browser: Browser) -> Open:
    # The page that nginx shows in place of the web process names no icon, so Chromium asks for the usual one.
    return partial(reader, browser, front.url, allowed=("502 (Bad Gateway)", "/favicon.ico"))


def field(page: Page, name: str) -> Any:
    return page.locator(f".comment-form [name={name}]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_are_accessible_and_fit_the_screen(visit: Open, scheme: str, width: int) -> None:
    with visit(viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for address in ("/", PAGE, OTHER, WIDE, "/archives/"):
            page.goto(address)
            assert grave_violations(page) == [], address
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_the_form_moves_to_what_is_answered_and_back(visit: Open) -> None:
    with visit() as page:
        page.goto(PAGE)
        page.get_by_role("link", name="Reply to Ada").click()
        expect(page.get_by_role("heading", name="Reply to Ada")).to_be_focused()
        assert field(page, "parent").input_value() == "1"
        assert page.locator("#comment-1 + #respond").count() == 1
        assert grave_violations(page) == []
        page.get_by_role("link", name="Reply to Bo").click()
        assert field(page, "parent").input_value() == "2"
        page.get_by_role("link", name="start a new thread").click()
        expect(page.get_by_role("heading", name="Write a comment")).to_be_focused()
        assert field(page, "parent").input_value() == ""
        assert page.locator(".thread #respond").count() == 0
        page.goto(f"{PAGE}?again#reply-2")
        assert field(page, "parent").input_value() == "2"
        assert page.evaluate("document.activeElement.textContent") == "Reply to Bo"


def test_without_a_script_a_reply_is_written_on_a_page_of_its_own(visit: Open) -> None:
    with visit(script=False) as page:
        page.goto(PAGE)
        link = page.get_by_role("link", name="Reply to Bo")
        assert link.get_attribute("href") == "/-/blog/comments?entry=1&parent=2"
        assert not page.get_by_label("Remember").is_visible(), "only a script can"


def test_a_draft_outlives_an_accident_but_not_its_comment(visit: Open) -> None:
    with visit() as page:
        page.goto(PAGE)
        page.get_by_role("link", name="Reply to Ada").click()
        field(page, "text").fill("Half a thought")
        page.goto(OTHER)
        assert field(page, "text").input_value() == "", "a draft is of one page"
        page.goto(PAGE)
        assert field(page, "text").input_value() == "Half a thought"
        assert field(page, "parent").input_value() == "1"
        page.goto(f"{PAGE}?receipt=abc#comment-2")
        assert field(page, "text").input_value() == ""
        page.reload()
        assert field(page, "text").input_value() == ""


def test_details_are_remembered_only_if_asked_and_forgotten_when_asked(visit: Open) -> None:
    def details(page: Page) -> list[str]:
        return [field(page, name).input_value() for name in ("name", "email", "website")]

    with visit() as page:
        page.goto(PAGE)
        field(page, "name").fill("Ada")
        field(page, "email").fill("ada@example.org")
        send(page)
        page.goto(OTHER)
        assert details(page) == ["", "", ""]
        assert page.evaluate("localStorage.length") == 0
        remember = page.get_by_label("Remember my details")
        assert not remember.is_checked()
        field(page, "name").fill("Ada")
        field(page, "email").fill("ada@example.org")
        remember.check()
        send(page)
        page.goto(PAGE)
        assert details(page) == ["Ada", "ada@example.org", ""]
        remember.uncheck()
        page.goto(OTHER)
        assert details(page) == ["", "", ""]
        assert page.evaluate("localStorage.length") == 0
        assert page.context.cookies() == []


def send(page: Page) -> None:
    """Send the form to a web process that does not answer."""
    field(page, "text").fill("A comment")
    with page.expect_response(lambda got: got.request.method == "POST") as sent:
        page.get_by_role("button", name="Send comment").click()
    assert sent.value.status == 502


def test_a_comment_is_sent_once_however_often_the_button_is_pressed(visit: Open) -> None:
    with visit() as page:
        page.goto(PAGE)
        posts: list[str] = []
        page.on("request", lambda asked: asked.method == "POST" and posts.append(asked.post_data or ""))
        field(page, "name").fill("Ada")
        field(page, "text").fill("A comment")
        with page.expect_response(lambda got: got.request.method == "POST"):
            page.get_by_role("button", name="Send comment").dblclick()
        assert len(posts) == 1
        assert "action=post" in posts[0]


def test_a_text_that_is_too_long_is_kept_and_not_sent(visit: Open) -> None:
    with visit() as page:
        page.goto(PAGE)
        posts: list[str] = []
        page.on("request", lambda asked: asked.method == "POST" and posts.append(asked.url))
        field(page, "name").fill("Ada")
        field(page, "text").fill("x" * 20_007)
        page.get_by_role("button", name="Send comment").click()
        message = field(page, "text").evaluate("field => field.validationMessage")
        assert message == "Please shorten the comment by 7 characters."
        assert len(field(page, "text").input_value()) == 20_007
        assert posts == []


def test_a_receipt_leaves_the_address_and_lets_its_comment_be_deleted(visit: Open) -> None:
    with visit() as page:
        page.goto(f"{PAGE}?receipt=a%2Bb%3D#comment-2")
        assert page.url.endswith(f"{PAGE}#comment-2")
        for _ in range(2):  # also when the page is opened again
            expect(page.locator("#comment-2 .delete")).to_be_visible()
            (link,) = page.locator(".delete").all()
            assert str(link.get_attribute("href")).endswith("/-/blog/comments/delete?receipt=a%2Bb%3D")
            assert grave_violations(page) == []
            page.reload()
        page.goto(OTHER)
        assert page.locator(".delete").count() == 0
        page.goto(f"{PAGE}?receipt=c#comment-999")
        assert page.locator(".delete").count() == 1, "a comment that is not here yet"


def test_a_receipt_counts_for_as_long_as_the_comment_may_be_deleted(visit: Open) -> None:
    with visit() as page:
        page.clock.install()
        page.goto(f"{PAGE}?receipt=abc#comment-1")
        page.clock.fast_forward("29:00")
        page.reload()
        assert page.locator(".delete").count() == 1
        page.clock.fast_forward("02:00")
        page.reload()
        assert page.locator(".delete").count() == 0


def test_storage_that_is_switched_off_costs_only_what_is_stored(visit: Open) -> None:
    with visit() as page:
        page.add_init_script(
            "for (const name of ['localStorage', 'sessionStorage'])"
            " Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });"
        )
        page.goto(f"{PAGE}?receipt=abc#comment-1")
        assert page.url.endswith(f"{PAGE}#comment-1")
        page.get_by_role("link", name="Reply to Ada").click()
        field(page, "name").fill("Ada")
        page.get_by_label("Remember my details").check()
        send(page)
