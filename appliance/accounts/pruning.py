"""Removes what signing in has left behind: ended sessions, links, challenges and tokens, and old failures."""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.accounts.settings import CHALLENGE_LIFETIME, rules
from appliance.accounts.throttling import KNOWN, WINDOW
from appliance.db import NOW

#: Seconds that ended tokens are listed.
_TOKENS: Final = 90 * 86_400.0


def prune() -> dict[str, int]:
    """Remove rows that have no effect any more; return their numbers by what they were."""
    idle, longest = rules().idle_minutes * 60.0, rules().session_hours * 3600.0
    statements = {
        "sessions": ("session", f"used_at < {NOW} - ? OR created_at < {NOW} - ?", [idle, longest]),
        "links": ("one_time_link", f"expires_at < {NOW}", []),
        "challenges": ("challenge", f"created_at < {NOW} - ?", [CHALLENGE_LIFETIME]),
        "sign-in failures": ("sign_in_failure", f"at < {NOW} - ?", [WINDOW]),
        "known networks": ("known_network", f"used_at < {NOW} - ?", [KNOWN]),
        "tokens": ("token", f"expires_at < {NOW} - ? OR revoked_at < {NOW} - ?", [_TOKENS, _TOKENS]),
    }
    counts = {}
    for what, (table, condition, values) in statements.items():
        with db.write():
            counts[what] = db.execute(f"DELETE FROM {table} WHERE {condition}", values).rowcount
    return counts
