"""Signing in: by name and password, by a passkey, and by a second factor after the password.

Guarantees that a refusal is the same in words and in work for a wrong password, an unknown name and a disabled user,
that guessing is slowed down (`throttling`), and that a session has a new secret after each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from appliance import db
from appliance.accounts import acts, notices, passkeys, passwords, recovery_codes, sessions, throttling, totp, users
from appliance.accounts.locking import lock
from appliance.accounts.models import Passkey, User
from appliance.accounts.sessions import Factor, SessionRow
from appliance.accounts.throttling import Attempt
from appliance.errors import AccountError, SignInRefused

_WRONG: Final = "Name and password do not belong together."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user who has just signed in, or a step further."""

    user: User
    #: The secret for the cookie.
    secret: str
    #: Its `pending` tells what is still to be shown.
    session: SessionRow


def sign_in(named: str, password: str, address: str, agent: str = "") -> SignedIn:
    """Start a session for the user with this name or e-mail address and this password.

    Raises:
        SignInRefused: they do not belong together, or there were too many wrong attempts.
    """
    user = _enabled(users.look_up_name(named))
    attempt = throttling.begin("password", throttling.account_of(named), address, user)
    if not passwords.is_right(user, password) or user is None:
        _refuse(_WRONG, user, attempt, "password", address)
    with db.write():
        # Locked before it is compared: a password that was changed meanwhile no longer counts.
        if (current := _enabled(lock(user))) is None or current.password != user.password:
            raise SignInRefused(_WRONG)
        return _started(user, attempt, "password", address, agent)


def with_passkey(response: str, challenge: str, address: str, agent: str = "") -> SignedIn:
    """Start a session for the owner of the passkey that signed a challenge.

    Raises:
        SignInRefused: it did not. Attempts are not limited, since nobody can guess a signature.
    """
    try:
        user = passkeys.authenticate(response, challenge)
        with db.write():
            return _started(user, None, "passkey", address, agent)
    except AccountError as error:
        raise SignInRefused(str(error)) from error


def confirm_password(session: SessionRow, password: str, address: str) -> SignedIn:
    """Have the user of a session show the password once more, before a change that needs it.

    Raises:
        SignInRefused: it is wrong, or there were too many wrong attempts.
    """
    user = User.get_by_id(session.user)
    attempt = throttling.begin("password", throttling.account_of(user.name), address, user)
    if not passwords.is_right(user, password):
        _refuse("The password is wrong.", user, attempt, "password", address)
    return _confirmed(user, session, attempt, "password", address)


def confirm_code(session: SessionRow, code: str, address: str) -> SignedIn:
    """Have the user of a session show a code of the authenticator app, or a recovery code.

    Raises:
        SignInRefused: it is wrong or was used, or there were too many wrong attempts.
    """
    user = User.get_by_id(session.user)
    attempt = throttling.begin("code", throttling.account_of(user), address, user)
    factor: Factor | None = (
        "totp" if totp.check(user, code) else "recovery" if recovery_codes.use(user, code) else None
    )  # fmt: skip
    if factor is None:
        _refuse("The code is wrong, or was used; wait for the next one.", user, attempt, "code", address)
    return _confirmed(user, session, attempt, factor, address)


def confirm_passkey(session: SessionRow, response: str, challenge: str, address: str) -> SignedIn:
    """Have the user of a session show one of their passkeys.

    Raises:
        SignInRefused: it is not theirs.
    """
    user = User.get_by_id(session.user)
    try:
        passkeys.authenticate(response, challenge, user)
    except AccountError as error:
        raise SignInRefused(str(error)) from error
    return _confirmed(user, session, None, "passkey", address)


def second_factors(user: User) -> frozenset[Factor]:
    """Return the second factors that a user has set up. Recovery codes stand in for either of the others."""
    row = User.get_by_id(user.id)
    has: dict[Factor, bool] = {
        "totp": row.totp is not None,
        "passkey": Passkey.get_or_none(Passkey.user == user.id) is not None,
        "recovery": recovery_codes.left(user) > 0,
    }
    return frozenset(factor for factor, found in has.items() if found)


def _enabled(user: User | None) -> User | None:
    return user if user is not None and user.disabled_at is None else None


def _started(user: User, attempt: Attempt | None, factor: Factor, address: str, agent: str) -> SignedIn:
    secret, session = sessions.start(user, address, agent, factors=[factor])
    _note(user, session, attempt, "user.sign_in", factor, address)
    return SignedIn(user, secret, session)


def _confirmed(user: User, session: SessionRow, attempt: Attempt | None, factor: Factor, address: str) -> SignedIn:
    with db.write():
        lock(user)  # before the session, as whoever disables a user does
        secret = sessions.renew(session.id, factor=factor)
        found = sessions.find(secret, address)
        if found is None:
            raise SignInRefused("The session has ended; sign in again.")
        _note(user, found[1], attempt, "user.confirm", factor, address)
    return SignedIn(user, secret, found[1])


def _note(user: User, session: SessionRow, attempt: Attempt | None, action: str, factor: Factor, address: str) -> None:
    if attempt is not None:
        throttling.forgive(attempt)
    if not session.pending and throttling.forget(user, address):
        notices.enqueue_notice(user, "network")
    after = {"session": session.id, "factor": factor, "pending": session.pending}
    acts.record(action, user, after=after, actor=acts.oneself(user, address))


def _refuse(sentence: str, user: User | None, attempt: Attempt, what: str, address: str) -> NoReturn:
    with db.write():
        throttling.keep(attempt)
        if user is not None:  # names of nobody could fill the audit, which keeps everything
            acts.record("user.sign_in_failed", user, after={"factor": what}, actor=acts.somebody(address))
    raise SignInRefused(sentence)
