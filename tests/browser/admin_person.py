"""People in Chromium who use the admin application, and what they do there again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyotp
from playwright.sync_api import Browser, Page, expect

from appliance.accounts import passwords, users
from appliance.accounts.models import User
from tests.admin_stack import AdminStack
from tests.browser.chromium import chromium, reader

PASSWORD = "correct horse battery staple"
#: A page that is refused is an answer, which the browser reports as a failed load.
REFUSED = "Failed to load resource: the server responded with a status of"


@contextmanager
def trusting_chromium(stack: AdminStack) -> Iterator[Browser]:
    """Run a Chromium that trusts the certificate of an admin application. Passkeys work on trusted origins only."""
    with chromium(f"--ignore-certificate-errors-spki-list={stack.key_digest}") as running:
        yield running


@contextmanager
def person(browser: Browser, stack: AdminStack, *, script: bool = True, **options: Any) -> Iterator[Page]:
    """Return a page of somebody with a browser of their own; see `chromium.reader`."""
    with reader(browser, stack.url, script=script, allowed=(REFUSED,), **options) as page:
        yield page


def add_user(name: str, password: str = PASSWORD, **roles: str) -> User:
    """Add a user with a password; `everywhere` stands for all sites."""
    given = {"*" if site == "everywhere" else site: role for site, role in roles.items()}
    user = users.add_user(name, f"{name}@example.org", name.title(), given)
    passwords.set_password(user, password)
    return user


def sign_in(page: Page, name: str, password: str = PASSWORD, path: str = "/sign-in") -> None:
    """Fill in the form and send it."""
    page.goto(path)
    page.get_by_label("Name or e-mail address").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password", exact=True).press("Enter")


def set_up_app(page: Page) -> tuple[pyotp.TOTP, list[str]]:
    """Set up an authenticator app from a page with the button for it; return the app and the recovery codes."""
    page.get_by_role("button", name="Set up an app").click()
    phone = pyotp.TOTP(page.locator("#key").inner_text().replace(" ", ""))
    # The code of the step before is still taken, and leaves the current one for signing in.
    show_code(page, phone.at(int(time.time()) - phone.interval), "Turn on")
    done = page.get_by_role("heading", name="Recovery codes")
    expect(done.or_(page.get_by_role("alert"))).to_be_visible()
    if page.get_by_role("alert").is_visible():  # a step ended between making the code and the look at it
        show_code(page, phone.at(int(time.time()) - phone.interval), "Turn on")
    expect(done).to_be_visible()
    codes = page.locator(".codes li").all_inner_texts()
    page.get_by_role("link", name="I have saved them").click()
    return phone, codes


def show_code(page: Page, code: str, button: str = "Continue") -> None:
    """Type a code and send it."""
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name=button).click()


def add_authenticator(page: Page) -> None:
    """Give the browser of a page an authenticator that verifies its user without asking."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
