"""Values as the audit keeps them: only those that changed, of a bounded size, and nothing that readers may have erased.

A row of the audit stays for ever. It therefore never holds a reader's e-mail or network address in full.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, Final

from appliance.audit.chain import canonical_json

#: Characters of a text that are kept.
_TEXT: Final = 2000
#: Items of a list that are kept.
_ITEMS: Final = 100
#: Bytes that all values of one side of a row may take.
_WHOLE: Final = 64 * 1024


def changed_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that differ, as they were and as they are."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {n: before[n] for n in names if n in before}, {n: after[n] for n in names if n in after}


def encode(values: Mapping[str, Any] | None) -> str | None:
    """Return values as the JSON of a row; None if there are none."""
    if not values:
        return None
    text = canonical_json({str(name): shorten(value) for name, value in values.items()})
    if len(text) <= _WHOLE:
        return text
    return canonical_json({"fields": sorted(map(str, values))[:_ITEMS], **summary(text)})


def shorten(value: Any) -> Any:
    """Return a value that fits into a row and into JSON."""
    match value:
        case str() if len(value) > _TEXT:
            return {"text": value[:_TEXT], **summary(value)}
        case bool() | int() | str() | None:
            return value
        case float():
            return value if value - value == 0 else str(value)  # neither infinite nor not a number
        case Mapping():
            return {str(name): shorten(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
            kept = [shorten(item) for item in items[:_ITEMS]]
            return kept if len(items) <= _ITEMS else {"first": kept, "count": len(items)}
    return str(value)


def summary(text: str) -> dict[str, Any]:
    """Return by what a text is recognised that is not kept."""
    return {"length": len(text), "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def clean(text: str) -> str:
    """Return a short text for a column: without what a database cannot store."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()[:_TEXT]


def mask_email(address: str) -> str:
    """Return enough of a reader's address to recognise it by, and no more: `i…@example.org`."""
    name, at, domain = address.partition("@")
    return f"{name[:1]}…{at}{domain}"


def mask_network(network: str) -> str:
    """Return a network without the part that tells one connection from its neighbours."""
    found = ip_network(network, strict=False)
    kept = 24 if found.version == 4 else 48
    return str(found if found.prefixlen <= kept else found.supernet(new_prefix=kept))
