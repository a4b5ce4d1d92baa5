"""Words of which a filter knows only some."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.errors import ContentError


def refuse_unknown(what: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a word that is none of those allowed; an empty one stands for any.

    Raises:
        ContentError: it is none of them.
    """
    if value and value not in allowed:
        raise ContentError(f"“{value}” is no {what}; use one of {', '.join(allowed)}")
