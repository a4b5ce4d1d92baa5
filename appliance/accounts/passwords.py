"""Passwords: which are taken, how they are kept, and how one is checked.

Guarantees that a check takes the same work whether or not there is such a user or password, so that its time tells
nothing, and that few checks run at once, so that signing in cannot use up the memory of the host. Kept are hashes by
Argon2id with the second recommended parameters of RFC 9106; a hash with other parameters is replaced at the next
sign-in. The rules are those of OWASP's ASVS 4.0, 2.1: at least twelve characters, nothing about which kinds of them,
and none of the passwords that attackers try first.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance import db
from appliance.accounts import acts, notices, sessions
from appliance.accounts.locking import lock_enabled
from appliance.accounts.models import OneTimeLink, User
from appliance.actor import Actor
from appliance.db import NOW
from appliance.errors import WeakPassword

#: The fewest characters and the most bytes of a password.
SHORTEST, LONGEST = 12, 1024
#: The most digits and signs around a common password that still leave it one that is tried first.
_DECORATION: Final = 6
#: Rows of keys, as they are typed one after the other.
_RUNS: Final = ("1234567890" * 110, "abcdefghijklmnopqrstuvwxyz" * 41, "qwertyuiopasdfghjklzxcvbnm" * 41)
#: The fewest different characters.
_DIFFERENT: Final = 5
#: The fewest characters besides the user's name and address, and the fewest that such a word has to have.
_OWN, _WORD = 8, 4

#: Makes and checks hashes. Tests put a quicker one in its place.
hasher = PasswordHasher()

#: Each check takes 64 MiB.
_AT_ONCE: Final = threading.BoundedSemaphore(2)


def require_strong(password: str, user: User | None = None) -> None:
    """Check that a password may be used.

    Raises:
        WeakPassword: it is too short, too long, about the user, or one that others guess first.
    """
    text = _normalized(password)
    if len(text) < SHORTEST:
        raise WeakPassword(f"The password is too short; use at least {SHORTEST} characters, such as four random words.")
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise WeakPassword(f"The password is too long; use at most {LONGEST} bytes.")
    rest = text.casefold()
    for word in _words_about(user):
        rest = rest.replace(word, "")
    if len(rest) < _OWN:
        raise WeakPassword("The password is little more than your name or address; choose another.")
    if _is_common(text.casefold()):
        raise WeakPassword("The password is one of those that attackers try first; choose another.")


def set_password(user: User, password: str, *, keep: int | None = None) -> None:
    """Give a user a new password. Other sessions than the one to `keep` end, and links to set one no longer work.

    Raises:
        WeakPassword: the password may not be used.
        AccountError: the user is disabled.
    """
    require_strong(password, user)
    store(user, make_hash(password), keep=keep)


def make_hash(password: str) -> str:
    """Return the hash of a password. It takes long: never call it inside a transaction."""
    with _AT_ONCE:
        return hasher.hash(_normalized(password).encode("utf-8", "surrogatepass"))


def store(user: User, made: str, *, keep: int | None = None, actor: Actor | None = None) -> None:
    """Store the hash of a new password."""
    with db.write():
        lock_enabled(user)
        db.execute(f"UPDATE account SET password = ?, password_at = {NOW} WHERE id = ?", [made, user.id])
        OneTimeLink.delete().where(OneTimeLink.user == user.id).execute()
        sessions.end_all(user, except_=keep, actor=actor)
        acts.record("user.set_password", user, actor=actor)
        notices.enqueue_notice(user, "password")
    user.password = made


def is_right(user: User | None, password: str) -> bool:
    """Return whether this is the user's password, after the same work for every user and for none.

    A hash with outdated parameters is replaced.
    """
    given = _normalized(password[: LONGEST + 1]).encode("utf-8", "surrogatepass")
    dummy = _dummy(hasher)  # made by whoever signs in first, known or not
    kept = user.password if user is not None and user.password else dummy
    with _AT_ONCE:
        try:
            hasher.verify(kept, given)
        except (VerificationError, InvalidHashError):
            return False
    if user is None or not user.password:
        return False
    if hasher.check_needs_rehash(kept):
        renewed = make_hash(password)
        with db.write():
            db.execute("UPDATE account SET password = ? WHERE id = ? AND password = ?", [renewed, user.id, kept])
        user.password = renewed
    return True


def _normalized(password: str) -> str:
    """Return one text for the same characters, whichever keyboard composed them (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


@cache
def _dummy(maker: PasswordHasher) -> str:
    """Return a hash to check against for users that do not exist."""
    return maker.hash(b"")


def _words_about(user: User | None) -> list[str]:
    if user is None:
        return []
    local, _, domain = user.email.partition("@")
    words = {user.email, user.name, user.display, local, domain, *user.display.split()}
    return sorted((word.casefold() for word in words if len(word) >= _WORD), key=len, reverse=True)


def _is_common(text: str) -> bool:
    if len(set(text)) < _DIFFERENT or any(text in run or text[::-1] in run for run in _RUNS):
        return True
    half = text[: len(text) // 2]
    core = text.strip("".join(sign for sign in set(text) if not sign.isalpha()))
    found = _common()
    return text in found or (half * 2 == text and half in found) or (
        core in found and len(text) - len(core) <= _DECORATION
    )  # fmt: skip


@cache
def _common() -> frozenset[str]:
    """Return common passwords, from those that were found most often in leaks."""
    return frozenset(files("appliance.accounts").joinpath("common_passwords.txt").read_text("utf-8").splitlines())
