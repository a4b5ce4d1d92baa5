"""Signatures of requests after Standard Webhooks, version 1 (https://www.standardwebhooks.com/).

What is signed is the id, the time and the body, joined by dots, with HMAC-SHA256. Several secrets may be in use while
they are changed: a request then bears one signature for each, and one that fits is enough.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.errors import WebhookRefused

#: Begins a secret that is written in base64.
PREFIX: Final = "whsec_"
#: Seconds that the time of a request may differ from ours.
TOLERANCE: Final = 300
#: Bytes that a secret must have.
_SHORTEST: Final = 16
#: Characters of a file with secrets.
_LONGEST: Final = 65_536


def read_secrets(file: Path) -> list[str]:
    """Return the secrets in a file, one in each line, as they are written.

    Raises:
        WebhookRefused: the file cannot be read, others may read it, or it holds no secret.
    """
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = "" if mode & 0o077 else file.read_text("utf-8")[:_LONGEST]
    except (OSError, UnicodeDecodeError) as error:
        raise WebhookRefused(f"the secret of a webhook cannot be read: {error}; mend the file") from error
    if mode & 0o077:
        raise WebhookRefused(f"{file} has mode {mode:04o}, so others may use the secret; run: chmod 600 {file}")
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise WebhookRefused(f"{file} holds no secret; write one on its first line, such as {PREFIX} and 32 bytes")
    return found


def key_of(secret: str) -> bytes:
    """Return the key of a secret: the bytes that it writes in base64 after `whsec_`, or else its text.

    Raises:
        WebhookRefused: the base64 is wrong, or the key is short.
    """
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error as error:
            raise WebhookRefused(f"a secret begins with {PREFIX} and goes on with no base64; write it anew") from error
    else:
        key = secret.encode()
    if len(key) < _SHORTEST:
        raise WebhookRefused(f"a secret has {len(key)} bytes; write one of {_SHORTEST} or more")
    return key


def sign(secrets: Sequence[str], number: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`.

    Raises:
        WebhookRefused: a secret cannot be used.
    """
    return " ".join(_signature(key_of(secret), number, str(timestamp), body) for secret in secrets)


def verify(secrets: Sequence[str], number: str, timestamp: str, given: str, body: bytes, now: float) -> bool:
    """Return whether a request was signed with one of the secrets, not long ago."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
        return False
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    expected = [_signature(key_of(secret), number, timestamp, body).encode() for secret in secrets]
    offered = [one.encode() for one in given.split(" ")[:16]]
    # Every pair is compared, so that the time tells nothing.
    return sum(hmac.compare_digest(one, other) for one in expected for other in offered) > 0


def _signature(key: bytes, number: str, timestamp: str, body: bytes) -> str:
    content = b".".join((number.encode("utf-8", "replace"), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
