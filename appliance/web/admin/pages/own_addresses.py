"""Addresses of our own pages, to which people are sent on.

Guarantees that nobody is sent elsewhere by a link to our sign-in page that somebody else wrote.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

#: A path from the root of this origin. Browsers take two slashes, or a backslash for one, as the start of a host name,
#: and leave out tabs and line breaks before they look.
_OWN: Final = re.compile(r"/(?![/\\])[^\\#\x00-\x20\x7f-\xa0]*")
_LONGEST: Final = 2000


def own_address(wanted: str, otherwise: str = "/") -> str:
    """Return the address that a request asks to be sent to, if it is one of ours, and another one if not."""
    return wanted if len(wanted) <= _LONGEST and _OWN.fullmatch(wanted) else otherwise


def with_query(address: str, **arguments: str) -> str:
    """Return the address of a page of ours with a query of what is not empty, besides the one that it has."""
    given = {name: value for name, value in arguments.items() if value}
    if not given:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(given)}"
