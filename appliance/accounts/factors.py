"""All second factors of a user together: which there are, and their removal for somebody who lost them."""

from __future__ import annotations

from appliance import db
from appliance.accounts import acts, notices, sessions
from appliance.accounts.models import Passkey, RecoveryCode, User


def remove_all(user: User) -> None:
    """Remove the authenticator app, all passkeys and all recovery codes of a user, and end all sessions."""
    with db.write():
        db.execute("UPDATE account SET totp = NULL, totp_begun = NULL WHERE id = ?", [user.id])
        for model in (Passkey, RecoveryCode):
            model.delete().where(model.user == user.id).execute()
        sessions.end_all(user)
        acts.record("user.remove_second_factors", user)
        notices.enqueue_notice(user, "no-factor")
