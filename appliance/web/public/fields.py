"""The fields of a form that was sent, read within limits.

A form is read only if it is short, has few fields and is encoded as browsers do by default. Files cannot be sent. So no
request can make the process hold more than the setting `body`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

#: How browsers encode a form by default.
ENCODING: Final = "application/x-www-form-urlencoded"
_MOST: Final = 32


def read_fields(request: Request, limit: int) -> Mapping[str, str]:
    """Return the fields of a form by name, with plain line ends.

    Raises:
        HTTPException: the request is no form, or is too long.
    """
    if request.mimetype != ENCODING:
        raise UnsupportedMediaType
    if request.content_length is None:
        raise BadRequest
    if request.content_length > limit:
        raise RequestEntityTooLarge
    body = request.stream.read(request.content_length)
    if len(body) != request.content_length:
        raise BadRequest
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError as error:  # also what is no UTF-8
        raise BadRequest from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest
    return {name: value.replace("\r\n", "\n").replace("\r", "\n") for name, value in fields.items()}


def read_number(text: str) -> int | None:
    """An id in a form or a query; None when it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    return int(text) or None


def read_token(text: str) -> str:
    """What the intake signed, as far as it can be that; empty otherwise."""
    return text if len(text) <= 500 and text.isascii() and text.isprintable() else ""
