"""The jobs that mail users: one-time links, and news of their accounts.

The secret of a link is made here, just before the mail is sent. If the mail has to be sent again, it has another link,
and the one before no longer works.
"""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.accounts import acts, links, notices
from appliance.accounts.links import LIFETIMES, Purpose
from appliance.accounts.models import User
from appliance.accounts.notices import News
from appliance.accounts.secret_digests import digest
from appliance.accounts.settings import host_of
from appliance.actor import Actor
from appliance.notifications import mailer
from appliance.notifications.message import Mailbox, compose
from appliance.notifications.smtp import send_message
from appliance.queue.handlers import JobContext, Outcome, Payload, handler

_SUBJECTS: Final[dict[Purpose, str]] = {
    "invitation": "You are invited",
    "reset": "A new password",
}
_LINK_TEXTS: Final[dict[Purpose, str]] = {
    "invitation": "{display}, you can now write at {host} under the name {name}. Choose your password within 7 days:"
    "\n\n  {url}\n\nThe link works once.\n",
    "reset": "Somebody, probably you, asked for a new password for {name} at {host}. Choose it within an hour:\n\n"
    "  {url}\n\nThe link works once. If it was not you, there is nothing to do: your password stays as it is.\n",
}
_NEWS: Final[dict[News, str]] = {
    "password": "The password was changed, and all other sessions ended.",
    "address": "The e-mail address was changed to another one, which gets all mail from now on.",
    "totp": "An authenticator app was set up.",
    "no-totp": "The authenticator app was removed.",
    "passkey": "A passkey was added.",
    "no-passkey": "A passkey was removed.",
    "recovery": "A recovery code was used in place of the second factor.",
    "no-factor": "All second factors were removed, and all sessions ended.",
    "network": "You signed in from a network that you had not used here before.",
}


@handler(links.LINK, retry=mailer.RETRY)
def send_link(_payload: Payload, context: JobContext) -> Outcome:
    """Mail a one-time link. Raises the errors of `mailer.send`."""
    purpose, _, named = context.key.partition("/")
    user = _addressee(named)
    config = context.config
    if user is None or purpose not in LIFETIMES or not config.mail.host or not config.admin.url:
        return "unchanged"
    url = links.create(user, purpose)
    text = _LINK_TEXTS[purpose].format(display=user.display, host=host_of(config), name=user.name, url=url)
    _send(context, user.email, _SUBJECTS[purpose], text, mark=digest(url))
    with db.write():
        acts.record("user.mail_link", user, after={"purpose": purpose}, actor=Actor("queue", via="schedule"))
    return "changed"


@handler(notices.NOTICE, retry=mailer.RETRY)
def send_notice(_payload: Payload, context: JobContext) -> Outcome:
    """Mail a user news of the account. Raises the errors of `mailer.send`."""
    news, _, number = context.key.partition("/")
    user = User.get_or_none(User.id == int(number))
    to = "" if user is None else user.former_email if news == "address" else user.email
    if user is None or not to or news not in _NEWS or not context.config.mail.host or not context.config.admin.url:
        return "unchanged"
    text = (
        f"{_NEWS[news]}\n\nThis concerns the user {user.name} at {host_of(context.config)}. If it was you,"
        " there is nothing to do. If not, tell an administrator at once.\n"
    )
    _send(context, to, "Your account was changed", text, mark=str(context.attempt))
    if news == "address":
        with db.write():
            User.update(former_email="").where(User.id == user.id, User.former_email == to).execute()
    return "changed"


def _addressee(named: str) -> User | None:
    """Return the user whose address has this digest, unless disabled."""
    found = User.select().where(User.email != "", User.disabled_at.is_null())
    return next((user for user in found if links.address_digest(user.email) == named), None)


def _send(context: JobContext, to: str, subject: str, text: str, *, mark: str) -> None:
    settings, host = context.config.mail, host_of(context.config)
    message = compose(
        Mailbox(host, settings.sender),
        Mailbox("", to),
        f"{settings.subject or f'[{host}]'} {subject}",
        text,
        identity=(context.config.admin.url, context.kind, context.key, mark),
    )
    send_message(settings, message, to, context.config.host_name)
