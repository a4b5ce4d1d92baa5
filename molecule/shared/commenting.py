"""Readers who write comments through the front ends, as a browser without scripts does."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import NamedTuple
from urllib.parse import urlencode

from reading import NAME, Answer

#: Seconds in which a front end answers: longer than nginx waits for one publishing host and then for another.
PATIENCE = 60.0
_ENTRY = re.compile(rb'data-token="([^"]+)\?entry=(\d+)"')


class Said(NamedTuple):
    """What a front end answered: the status, where it leads, the body, and the seconds that it took."""

    status: int
    location: str
    body: bytes
    seconds: float


class Form:
    """The comment form of a page, as one front end shows it."""

    def __init__(self, address: str, page: str) -> None:
        self.address, self.page = address, page
        found = _ENTRY.search(ask(address, "GET", page).body)
        assert found, f"{page} has no comment form"
        self.endpoint, self.entry = found[1].decode().removesuffix("/form"), found[2].decode()

    def token(self) -> str:
        """The number by which a comment is saved once, however often it is sent."""
        answer = ask(self.address, "GET", f"{self.endpoint}/form?entry={self.entry}")
        assert answer.status == http.client.OK, answer
        return str(json.loads(answer.body)["token"])

    def send(self, text: str, token: str, **headers: str) -> Said:
        """Send a comment; a front end that leads on has saved it."""
        fields = {"entry": self.entry, "name": "A reader", "text": text, "token": token}
        return ask(self.address, "POST", self.endpoint, fields, headers)


def ask(
    address: str, method: str, path: str, fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Said:  # fmt: skip
    """Send one request to a front end, by a connection of its own."""
    began = time.monotonic()
    body = urlencode(fields).encode() if fields is not None else None
    given = {"Host": NAME} | {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    if body is not None:
        given["Content-Type"] = "application/x-www-form-urlencoded"
    with closing(http.client.HTTPConnection(address, timeout=PATIENCE)) as connection:
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        found = answer.read()
        return Said(answer.status, answer.headers["Location"] or "", found, time.monotonic() - began)


class Commenters:
    """A reader at each front end, who writes one comment after another; `saved` are those that were taken."""

    def __init__(self, addresses: Mapping[str, str], page: str, pause: float = 0.2) -> None:
        """Have a form of each front end; `pause` is the seconds between two comments of one reader."""
        self._forms = {name: Form(address, page) for name, address in addresses.items()}
        self._pause = pause
        self.saved: list[str] = []
        self.refused: list[str] = []
        self.slowest = 0.0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have them write meanwhile."""
        ended = threading.Event()
        threads = [
            threading.Thread(target=self._write, args=(name, form, ended), daemon=True)
            for name, form in self._forms.items()
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def are_all_there(self, answer: Answer) -> bool:
        """Whether a page has each comment that was taken, once."""
        return all(answer.body.count(text.encode()) == 1 for text in self.saved)

    def _write(self, name: str, form: Form, ended: threading.Event) -> None:
        number = 0
        while not ended.wait(self._pause):
            number += 1
            text = f"Remark {number} at {name}, {time.time_ns()}."
            try:
                answer = form.send(text, form.token())
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.refused.append(f"{text} {error!r}")
                continue
            self.slowest = max(self.slowest, answer.seconds)
            if answer.status == http.client.SEE_OTHER:
                self.saved.append(text)
            else:
                self.refused.append(f"{text} {answer.status}")
