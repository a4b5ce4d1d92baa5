"""Signed tokens for readers: forms, receipts of comments, and links in mails about replies.

Guarantees that a token was given out by this installation, for the purpose it is used for, and at the time it names. So
nothing has to be stored for a form that nobody sends, and no cookie is needed. All publishing hosts sign with one key,
which is in the database; the web process does not have it. Ages are measured by the database's clock, and a token from
the future is refused, since it would last longer than it may.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final, Literal

from itsdangerous import BadData, URLSafeSerializer

from appliance import db
from appliance.content.comment_models import Secret
from appliance.db import NOW

NoticeAction = Literal["confirm", "unsubscribe"]

#: Seconds after which a form is to be sent once more.
FORM_AGE: Final = 86_400.0
#: Seconds in which notices can be confirmed.
CONFIRMATION_AGE: Final = 7 * 86_400.0
#: The name of the key in the table of secrets.
_KEY: Final = "reader tokens"
#: Seconds that a token may seem to come from the future: the database may have moved to a host whose clock is behind.
_AHEAD: Final = 5.0


@dataclass(frozen=True, slots=True)
class FormToken:
    """The token of a form."""

    #: What makes this form one: a comment is saved once for each nonce.
    nonce: str
    entry: int
    #: Seconds since the form was made.
    age: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a comment, by the nonce of its form. It tells nobody whether the comment was saved."""

    nonce: str
    #: Seconds since the comment was posted.
    age: float


@dataclass(frozen=True, slots=True)
class NoticeToken:
    """The token of a link in a mail about replies."""

    #: The id of the ReplyNotice. SQLite gives ids of deleted rows out again, so that the address has to be compared.
    notice: int
    #: A digest of the mail address that the link was sent to.
    address: str

    def is_for(self, email: str) -> bool:
        """Whether the link was sent to this address."""
        return self.address == _digest(email)


class Signer:
    """Makes and reads tokens with one key. Every method takes the database's current time."""

    def __init__(self, key: str) -> None:
        self._forms = _serializer(key, "form")
        self._receipts = _serializer(key, "receipt")
        self._notices = {action: _serializer(key, action) for action in ("confirm", "unsubscribe")}

    def form(self, entry: int, now: float) -> str:
        """A token for a new form on an entry."""
        return _dump(self._forms, secrets.token_urlsafe(12), entry, round(now, 2))

    def read_form(self, token: str, entry: int, now: float) -> FormToken | None:
        """The token of a form on an entry; None if it is forged, of another entry or too old."""
        match _load(self._forms, token):
            case [str(nonce), int(found), int() | float() as made] if found == entry and _lives(made, now, FORM_AGE):
                return FormToken(nonce, entry, max(0.0, now - made))
        return None

    def receipt(self, nonce: str, now: float) -> str:
        """A receipt for the comment that was sent with the form of this nonce."""
        return _dump(self._receipts, nonce, round(now, 2))

    def read_receipt(self, receipt: str, now: float) -> Receipt | None:
        """A receipt; None if it is forged or a day old."""
        match _load(self._receipts, receipt):
            case [str(nonce), int() | float() as made] if _lives(made, now, FORM_AGE):
                return Receipt(nonce, max(0.0, now - made))
        return None

    def notice(self, notice: int, email: str, action: NoticeAction, now: float) -> str:
        """A token for the link in a mail that confirms or ends a reader's notices; `notice` is the ReplyNotice's id."""
        return _dump(self._notices[action], notice, _digest(email), int(now))

    def read_notice(self, token: str, action: NoticeAction, now: float) -> NoticeToken | None:
        """The token of a link; None if it is forged, or too old to confirm. Ending never expires."""
        match _load(self._notices[action], token):
            case [int(notice), str(address), int(made)]:
                if action == "unsubscribe" or _lives(made, now, CONFIRMATION_AGE):
                    return NoticeToken(notice, address)
        return None


def load_signer() -> Signer:
    """The signer with the installation's key, which is created when it is first needed."""
    found = _key()
    if found is None:
        with db.write():
            db.acquire_lock("secret")  # two hosts at once: the second finds the key of the first
            found = _key()
            if found is None:
                found = secrets.token_urlsafe(32)
                db.execute(
                    f"INSERT INTO secret (name, value, created_at) VALUES (?, ?, CAST({NOW} AS INTEGER))", [_KEY, found]
                )
    return Signer(found)


def _key() -> str | None:
    found = Secret.get_or_none(Secret.name == _KEY)
    return None if found is None else str(found.value)


def _digest(email: str) -> str:
    return hashlib.blake2b(email.lower().encode(), digest_size=9).hexdigest()


def _serializer(key: str, purpose: str) -> URLSafeSerializer:
    kwargs = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=f"appliance {purpose}", signer_kwargs=kwargs)


def _dump(serializer: URLSafeSerializer, *values: object) -> str:
    made = serializer.dumps(values)
    return made if isinstance(made, str) else made.decode()


def _load(serializer: URLSafeSerializer, token: str) -> Any:
    try:
        return serializer.loads(token)
    except BadData:
        return None


def _lives(made: float, now: float, seconds: float) -> bool:
    return now - seconds <= made <= now + _AHEAD
