"""The address of an API, and the token that it is used with.

Guarantees that a token travels only over TLS, or on this host, and that it comes from where no other account reads it:
neither from the command line nor from a file that others may open.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from appliance.errors import ApiError

#: The variable that has the token.
TOKEN: Final = "APPLIANCE_TOKEN"  # noqa: S105 - a name
BASE: Final = "/api/v1"
_LONGEST: Final = 4096


def parse_address(text: str) -> str:
    """Return the address below which the operations of an API are.

    Raises:
        ApiError: the text is no address, or one to which a token would travel unencrypted.
    """
    advice = "give the address of the admin application, such as https://admin.example.org/"
    try:
        parts = urlsplit(text)
        named, port = parts.hostname, parts.port
    except ValueError:
        raise ApiError(f"--api: “{text}” is not an address; {advice}.") from None
    if parts.username is not None or parts.password is not None:
        raise ApiError(f"--api: leave out what stands before the @; the token belongs into {TOKEN}.")
    path = parts.path.rstrip("/")
    if parts.scheme not in ("https", "http") or not named or path not in ("", BASE) or parts.query or parts.fragment:
        raise ApiError(f"--api: “{text}” is not an address of an API; {advice}.")
    if parts.scheme == "http" and not _is_loopback(named):
        raise ApiError(f"--api: over {parts.scheme}:// everybody on the way could read the token; begin with https://.")
    host = f"[{named}]" if ":" in named else named
    return f"{parts.scheme}://{host}{f':{port}' if port is not None else ''}{BASE}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(environ: Mapping[str, str] = os.environ) -> str:
    """Return the token from the environment, or from its file.

    Raises:
        ApiError: there is none, it is no token, or others may read its file.
    """
    if given := environ.get(TOKEN, "").strip():
        return _checked(given, TOKEN)
    file = token_file()
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ApiError(
            f"There is no token: make one in your account or with tokens.add, and put it into {TOKEN} or {file}."
        ) from None
    except OSError as error:
        raise ApiError(f"{file}: cannot be read ({error.strerror}); put the token there, or into {TOKEN}.") from error
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid not in (os.geteuid(), 0):
            raise ApiError(f"{file}: it is no file of yours; put the token into a file of your own.")
        if about.st_mode & 0o077:
            raise ApiError(f"{file}: others may read it; take the token back if they did, and run: chmod 600 {file}")
        return _checked(stream.read(_LONGEST).decode("utf-8", "replace").strip(), str(file))


def token_file() -> Path:
    """Return the path of the file that has the token where the environment has none."""
    return Path("~/.config/appliance/token").expanduser()


def _checked(token: str, place: str) -> str:
    # What is wrong is not shown: it may be a password that was put there by mistake.
    if not re.fullmatch(r"app_[A-Za-z0-9_-]{16,200}", token):
        raise ApiError(f"{place}: that is no token; a token begins with app_ and is one word.")
    return token
