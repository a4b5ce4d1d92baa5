"""One mail: plain text with proper headers.

Guarantees that nothing a reader or an author wrote can add a header or a recipient: names and subjects lose line ends
and every other character that is not printable, and an address that is not one address is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from appliance import clock
from appliance.config.services import is_mail_address
from appliance.errors import MailRefused

#: Characters of a name or subject; mail with longer ones is refused here and there.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Person:
    """A name people read and the address mail goes to."""

    name: str
    address: str


def compose(
    sender: Person, to: Person, subject: str, text: str, *, identity: Sequence[str], reply_to: Person | None = None
) -> EmailMessage:
    """A mail, ready to be sent.

    Args:
        sender: whom it comes from.
        to: whom it goes to.
        subject: in one line, of any characters.
        text: plain text.
        identity: what tells this mail from every other. The Message-ID is made of it, so that the same mail sent
            twice bears the same one and the receiver may show it once.
        reply_to: where answers go; left out when that is no address.

    Raises:
        MailRefused: the sender's or the receiver's address is not one.
    """
    # 7bit: no server between here and there must be able to carry more.
    international = not all(person.address.rpartition("@")[0].isascii() for person in (sender, to))
    message = EmailMessage(policy.SMTP.clone(cte_type="7bit", utf8=international))
    message["From"] = _address(sender)
    message["To"] = _address(to)
    if reply_to and is_mail_address(reply_to.address) and reply_to.address.isascii():
        message["Reply-To"] = _address(reply_to)
    message["Subject"] = one_line(subject)
    message["Date"] = format_datetime(clock.local(clock.now()))
    message["Message-ID"] = message_id(identity, sender.address)
    # RFC 3834: nobody's holiday notice shall answer.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(text.encode("utf-8", "replace").decode("utf-8"))
    return message


def message_id(identity: Sequence[str], sender: str) -> str:
    """The Message-ID of the mail that `identity` tells from all others, in the sender's domain."""
    digest = hashlib.blake2b("\0".join(identity).encode(), digest_size=20).hexdigest()
    return f"<{digest}@{_ascii_domain(sender.rpartition('@')[2])}>"


def one_line(text: str) -> str:
    """`text` as it may stand in a header: printable characters in one line, not too many."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    # What looks encoded would be decoded on its way into the header, line ends and all.
    line = " ".join(printable.replace("=?", "= ?").split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _address(person: Person) -> Address:
    if not is_mail_address(person.address):
        raise MailRefused(f"{person.address[:80]!r} is not a mail address; correct it, then try the job again")
    local, _, domain = person.address.rpartition("@")
    try:
        return Address(one_line(person.name), username=local, domain=_ascii_domain(domain))
    except ValueError as error:
        raise MailRefused(f"{person.address!r} is not a mail address ({error}); correct it") from error


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError as error:
        raise MailRefused(f"“{domain}” is not a domain that mail can be sent to; correct the address") from error
