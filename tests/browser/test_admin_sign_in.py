"""People sign in to the admin application in Chromium, through a web server that speaks TLS, with mail that is sent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance import db
from appliance.accounts import sessions, users
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import (
    PASSWORD,
    add_authenticator,
    add_user,
    person,
    set_up_app,
    show_code,
    sign_in,
    trusting_chromium,
)
from tests.notifications.conftest import Server

pytestmark = pytest.mark.slow

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
START = re.compile(r"Your sites?$")
NEW = "a lighthouse without a keeper"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    running.controller.start()
    yield running
    running.controller.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[AdminStack]:
    mail = server.settings().model_dump(exclude_none=True, exclude_defaults=True) | {"security": "none"}
    with admin_stack(tmp_path_factory.mktemp("stack"), mail=mail) as running:
        yield running


@pytest.fixture(scope="module")
def browser(stack: AdminStack) -> Iterator[Browser]:
    with trusting_chromium(stack) as running:
        yield running


@pytest.fixture(autouse=True)
def forget_failures(stack: AdminStack) -> None:
    """Wrong passwords of one test do not slow down another: all come from one network."""
    with db.write():
        db.execute("DELETE FROM sign_in_failure")


def mailed_link(stack: AdminStack, server: Server, address: str, subject: str) -> str:
    """Wait for a mail with a link, and return the link."""

    def found() -> list[EmailMessage]:
        pairs = zip(server.mails, server.envelopes, strict=False)
        return [mail for mail, (_, to) in pairs if to == [address] and subject in mail["Subject"]]

    stack.await_that(found)
    link = re.search(rf"{stack.url}/\w+/\w+", found()[-1].get_content())
    assert link, found()[-1].get_content()
    return link[0]


def expect_start(page: Page) -> None:
    expect(page.get_by_role("heading", name=START)).to_be_visible()


def expect_sign_in(page: Page) -> None:
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@SCRIPT
def test_the_first_user_comes_from_the_shell(browser: Browser, stack: AdminStack, script: bool) -> None:
    name = f"first-{script}".lower()
    command = [sys.executable, "-c", "from appliance.tasks import main; main()", "users.add", name, "--admin"]
    environment = {**os.environ, "APPLIANCE_CONFIG": str(stack.config.path)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    link = re.search(rf"{stack.url}/invitation/\w+", said)
    assert link, said
    with person(browser, stack, script=script) as page:
        page.goto(link[0])
        page.get_by_label("New password").fill("short")
        page.get_by_role("button", name="Save the password").click()
        expect(page.get_by_role("alert")).to_contain_text("too short")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_role("button", name="Save the password").click()
        expect(page.get_by_role("status")).to_contain_text("Your password is saved")
        sign_in(page, name)
        expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
        expect(page.get_by_role("navigation", name="Main")).to_have_count(0)
        page.goto("/users")
        expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
        phone, codes = set_up_app(page)
        expect_start(page)
        assert len(codes) == 10
        page.get_by_role("link", name="Users", exact=True).first.click()
        expect(page.get_by_role("main").get_by_role("link", name=name)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status")).to_contain_text("You are signed out")
        sign_in(page, name)
        show_code(page, phone.now())
        expect_start(page)
        page.goto(link[0])
        expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()


@SCRIPT
def test_a_password_and_an_app(browser: Browser, stack: AdminStack, script: bool) -> None:
    name = f"app-{script}".lower()
    add_user(name, blog="editor")
    with person(browser, stack, script=script) as page:
        sign_in(page, name, "wrong")
        expect(page.get_by_role("alert")).to_contain_text("Name and password do not belong together")
        expect(page.get_by_label("Name or e-mail address")).to_have_value(name)
        expect(page.get_by_label("Password", exact=True)).to_have_value("")
        sign_in(page, f"{name}@example.org", path="/sign-in?next=/account/second-factor")
        phone, codes = set_up_app(page)
        expect(page.get_by_text("Signing in asks for a code of your app")).to_be_visible()
    with person(browser, stack, script=script) as page:
        sign_in(page, name, path="/account/sessions")
        expect(page.get_by_role("heading", name="Second step")).to_be_visible()
        show_code(page, "000000")
        expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
        expect(page).to_have_title(re.compile("^Error: "))
        show_code(page, phone.now())
        expect(page.get_by_role("table")).to_contain_text("this one")
        assert page.url == f"{stack.url}/account/sessions"
    # The phone is lost.
    with person(browser, stack, script=script) as page:
        sign_in(page, name)
        page.get_by_role("link", name="Lost your phone or key?").click()
        page.get_by_label("Recovery code").fill(codes[3].upper().replace("-", " "))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("status")).to_contain_text("You signed in with a recovery code")
        page.get_by_role("button", name="Turn off").click()
        expect(page.get_by_role("status")).to_contain_text("turned off")


def test_a_passkey(browser: Browser, stack: AdminStack) -> None:
    add_user("key", everywhere="admin")
    with person(browser, stack) as page:
        add_authenticator(page)
        sign_in(page, "key")
        page.get_by_label("Name", exact=True).fill("Laptop")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
        page.get_by_role("link", name="I have saved them").click()
        expect_start(page)
        # As the second factor after a password.
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, "key", path="/sign-in?next=/account")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()
        # By itself, and back to the page that was asked for.
        page.get_by_role("button", name="Sign out").click()
        page.goto("/account/second-factor")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("row", name="Laptop")).to_be_visible()
        # The same device again is refused by the device itself, which knows that it has one.
        page.get_by_label("Name", exact=True).fill("Again")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("already has a passkey")
        page.get_by_role("link", name="Rename Laptop").click()
        page.get_by_label("Name", exact=True).fill("Old laptop")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("row", name="Old laptop")).to_be_visible()
        # To confirm with, once the last time is long ago.
        with db.write():
            db.execute("UPDATE session SET confirmed_at = confirmed_at - 1000")
        page.goto("/account/tokens/new")
        expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="New token")).to_be_visible()
        page.goto("/account/second-factor")
        page.get_by_role("button", name="Remove Old laptop").click()
        expect(page.get_by_role("status")).to_contain_text("The passkey is removed")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("The passkey was not accepted")


def test_a_device_without_a_passkey_says_so(browser: Browser, stack: AdminStack) -> None:
    with person(browser, stack) as page:
        add_authenticator(page)
        page.goto("/sign-in")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_without_scripts_nothing_of_passkeys_is_offered(browser: Browser, stack: AdminStack) -> None:
    add_user("plain", blog="editor")
    with person(browser, stack, script=False) as page:
        page.goto("/sign-in")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
        sign_in(page, "plain", path="/account/second-factor")
        expect(page.get_by_role("button", name="Add a passkey")).to_be_hidden()
        expect(page.get_by_text("Adding one needs JavaScript")).to_be_visible()


@SCRIPT
def test_a_session_that_was_ended_elsewhere(browser: Browser, stack: AdminStack, script: bool) -> None:
    name = f"roaming-{script}".lower()
    add_user(name, blog="editor")
    with person(browser, stack, script=script) as here, person(browser, stack, script=script) as there:
        for page in (here, there):
            sign_in(page, name)
            expect_start(page)
        here.goto("/account/sessions")
        here.get_by_role("button", name="End the session of Chrome").click()
        expect(here.get_by_role("status")).to_contain_text("The session has ended")
        there.goto("/account")
        expect_sign_in(there)
        sign_in(there, name)
        there.goto("/account/sessions")
        there.get_by_role("button", name="End all other sessions").click()
        expect(there.get_by_role("status")).to_contain_text("All your other sessions have ended")
        here.reload()
        expect_sign_in(here)


@SCRIPT
def test_a_forgotten_password(browser: Browser, stack: AdminStack, server: Server, script: bool) -> None:
    name = f"forgetful-{script}".lower()
    user = add_user(name, blog="editor")
    texts = []
    with person(browser, stack, script=script) as page:
        sign_in(page, name)
        expect_start(page)
    with person(browser, stack, script=script) as page:
        for address in ("nobody@example.org", user.email):
            page.goto("/sign-in")
            page.get_by_role("link", name="Forgotten your password?").click()
            page.get_by_label("E-mail address").fill(address)
            page.get_by_role("button", name="Send the link").click()
            expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
            texts.append(page.locator("main").inner_text())
        assert texts[0] == texts[1]
        link = mailed_link(stack, server, user.email, "A new password")
        # What looks for dangerous mails fetches links before anybody opens them.
        for method in ("GET", "HEAD", "GET"):
            assert stack.ask(method, link.removeprefix(stack.url)).status == 200
        page.goto(link)
        page.get_by_label("New password").fill(NEW)
        page.get_by_role("button", name="Save the password").click()
        expect(page.get_by_role("status")).to_contain_text("Your password is saved")
        assert sessions.list_sessions(user) == []
        sign_in(page, name)
        expect(page.get_by_role("alert")).to_contain_text("do not belong together")
        sign_in(page, name, NEW)
        expect_start(page)
    assert not [to for _, to in server.envelopes if to == ["nobody@example.org"]]


@SCRIPT
def test_an_invitation(browser: Browser, stack: AdminStack, server: Server, script: bool) -> None:
    host, guest = f"host-{script}".lower(), f"guest-{script}".lower()
    add_user(host, everywhere="admin")
    with person(browser, stack, script=script) as page:
        sign_in(page, host)
        set_up_app(page)
        page.goto("/users")
        page.get_by_role("link", name="Invite somebody").click()
        page.get_by_label("Name for signing in").fill(guest)
        page.get_by_label("E-mail address").fill(f"{guest}@example.org")
        page.locator("#role").select_option("author")
        page.locator("#site").select_option("news")
        page.get_by_role("button", name="Send the invitation").click()
        expect(page.get_by_role("status")).to_contain_text("the invitation is on its way")
    with person(browser, stack, script=script) as page:
        page.goto(mailed_link(stack, server, f"{guest}@example.org", "You are invited"))
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_role("button", name="Save the password").click()
        sign_in(page, guest)
        expect(page.get_by_role("row", name="Harbour news")).to_contain_text("author")
        expect(page.get_by_role("row", name="Field notes")).to_have_count(0)
        page.goto("/users")
        expect(page.get_by_role("heading", name="Forbidden")).to_be_visible()


def test_guessing_is_slowed_down(browser: Browser, stack: AdminStack) -> None:
    add_user("guessed", blog="editor")
    add_user("beside", blog="editor")
    with person(browser, stack) as page:
        for _ in range(5):
            sign_in(page, "guessed", "wrong")
            expect(page.get_by_role("alert")).to_contain_text("do not belong together")
        sign_in(page, "guessed")
        expect(page.get_by_role("alert")).to_contain_text("too many wrong attempts")
        sign_in(page, "beside")
        expect_start(page)


def test_nobody_is_led_elsewhere(browser: Browser, stack: AdminStack) -> None:
    add_user("led", blog="editor")
    for wanted in ("//evil.example/", "https://evil.example/", "/%5Cevil.example", "/%09/evil.example", "%2F%2Fx.test"):
        with person(browser, stack) as page:
            sign_in(page, "led", path=f"/sign-in?next={wanted}")
            expect_start(page)
            assert page.url == f"{stack.url}/"


def test_who_is_disabled_is_out_at_the_next_request(browser: Browser, stack: AdminStack) -> None:
    user = add_user("leaver", blog="editor")
    with person(browser, stack) as page:
        sign_in(page, "leaver")
        expect_start(page)
        users.disable(user)
        page.goto("/account")
        expect_sign_in(page)
        sign_in(page, "leaver")
        expect(page.get_by_role("alert")).to_contain_text("do not belong together")


def test_another_site_can_send_no_form(browser: Browser, stack: AdminStack) -> None:
    user = add_user("target", blog="editor")
    with person(browser, stack) as page:
        sign_in(page, "target")
        expect_start(page)
        # A page of another origin, which Chromium marks as such, cookies or not.
        page.goto(f"data:text/html,<form method=post action='{stack.url}/sign-out'><button>Win</button></form>")
        page.get_by_role("button", name="Win").click()
        expect(page.get_by_role("heading", name="Forbidden")).to_be_visible()
        assert len(sessions.list_sessions(user)) == 1
        page.goto("/account")
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_the_cookie_is_for_this_host_and_not_for_scripts(browser: Browser, stack: AdminStack) -> None:
    add_user("careful", blog="editor")
    with person(browser, stack) as page:
        sign_in(page, "careful")
        expect_start(page)
        (cookie,) = [one for one in page.context.cookies() if one["name"] == "__Host-appliance"]
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")
        assert cookie["domain"] == "admin.localhost"
        assert page.evaluate("document.cookie") == ""


def test_a_password_can_be_pasted(browser: Browser, stack: AdminStack) -> None:
    add_user("paster", blog="editor")
    with person(browser, stack, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto("/sign-in")
        page.evaluate("text => navigator.clipboard.writeText(text)", PASSWORD)
        page.get_by_label("Name or e-mail address").fill("paster")
        page.get_by_label("Password", exact=True).focus()
        page.keyboard.press("Control+V")
        page.keyboard.press("Enter")
        expect_start(page)
