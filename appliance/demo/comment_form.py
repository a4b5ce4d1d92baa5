"""A reader who comments through the form of a page, as a browser with scripts does, over HTTP."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode

from appliance import clock
from appliance.demo.frontend import HOST, FrontEnd
from appliance.errors import DemoError

#: Seconds to wait for a response.
_TIMEOUT = 10.0


@dataclass(frozen=True)
class CommentForm:
    """The comment form of a page, with a fresh token."""

    front_end: FrontEnd
    #: The root-relative address that it is sent to.
    action: str
    #: The values of its hidden fields.
    fields: dict[str, str]

    def send(self, name: str, text: str) -> tuple[int, str]:
        """Send a comment; returns the status, and where the reader is led to."""
        body = urlencode({**self.fields, "name": name, "text": text, "action": "post"})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.front_end.url.rstrip("/"),
            "Sec-Fetch-Site": "same-origin",
        }
        with closing(_connect(self.front_end)) as connection:
            connection.request("POST", self.action, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status, response.getheader("Location", "")


def open_form(front_end: FrontEnd, address: str, seconds: float) -> CommentForm:
    """Read the form of the page at the root-relative `address`, and fetch its token as the page's script does.

    Raises:
        DemoError: the page has no form, or the web process gives no token within `seconds`.
    """
    parser = _FormParser()
    parser.feed(_get(front_end, address)[1].decode("utf-8", "replace"))
    if not parser.action or not parser.token:
        raise DemoError(f"{front_end.url.rstrip('/')}{address} has no comment form; see the logs in {front_end.folder}")
    deadline = clock.monotonic() + seconds
    while True:
        status, body = _get(front_end, parser.token)
        if status == http.client.OK:
            return CommentForm(front_end, parser.action, {**parser.fields, "token": json.loads(body)["token"]})
        if clock.monotonic() > deadline:
            raise DemoError(
                f"{front_end.url.rstrip('/')}{parser.token} is answered with {status}; see the logs in"
                f" {front_end.folder.parent}"
            )
        clock.sleep(0.01)


def _connect(front_end: FrontEnd) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(HOST, front_end.http_port, timeout=_TIMEOUT)


def _get(front_end: FrontEnd, address: str) -> tuple[int, bytes]:
    with closing(_connect(front_end)) as connection:
        connection.request("GET", address)
        response = connection.getresponse()
        return response.status, response.read()


class _FormParser(HTMLParser):
    """Finds the comment form of a page: its action, the address of its token, and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = self.token = ""
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the form and its hidden fields."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and "data-token" in values:
            self.action, self.token, self._inside = values.get("action", ""), values["data-token"], True
        elif self._inside and tag == "input" and values.get("type") == "hidden":
            self.fields[values.get("name", "")] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the form."""
        self._inside = self._inside and tag != "form"
