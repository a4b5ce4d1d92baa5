"""Idempotency keys: a request that is sent again with its key is carried out once and gets the same answer.

Guarantees that the answer is stored in the transaction that carries the request out. So a process that is killed leaves
either both or neither, and a request whose answer got lost can be sent again without harm. A key belongs to the user
who used it, and to what was asked: another request with the same key is refused. Answers are kept for a day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from peewee import AutoField, BlobField, DoubleField, IntegerField, TextField

from appliance import clock, db
from appliance.db import NOW, BaseModel
from appliance.web.api.problems import Problem

#: Seconds that an answer is kept.
KEPT: Final = 86_400.0
#: Seconds after which a request without an answer counts as lost, more than any request may take.
_LOST: Final = 330.0
LONGEST_KEY: Final = 255
_PRUNED: Final = 1_000
#: Seconds between two prunings of a process.
_PRUNE_EVERY: Final = 60.0


class RequestKey(BaseModel):
    """A key, what was asked with it, and the answer once there is one."""

    id = AutoField()
    user = IntegerField(column_name="user_id")
    key = TextField()
    #: Of the method, the path and the body.
    digest = TextField()
    claimed_at = DoubleField()
    status = IntegerField(null=True)
    #: JSON object.
    headers = TextField(null=True)
    body = BlobField(null=True)

    class Meta:
        """A key is unique for its user."""

        table_name = "request_key"
        indexes = ((("user", "key"), True),)


RequestKey.add_index(RequestKey.index(RequestKey.claimed_at, name="request_key_claimed_at"))


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def digest_of(*parts: bytes) -> str:
    """Return the digest of what is asked."""
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


_CLAIM: Final = f"""
INSERT INTO request_key (user_id, key, digest, claimed_at) VALUES (?, ?, ?, {NOW})
ON CONFLICT (user_id, key) DO UPDATE SET digest = excluded.digest, claimed_at = excluded.claimed_at,
    status = NULL, headers = NULL, body = NULL
WHERE request_key.claimed_at < {NOW} - ? OR request_key.claimed_at > {NOW} + ?
   OR (request_key.status IS NULL AND request_key.claimed_at < {NOW} - ?)
RETURNING id, claimed_at
"""
_KNOWN: Final = "SELECT digest, status, headers, body FROM request_key WHERE user_id = ? AND key = ?"
_STORE: Final = """
UPDATE request_key SET status = ?, headers = ?, body = ? WHERE id = ? AND claimed_at = ? AND status IS NULL RETURNING id
"""
_FORGET: Final = "DELETE FROM request_key WHERE id = ? AND claimed_at = ? AND status IS NULL"


def perform_once(
    user: int, key: str, digest: str, perform: Callable[[], StoredAnswer], *, is_transaction: bool, keeps: bool = True
) -> tuple[StoredAnswer, bool]:
    """Carry out a request unless it was before; returns the answer, and whether it is that of before.

    Args:
        user: the id of the user who asks.
        key: the key.
        digest: of what is asked.
        perform: carries it out. If it raises, nothing is kept, so that the request may be corrected and sent again.
        is_transaction: whether it is carried out in the transaction that stores its answer.
        keeps: whether the answer may be stored. One with a secret may not, and the request is then refused when it
            comes again.

    Raises:
        Problem: the key was used for something else, or the request is still being carried out.
    """
    _prune_now_and_then()
    with db.write():
        claimed = db.execute(_CLAIM, [user, key, digest, KEPT, KEPT, _LOST]).fetchone()
        known = None if claimed else db.execute(_KNOWN, [user, key]).fetchone()
    if claimed is None:
        return _answer_again(known, digest), True
    try:
        with db.write() if is_transaction else nullcontext():
            answer = perform()
            stored = answer if keeps else StoredAnswer(0, {}, b"")
            with db.write():
                values = [stored.status, json.dumps(dict(stored.headers)), stored.body, *claimed]
                _require(db.execute(_STORE, values).fetchone())
    except BaseException:
        with db.suppress_unavailable(), db.write():
            db.execute(_FORGET, claimed)
        raise
    return answer, False


def _answer_again(known: tuple[str, int | None, str, bytes] | None, digest: str) -> StoredAnswer:
    if known is None:  # forgotten just now, since the first request was refused
        raise _in_progress()
    used_for, status, headers, body = known
    if used_for != digest:
        raise Problem(
            422, "This Idempotency-Key was used for another request within a day; use a new key for each.", "key-reused"
        )
    if status is None:
        raise _in_progress()
    if status == 0:
        raise Problem(
            409, "This request was carried out before, and its answer had a secret that is shown only once.", "done"
        )
    return StoredAnswer(status, json.loads(headers), bytes(body))


def _require(stored: object) -> None:
    """Check that the answer was stored: another request has not taken the key over meanwhile."""
    if stored is None:
        raise _in_progress()


def _in_progress() -> Problem:
    return Problem(
        409, "A request with this Idempotency-Key is being carried out; ask again in a moment.", "in-progress",
        {"Retry-After": "1"},
    )  # fmt: skip


_PRUNE: Final = f"""
DELETE FROM request_key WHERE id IN (SELECT id FROM request_key WHERE claimed_at < {NOW} - ? LIMIT {_PRUNED})
RETURNING id
"""


def prune() -> int:
    """Delete answers that are older than a day, a thousand at most; returns how many."""
    with db.write():
        return len(db.execute(_PRUNE, [KEPT]).fetchall())


#: When this process pruned last, by the monotonic clock.
_pruned_at = [0.0]


def _prune_now_and_then() -> None:
    """Delete old answers once a minute, so that no request deletes many."""
    if clock.monotonic() - _pruned_at[0] > _PRUNE_EVERY:
        _pruned_at[0] = clock.monotonic()
        prune()
