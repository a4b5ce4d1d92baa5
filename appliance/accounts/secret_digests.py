"""Secrets of sessions, links and tokens: 256 random bits each, of which only a digest is stored.

A secret of so many bits cannot be guessed, so that a plain digest protects it as well as a slow one would. A copy of
the database lets nobody sign in.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Final

_LETTERS: Final = string.digits + string.ascii_letters
#: 62 to the power of 43 is a little more than 2 to the power of 256.
LENGTH: Final = 43


def new_secret(prefix: str = "") -> str:
    """Return a new secret of letters and digits."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


def digest(secret: str) -> str:
    """Return the digest by which a secret is found. Any text has one."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
