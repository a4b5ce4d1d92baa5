"""The chain of the audit: what each row's digest is made of.

The digest is SHA-256 over a JSON object of all other columns, the digest of the row before among them. Keys are sorted,
there are no spaces, and characters outside ASCII are escaped, so that anybody can compute it from an exported line:
`before` and `after` go in as strings, which hold JSON of the same form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: The columns of the table, `digest` the last.
COLUMNS: Final = (
    "id", "at", "actor", "via", "address", "request", "token", "site", "action", "subject", "subject_id", "label",
    "before", "after", "previous", "digest",
)  # fmt: skip


def canonical_json(value: Any) -> str:
    """Return the one text that a value has as JSON here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(values: Sequence[Any]) -> str:
    """Return the digest of a row, given all its columns but the last."""
    row: Mapping[str, Any] = dict(zip(COLUMNS[:-1], values, strict=True))
    return hashlib.sha256(canonical_json(row).encode()).hexdigest()
