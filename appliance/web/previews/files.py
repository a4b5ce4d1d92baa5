"""The files of a preview as answers: which file an address means, and as what it is sent.

Addresses mean what they mean on front ends: a folder is its index file.
"""

from __future__ import annotations

import mimetypes
from typing import Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from appliance.previews import store

_INDEX: Final = "index.html"
_TEXTS: Final = ("text/", "application/javascript", "application/json", "application/xml", "application/rss+xml",
                 "application/atom+xml", "image/svg+xml")  # fmt: skip
#: Types that hosts do not all know.
_TYPES: Final = {
    ".atom": "application/atom+xml", ".avif": "image/avif", ".css": "text/css", ".html": "text/html",
    ".js": "text/javascript", ".json": "application/json", ".mjs": "text/javascript", ".rss": "application/rss+xml",
    ".svg": "image/svg+xml", ".txt": "text/plain", ".webmanifest": "application/manifest+json", ".webp": "image/webp",
    ".woff": "font/woff", ".woff2": "font/woff2", ".xml": "application/xml",
}  # fmt: skip
_UNKNOWN: Final = "application/octet-stream"


def is_page(path: str) -> bool:
    """Whether an address below the root is that of a page, for which a visitor waits until it is up to date."""
    name = path.rpartition("/")[2]
    return "." not in name or name.endswith((".html", ".htm"))


def send_file(entry: int, path: str) -> BaseResponse | None:
    """The answer with a file of the preview of an entry; None if it has none at this address."""
    paths = [path + _INDEX] if path == "" or path.endswith("/") else [path, f"{path}/{_INDEX}"]
    found = store.read_file(entry, paths)
    if found is None:
        return None
    name, content = found
    if name == f"{path}/{_INDEX}":
        return redirect(f"{request.path}/", 302)
    kind = media_type(name)
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = "attachment" if kind == _UNKNOWN else "inline"
    return response.make_conditional(request, accept_ranges=True, complete_length=len(content))


def media_type(path: str) -> str:
    """The value of Content-Type for a file, by its name."""
    ending = path[path.rfind(".") :].lower() if "." in path.rpartition("/")[2] else ""
    kind = _TYPES.get(ending) or mimetypes.guess_type(f"x{ending}", strict=True)[0] or _UNKNOWN
    return f"{kind}; charset=utf-8" if kind.startswith(_TEXTS) else kind
