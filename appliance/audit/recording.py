"""Recording what is done.

Guarantees that a row is committed with what it is about or not at all, that rows of one transaction keep their order,
and that recording never makes a deadlock: all rows of a transaction are written at its end, under a lock that is taken
after all others and released by the commit that follows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from appliance import actor as actors
from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.audit import values
from appliance.audit.chain import COLUMNS, digest
from appliance.db import NOW

_INSERT: Final = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({db.placeholders(len(COLUMNS))})"

_HEAD: Final = f"""
SELECT {NOW}, COALESCE((SELECT MAX(id) FROM audit), 0),
       COALESCE((SELECT digest FROM audit ORDER BY id DESC LIMIT 1), '')
"""

# What is buffered until the end: the columns after the time, up to the values.
_Buffered = tuple[str | None, ...]


def record(
    action: str,
    subject: str,
    subject_id: int | str = "",
    *,
    site: str = "",
    label: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: Actor | None = None,
) -> None:
    """Record something that is done. Call it once for each act, in the transaction that does it.

    Args:
        action: a noun and a verb: a name of `rights.ACTIONS` where one fits.
        subject: the kind of thing that it is done to: `entry`.
        subject_id: which one.
        site: the name of the site; empty for what concerns the installation.
        label: what people call the subject, such as a title.
        before, after: what changed, as it was and as it is. Long texts and lists are shortened. Never secrets, and
            nothing that identifies a reader: see `mask_email` and `mask_network`.
        actor: who acts; by default, and for `UNKNOWN`, whoever `actor.acting` names.
    """
    who = actors.current() if actor is None or actor == UNKNOWN else actor
    texts = (
        who.name, who.via, who.address, who.request, who.token, site, action, subject, str(subject_id), label,
    )  # fmt: skip
    db.collect((*map(values.clean, texts), values.encode(before), values.encode(after)), _write)


def _write(buffered: list[_Buffered]) -> None:
    """Append rows to the chain. The lock is released by the commit, when the rows are seen by whoever gets it next."""
    db.acquire_lock("audit")
    now, number, previous = db.execute(_HEAD).fetchone()
    for one in buffered:
        number += 1
        row = (number, now, *one, previous)
        previous = digest(row)
        db.execute(_INSERT, (*row, previous)).close()
