"""The most bytes that a request may have: those of a form, or those of an upload where a view takes one."""

from __future__ import annotations

from typing import Final

from flask import request

from appliance.config import AdminSettings

#: Bytes that an upload's form has besides the file.
_FORM: Final = 65_536


def longest_body(settings: AdminSettings) -> int:
    """The most bytes that any request may have."""
    return max(settings.body, settings.upload + _FORM)


def allow_upload(settings: AdminSettings) -> None:
    """Let this request have as many bytes as a file may have. To be called before anything is read of it."""
    request.max_content_length = longest_body(settings)
