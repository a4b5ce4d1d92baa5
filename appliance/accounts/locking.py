"""The lock under which what belongs to a user begins or ends."""

from __future__ import annotations

from appliance import db
from appliance.accounts.models import User
from appliance.errors import AccountError


def lock(user: User) -> User:
    """Lock a user until the transaction ends; return the user as it is now.

    Whatever begins for a user begins under this lock, and a user is disabled under it: otherwise a session that began
    at that moment would be seen neither by who ends all sessions nor as one of a disabled user.

    Raises:
        AccountError: there is no such user any more.
    """
    db.execute(f"SELECT id FROM account WHERE id = ? {db.for_update()}", [user.id]).fetchall()
    found = User.get_or_none(User.id == user.id)
    if found is None:
        raise AccountError(f"There is no user {user.name} any more.")
    return found


def lock_enabled(user: User) -> User:
    """Lock a user who is not disabled, like `lock`.

    Raises:
        AccountError: the user is disabled, or gone.
    """
    found = lock(user)
    if found.disabled_at is not None:
        raise AccountError(f"{user.name} is disabled; enable the user first.")
    return found
