"""Recovery codes: ten codes to print, each of which stands in for a lost second factor once."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from appliance import db
from appliance.accounts import acts, notices
from appliance.accounts.locking import lock_enabled
from appliance.accounts.models import RecoveryCode, User
from appliance.db import NOW

#: How many a user gets.
COUNT: Final = 10
#: No vowels, so that no code is a word, and nothing that looks like something else.
_LETTERS: Final = "bcdfghjkmnpqrstvwxz23456789"
_GROUPS, _LENGTH = 4, 4


def create(user: User) -> list[str]:
    """Return ten new codes, which cannot be shown again. Earlier ones no longer work."""
    codes = ["-".join(_group() for _ in range(_GROUPS)) for _ in range(COUNT)]
    with db.write():
        lock_enabled(user)
        RecoveryCode.delete().where(RecoveryCode.user == user.id).execute()
        for code in codes:
            salt = secrets.token_hex(16)
            RecoveryCode.insert(user=user.id, salt=salt, digest=_digest(salt, code)).execute()
        acts.record("user.make_recovery_codes", user)
    return codes


def use(user: User, code: str) -> bool:
    """Return whether this is one of the user's codes that was not used, and use it up."""
    # All are read at once: SQLite begins no write transaction while a statement still reads an older state.
    for row in list(RecoveryCode.select().where(RecoveryCode.user == user.id, RecoveryCode.used_at.is_null())):
        if secrets.compare_digest(row.digest, _digest(row.salt, code)):
            with db.write():
                # The condition is what makes a code count once, whoever else uses it at this moment.
                used = db.execute(
                    f"UPDATE recovery_code SET used_at = {NOW} WHERE id = ? AND used_at IS NULL RETURNING id", [row.id]
                ).fetchone()
                if used:
                    acts.record("user.use_recovery_code", user, after={"left": left(user)})
                    notices.enqueue_notice(user, "recovery")
            return used is not None
    return False


def left(user: User) -> int:
    """Return how many codes of a user were not used."""
    return int(RecoveryCode.select().where(RecoveryCode.user == user.id, RecoveryCode.used_at.is_null()).count())


def remove_unneeded(user: User) -> None:
    """Remove the codes of a user who has no second factor any more."""
    db.execute(
        "DELETE FROM recovery_code WHERE user_id = ? AND NOT EXISTS"
        " (SELECT 1 FROM passkey p WHERE p.user_id = recovery_code.user_id)"
        " AND EXISTS (SELECT 1 FROM account a WHERE a.id = recovery_code.user_id AND a.totp IS NULL)", [user.id],
    )  # fmt: skip


def _group() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def _digest(salt: str, code: str) -> str:
    letters = "".join(sign for sign in code.casefold() if sign.isalnum())
    return hashlib.sha256(f"{salt} {letters}".encode()).hexdigest()
