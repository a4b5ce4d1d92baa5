"""Composing a plain text mail.

No text of a reader or an author can add a header or a recipient: line ends and other unprintable characters are removed
from names and subjects, and anything that is not a single mail address is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import quote, urlsplit

from appliance import clock
from appliance.config.services import is_mail_address
from appliance.errors import MailRefused

#: Maximum characters of a name or subject; some servers refuse mail with longer ones.
_MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and a mail address."""

    name: str
    address: str


def compose(
    sender: Mailbox,
    to: Mailbox,
    subject: str,
    text: str,
    *,
    identity: Sequence[str],
    reply_to: Mailbox | None = None,
    unsubscribe: str = "",
) -> EmailMessage:
    """Compose a mail.

    Args:
        sender: the sender.
        to: the recipient.
        subject: the subject, which may contain any characters.
        text: the body in plain text.
        identity: strings that identify this mail. The Message-ID is derived from them, so a mail that is sent twice has
            the same one and the recipient's software can show it once.
        reply_to: where replies go; ignored if the address is invalid.
        unsubscribe: the web address at which the recipient ends mails like this one. A mail program may post to it
            (RFC 8058).

    Raises:
        MailRefused: the address of the sender or the recipient is invalid.
    """
    # 7bit: a server on the way may not support 8-bit content.
    needs_utf8 = not all(mailbox.address.rpartition("@")[0].isascii() for mailbox in (sender, to))
    message = EmailMessage(policy.SMTP.clone(cte_type="7bit", utf8=needs_utf8))
    message["From"] = _address(sender)
    message["To"] = _address(to)
    if reply_to and is_mail_address(reply_to.address) and reply_to.address.isascii():
        message["Reply-To"] = _address(reply_to)
    message["Subject"] = one_line(subject)
    message["Date"] = format_datetime(clock.to_datetime(clock.now()))
    message["Message-ID"] = message_id(identity, sender.address)
    # RFC 3834: keep vacation notices and other automatic replies from answering.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if unsubscribe:
        message["List-Unsubscribe"] = f"<{_ascii_address(unsubscribe)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text.encode("utf-8", "replace").decode("utf-8"))
    return message


def message_id(identity: Sequence[str], sender: str) -> str:
    """The Message-ID derived from `identity`, in the domain of the sender's address."""
    digest = hashlib.blake2b("\0".join(identity).encode(), digest_size=20).hexdigest()
    return f"<{digest}@{_ascii_domain(sender.rpartition('@')[2])}>"


def one_line(text: str) -> str:
    """`text` as a header value: printable characters in one line of limited length."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    # The email package would decode text that looks like an encoded word, including the line ends in it.
    line = " ".join(printable.replace("=?", "= ?").split())
    return line if len(line) <= _MAX_LENGTH else line[: _MAX_LENGTH - 1] + "…"


def _address(mailbox: Mailbox) -> Address:
    if not is_mail_address(mailbox.address):
        raise MailRefused(f"{mailbox.address[:80]!r} is not a mail address; correct it, then retry the job")
    local, _, domain = mailbox.address.rpartition("@")
    try:
        return Address(one_line(mailbox.name), username=local, domain=_ascii_domain(domain))
    except ValueError as error:
        raise MailRefused(f"{mailbox.address!r} is not a mail address ({error}); correct it") from error


def _ascii_address(url: str) -> str:
    parts = urlsplit(url)
    return quote(parts._replace(netloc=_ascii_domain(parts.netloc)).geturl(), safe="%/:=&?~#+!$,;'@()*[]")


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError as error:
        raise MailRefused(f"“{domain}” is not a valid mail domain; correct the address") from error
