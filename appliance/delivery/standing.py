"""What people asked of a target, and what was found there: every publishing host reads it from the database.

`pause` and `resume` are heeded by every courier within a second, also by one in the middle of a push.
"""

from __future__ import annotations

from typing import Any

from peewee import EXCLUDED

from appliance import db
from appliance.delivery.models import Standing


def read(name: str) -> Standing:
    """Where the target called `name` stands; a row that is not saved when nothing was ever said of it."""
    found: Standing | None = Standing.get_or_none(Standing.target == name)
    return found or Standing(target=name)


def paused() -> set[str]:
    """The names of the targets that are paused."""
    return {str(name) for (name,) in db.execute("SELECT target FROM standing WHERE paused").fetchall()}


def pause(name: str) -> None:
    """Send the target called `name` nothing until it is resumed; a push under way is ended."""
    note(name, paused=True)


def resume(name: str) -> None:
    """Send the target called `name` what it has missed."""
    note(name, paused=False)


def note(name: str, **values: Any) -> None:
    """Write down something of the target called `name`, and wake who waits for news."""
    with db.write():
        Standing.insert(target=name, **values).on_conflict(
            conflict_target=[Standing.target],
            update={getattr(Standing, field): getattr(EXCLUDED, field) for field in values},
        ).execute()
        db.notify()
