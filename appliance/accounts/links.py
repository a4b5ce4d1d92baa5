"""One-time links: an invitation to set the first password, and a reset of a forgotten one, sent by mail.

The secret of a link is made by the job that mails it, so that neither the queue nor a backup ever has it. Asking for a
reset does the same for every address, known or not: it enqueues a job under a digest of the address, and only the job
looks whether there is such a user. Of a link that two people open at once, one works.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urljoin

from appliance import db
from appliance.accounts import acts, passwords, throttling
from appliance.accounts.locking import lock_enabled
from appliance.accounts.models import OneTimeLink, User
from appliance.accounts.secret_digests import digest, new_secret
from appliance.accounts.settings import config_with_url
from appliance.db import NOW
from appliance.errors import AccountError
from appliance.queue.enqueue import Cause, JobRequest, enqueue

Purpose = Literal["invitation", "reset"]
#: The kind of job that mails a link; `accounts.mails` has its handler. The key is the purpose and the digest of the
#: user's address.
LINK: Final = "mail-link"

#: Seconds that a link works.
LIFETIMES: Final[dict[Purpose, float]] = {"invitation": 7 * 86_400.0, "reset": 3600.0}
#: Seconds between two mails to an address.
_INTERVAL: Final = 120.0

_GONE: Final = "This link does not work any more. It works once and for a limited time; ask for another."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user was given to sign in with."""

    #: The name of the user.
    user: str
    #: Whether somebody typed a password for the user.
    has_password: bool = False
    #: The address of a one-time link; empty if there is none, or if it was mailed.
    url: str = ""


def invite(user: User) -> None:
    """Mail a user a link with which to set the first password.

    Raises:
        AccountError: the user has no address or is disabled, or the settings name no mail server or no application.
    """
    require_mail(user)
    with db.write():
        _enqueue("invitation", user.email, "user invited")
        acts.record("user.invite", user)


def reset(email: str, address: str = "") -> None:
    """Mail a link with which to set a new password, if a user has this address. Nothing tells whether one has.

    Raises:
        SignInRefused: too many links were asked for from this network.
        AccountError: the settings name no mail server or no admin application.
    """
    _require_server()
    throttling.begin("link", throttling.account_of(email), address)
    with db.write():
        _enqueue("reset", email, "password reset asked for")


def mail_reset(user: User) -> None:
    """Mail a user a link with which to set a new password, as an administrator wants.

    Raises:
        AccountError: the user has no address or is disabled, or the settings name no mail server or no application.
    """
    require_mail(user)
    with db.write():
        _enqueue("reset", user.email, "password reset by an administrator")
        acts.record("user.reset", user)


def issue(user: User, purpose: Purpose) -> str:
    """Make a link that somebody else hands to the user; see `create`."""
    with db.write():
        acts.record("user.make_link", user, after={"purpose": purpose})
        return create(user, purpose)


def create(user: User, purpose: Purpose) -> str:
    """Make a link for a user and return its address. Earlier ones for this purpose no longer work.

    Raises:
        AccountError: the user is disabled, or there is no admin application.
    """
    config, secret = config_with_url(), new_secret()
    with db.write():
        lock_enabled(user)
        OneTimeLink.delete().where(OneTimeLink.user == user.id, OneTimeLink.purpose == purpose).execute()
        db.execute(
            "INSERT INTO one_time_link (user_id, purpose, digest, created_at, expires_at)"
            f" VALUES (?, ?, ?, {NOW}, {NOW} + ?)",
            [user.id, purpose, digest(secret), LIFETIMES[purpose]],
        )
    return urljoin(config.admin.url, f"{purpose}/{secret}")


_FOUND: Final = f"""
SELECT l.user_id FROM one_time_link l JOIN account a ON a.id = l.user_id
WHERE l.digest = ? AND l.purpose = ? AND l.expires_at > {NOW} AND a.disabled_at IS NULL
"""


def find(secret: str, purpose: Purpose) -> User | None:
    """Return whose link this is, without using it up; None if it does not work."""
    found = db.execute(_FOUND, [digest(secret), purpose]).fetchone()
    return None if found is None else User.get_by_id(found[0])


def consume(secret: str, purpose: Purpose) -> User:
    """Use a link up and return whose it is.

    Raises:
        AccountError: it does not work, or no longer.
    """
    with db.write():
        user = find(secret, purpose)
        if user is None:
            raise AccountError(_GONE)
        lock_enabled(user)  # before the link, as whoever disables a user does
        used = db.execute("DELETE FROM one_time_link WHERE digest = ? RETURNING id", [digest(secret)]).fetchone()
        if used is None:
            raise AccountError(_GONE)
    return user


def set_password(secret: str, purpose: Purpose, password: str, address: str = "") -> User:
    """Give the user of a link a new password, and use the link up. A password that may not be used leaves the link.

    All sessions of the user end. The network that the link was opened in counts as one of the user's from now on.

    Raises:
        AccountError: the link does not work, or no longer.
        WeakPassword: the password may not be used.
    """
    user = find(secret, purpose)
    if user is None:
        raise AccountError(_GONE)
    passwords.require_strong(password, user)
    made = passwords.make_hash(password)
    with db.write():
        consume(secret, purpose)
        passwords.store(user, made, actor=acts.oneself(user, address))
        throttling.forget(user, address)
    return user


def require_mail(user: User) -> None:
    """Check that a link can be mailed to a user.

    Raises:
        AccountError: it cannot.
    """
    _require_server()
    if not user.email:
        raise AccountError(f"{user.name} has no e-mail address; give the user one first.")
    if user.disabled_at is not None:
        raise AccountError(f"{user.name} is disabled; enable the user first.")


def address_digest(email: str) -> str:
    """Return the digest of an address by which a job names it."""
    return hashlib.sha256(email.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _require_server() -> None:
    if not config_with_url().mail.host:
        raise AccountError("No mail can be sent; name a server in [mail] of the settings.")


def _enqueue(purpose: Purpose, email: str, why: str) -> None:
    ageing = config_with_url().queue.ageing
    request = JobRequest(f"{purpose}/{address_digest(email)}", every=_INTERVAL)
    enqueue(LINK, [request], ageing=ageing, causes=[Cause(why)])
