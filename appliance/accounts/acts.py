"""What the audit keeps of users, sessions and tokens: one row for each act, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance import actor as acting
from appliance import audit
from appliance.accounts.models import User
from appliance.actor import Actor


def record(
    action: str,
    user: User,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Record an act on a user. Call it inside the write transaction."""
    audit.record(action, "user", user.id, label=user.name, before=before, after=after, actor=actor)


def oneself(user: User, address: str) -> Actor:
    """Return the user as who acts, before there is a session that says so."""
    return Actor(user.name, "browser", address=address, request=acting.current().request)


def somebody(address: str) -> Actor:
    """Return who acts if that is not known, since they failed to sign in."""
    return replace(Actor("", "browser", address=address), request=acting.current().request)
