"""A server on loopback that answers as the documentation of Akismet's protocol says.

It judges by the author's name, as the service does with its test names. `say` changes how it answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

KEY = "a1b2c3d4e5f6"
THANKS = "Thanks for making the web a better place."
_SPAMMERS = ("viagra-test-123", "Seller")


class AkismetService(ThreadingHTTPServer):
    """The server, with what it was asked: path and fields."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        #: What it answers to reports, and with which status to everything.
        self.thanks, self.status = THANKS, 200
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/"

    @property
    def reports(self) -> list[tuple[str, dict[str, str]]]:
        """The calls that were reports, by name, with their fields."""
        return [(path.rpartition("/")[2], fields) for path, fields in self.asked if "/submit-" in path]


class _Handler(BaseHTTPRequestHandler):
    server: AkismetService

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.asked.append((self.path, fields))
        author = fields["comment_author"]
        text = "true" if author in _SPAMMERS else "false"
        if "/submit-" in self.path:
            text = self.server.thanks
        if fields["api_key"] != KEY:
            text = "invalid"
        self.send_response(500 if author == "down" else self.server.status)
        if author == "Seller":
            self.send_header("X-akismet-pro-tip", "discard")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def akismet_service() -> Iterator[AkismetService]:
    """Run the server until the block ends."""
    server = AkismetService()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
