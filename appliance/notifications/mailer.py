"""Composing and sending the mail of a job, from the sender that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance.content.models import Site
from appliance.errors import MailRefused
from appliance.notifications.message import Mailbox, compose
from appliance.notifications.smtp import send_message
from appliance.queue.handlers import JobContext
from appliance.queue.retry import RetryPolicy

#: Long enough for a server that is down for half an hour or defers mail from unknown hosts (greylisting).
RETRY: Final = RetryPolicy(
    max_retries=6, initial_delay=60.0, max_delay=3600.0, fatal=(MailRefused, LookupError, ValueError)
)


def send(
    context: JobContext,
    site: Site,
    to: Mailbox,
    subject: str,
    text: str,
    *,
    mark: Sequence[str] = (),
    reply_to: Mailbox | None = None,
    unsubscribe: str = "",
) -> None:
    """Send a mail about a site; returns as soon as the server has accepted it.

    `mark` distinguishes the mails that jobs with the same key send. For the others see `message.compose`.

    Raises:
        MailRefused: the mail or the server's settings have to be corrected by a person.
        MailError: the server cannot be reached or defers the mail.
    """
    settings = context.config.mail
    message = compose(
        Mailbox(site.title, settings.sender),
        to,
        f"{settings.subject or f'[{site.title}]'} {subject}",
        text,
        identity=(site.url, context.kind, context.key, *mark),
        reply_to=reply_to,
        unsubscribe=unsubscribe,
    )
    send_message(settings, message, to.address, context.config.host_name)


def quoted(text: str) -> str:
    """A text with the mark of a quotation before each line."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())
