"""Codes of authenticator apps (TOTP, RFC 6238): six digits that change every thirty seconds.

A code is taken in its own time step and one before and after, since clocks differ, by the clock of the database. It
counts once: of two who send the same code at the same moment, one is refused.
"""

from __future__ import annotations

from typing import Final

import pyotp

from appliance import db
from appliance.accounts import acts, notices, recovery_codes, sealing
from appliance.accounts.models import User
from appliance.accounts.settings import config_with_url, host_of
from appliance.errors import AccountError

#: Steps by which the clock of a phone may differ.
_SKEW: Final = 1


def begin(user: User) -> tuple[str, str]:
    """Return a new secret and the address that authenticator apps read, as a QR code or by a tap.

    The secret counts once `confirm` has seen a code of it.
    """
    secret = pyotp.random_base32()
    with db.write():
        User.update(totp_begun=sealing.seal(secret)).where(User.id == user.id).execute()
    return secret, _app(secret, user.name).provisioning_uri()


def begun(user: User) -> tuple[str, str] | None:
    """Return what `begin` returned, to show it again after a wrong code; None if nothing was begun."""
    row = User.get_by_id(user.id)
    if row.totp_begun is None:
        return None
    secret = sealing.unseal(row.totp_begun)
    return secret, _app(secret, row.name).provisioning_uri()


def confirm(user: User, code: str) -> None:
    """Ask for codes of the new secret from now on, in place of an earlier one.

    Raises:
        AccountError: the code is not of the new secret.
    """
    with db.write():
        row = User.get_by_id(user.id)
        step = None if row.totp_begun is None else _step(sealing.unseal(row.totp_begun), code, after=0)
        changed = step and db.execute(
            "UPDATE account SET totp = totp_begun, totp_begun = NULL, totp_step = ? WHERE id = ? AND totp_begun = ?"
            " RETURNING id", [step, row.id, row.totp_begun],
        ).fetchone()  # fmt: skip
        if not changed:
            raise AccountError("That is not the code of the new entry in your app; wait for the next one and try it.")
        acts.record("user.add_totp", row)
        notices.enqueue_notice(row, "totp")


def check(user: User, code: str) -> bool:
    """Return whether this is a code of the user's app, which has not been used."""
    row = User.get_by_id(user.id)
    if row.totp is None:
        return False
    secret = sealing.unseal(row.totp)
    step = _step(secret, code, after=row.totp_step)
    if step is None:
        return False
    with db.write():
        # The condition is what makes a code count once, whoever else checks it at this moment.
        return (
            db.execute(
                "UPDATE account SET totp_step = ?, totp = ? WHERE id = ? AND totp = ? AND totp_step < ? RETURNING id",
                [step, sealing.resealed(row.totp), row.id, row.totp, step],
            ).fetchone()
            is not None
        )


def remove(user: User) -> None:
    """Ask for no more codes. Recovery codes end too if no passkey is left that they could stand in for."""
    with db.write():
        changed = db.execute(
            "UPDATE account SET totp = NULL, totp_begun = NULL WHERE id = ? AND totp IS NOT NULL RETURNING id",
            [user.id],
        ).fetchone()
        if changed:
            acts.record("user.remove_totp", user)
            notices.enqueue_notice(user, "no-totp")
            recovery_codes.remove_unneeded(user)


def _step(secret: str, code: str, *, after: int) -> int | None:
    """Return the time step that a code belongs to, if it is a recent one later than `after`."""
    digits = "".join(code.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    app = pyotp.TOTP(secret)
    now = int(db.now()) // app.interval
    fitting = [
        step
        for step in range(now - _SKEW, now + _SKEW + 1)
        if pyotp.utils.strings_equal(app.generate_otp(step), digits) and step > after
    ]
    return fitting[0] if fitting else None


def _app(secret: str, name: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, name=name, issuer=host_of(config_with_url()))
