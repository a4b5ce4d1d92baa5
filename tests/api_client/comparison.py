"""What two runs of a command have to have in common, on the host and by the API."""

from __future__ import annotations

import re
from dataclasses import asdict

from tests.api_client.conftest import Installation, Told

#: Moments and what depends on them, which differ from one minute to the next.
_MOVING = re.compile(
    r'((?:modified|version|date|created_at|created_by|address|started_at|beat_at|memory|jobs|pid|name)"?:?)\s+"?[^\n]*'
)


def words_of(line: tuple[str, ...] | str) -> tuple[str, ...]:
    return (line,) if isinstance(line, str) else line


def settled(told: Told, one: Installation) -> tuple[str, str, int]:
    """What a command said, without its moments and the places that only one installation has."""
    out = _MOVING.sub(r"\1", told.out)
    # A settings file is there only on the host.
    error = told.error.replace(f"{one.folder}/appliance.toml: ", "")
    return out, error, told.status


def acts(one: Installation) -> list[dict[str, object]]:
    """The rows of the audit, without who did it, when, and the chain of digests."""
    kept = ("action", "subject", "subject_id", "site", "label", "before", "after")
    rows = [asdict(row) for row in one.audit()]
    return [
        {name: row[name] for name in kept}
        for row in rows
        if row["via"] in ("shell", "api") and row["actor"] != "set-up"
    ]
