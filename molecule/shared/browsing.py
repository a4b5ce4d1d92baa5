"""Browsers of people who use the admin application, over TLS and by its names, on one publishing host or another."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urlencode

from operating import Cluster

ADMIN, PREVIEW = "admin.example.org", "preview.example.org"

#: Seconds in which an answer comes, on a machine as busy and slow as one likes.
_PATIENCE = 60.0


class Answer(NamedTuple):
    """What the web server answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    def marked(self, name: str) -> str:
        """The text of the element with an id, which has no others in it."""
        found = re.search(rf'id="{name}"[^>]*>([^<]*)<', self.text)
        assert found, self.text
        return found[1]


class Browser:
    """One person's browser: it keeps the cookie, and goes to whichever publishing host it is told to."""

    def __init__(self, cluster: Cluster) -> None:
        self.cookie = ""
        self._addresses = {name: cluster.addresses[name] for name in cluster.publishers}
        # Each host has made a certificate of its own.
        self._trust = {
            name: ssl.create_default_context(cadata=cluster.run(name, f"cat /etc/ssl/certs/{ADMIN}.pem"))
            for name in cluster.publishers
        }

    def get(self, publisher: str, path: str = "/", *, name: str = ADMIN, host: str = "") -> Answer:
        """Ask a publishing host for a path under a name; `host` is the header, where it is another one."""
        return self.ask("GET", publisher, path, name=name, headers={"Host": host or name})

    def send(self, publisher: str, path: str, **fields: str) -> Answer:
        """Send a form of a page."""
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        return self.ask("POST", publisher, path, urlencode(fields).encode(), kind)

    def call(self, method: str, publisher: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API with a token in place of the cookie; what it answers, as JSON."""
        headers = {"Authorization": f"Bearer {token}", "Cookie": "", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        answer = self.ask(method, publisher, f"/api/v1{path}", sent, headers)
        assert answer.status < 300, answer
        return json.loads(answer.text)

    def ask(
        self,
        method: str,
        publisher: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        name: str = ADMIN,
    ) -> Answer:
        """Send one request by a connection of its own."""
        trust = self._trust[publisher]
        with socket.create_connection((self._addresses[publisher], 443), timeout=_PATIENCE) as opened:
            connection = http.client.HTTPSConnection(name, context=trust, timeout=_PATIENCE)
            connection.sock = trust.wrap_socket(opened, server_hostname=name)
            with closing(connection):
                connection.request(method, path, body, {"Host": name, "Cookie": self.cookie, **(headers or {})})
                answer = connection.getresponse()
                for cookie in SimpleCookie(answer.headers.get("Set-Cookie", "")).values():
                    self.cookie = f"{cookie.key}={cookie.value}"
                return Answer(answer.status, answer.headers, answer.read().decode())
