"""Readers of the front ends, over HTTP, and what they must never see."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime

#: Seconds in which a front end answers, on a machine as busy and slow as one likes.
_PATIENCE = 60.0

#: Seconds between two looks of a reader at one front end.
_PACE = 0.02


#: The host name of the first site in every scenario; other names are refused.
NAME = "www.example.org"


class Answer:
    """What a front end answered: `status`, the whole `body`, and the `version`, the file's time in seconds."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.body = answer.read()
        modified = answer.headers["Last-Modified"]
        self.version = int(parsedate_to_datetime(modified).timestamp()) if modified else 0


class Connection:
    """A connection to one front end, opened again when the server has closed it."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=_PATIENCE)

    def get(self, path: str) -> Answer:
        """Ask for a path; once more by a new connection if the old one is closed, as web servers do with idle ones."""
        if self._connection.sock is not None:
            with contextlib.suppress(http.client.RemoteDisconnected, ConnectionError):
                return self._ask(path)
            self.close()
        return self._ask(path)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, path: str) -> Answer:
        self._connection.request("GET", path, headers={"Host": NAME})
        return Answer(self._connection.getresponse())


def await_everywhere(
    addresses: Mapping[str, str], path: str, seen: Callable[[Answer], bool], seconds: float = 60.0
) -> float:
    """Ask all front ends for a path until each has answered as wanted; the moment the last one did (monotonic)."""
    waiting = {name: Connection(address) for name, address in addresses.items()}
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        for name, connection in list(waiting.items()):
            if seen(connection.get(path)):
                waiting.pop(name).close()
        time.sleep(0.002)
    moment = time.monotonic()
    for connection in waiting.values():
        connection.close()
    assert not waiting, f"{path} is not as it should be on {', '.join(waiting)} after {seconds:.0f} s"
    return moment


def says(text: str) -> Callable[[Answer], bool]:
    """Whether a page is there and says so."""
    return lambda answer: answer.status == http.client.OK and text.encode() in answer.body


def is_gone(answer: Answer) -> bool:
    return answer.status == http.client.NOT_FOUND


class Readers:
    """One reader a front end, who asks for its pages in turn, again and again, and notes what is wrong.

    Wrong is a page that is there and is not found, a version after a newer one, half a page, and a version that has
    other bytes than the same version had before or has on another front end.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.looks = 0
        self.newer = 0
        self._pages: list[str] = []
        self._bytes: dict[tuple[str, int], str] = {}
        self._readers: dict[str, tuple[threading.Thread, threading.Event]] = {}

    def watch(self, pages: Iterable[str]) -> None:
        """Ask for these from now on, which are there."""
        self._pages = sorted({*self._pages, *pages})

    def join(self, name: str, address: str) -> None:
        """Begin to read a front end, which is in service."""
        ended = threading.Event()
        thread = threading.Thread(target=self._read, args=(name, address, ended), name=f"reader of {name}", daemon=True)
        self._readers[name] = thread, ended
        thread.start()

    def leave(self, name: str) -> None:
        """Read a front end no more, which goes out of service."""
        thread, ended = self._readers.pop(name)
        ended.set()
        thread.join()

    def end(self) -> None:
        for name in list(self._readers):
            self.leave(name)

    def _read(self, name: str, address: str, ended: threading.Event) -> None:
        connection, shown, chance = Connection(address), dict[str, int](), random.Random(name)
        for turn in itertools.count():
            if ended.wait(_PACE):
                break
            path = "/" if turn % 10 == 0 else chance.choice(self._pages)
            try:
                answer = connection.get(path)
            except (http.client.HTTPException, OSError) as error:
                self._fault(f"{name} did not answer for {path}: {error!r}")
                connection.close()
            else:
                self._look(name, path, answer, shown)
        connection.close()

    def _look(self, name: str, path: str, answer: Answer, shown: dict[str, int]) -> None:
        self.looks += 1
        before = shown.get(path, 0)
        if answer.status != http.client.OK:
            return self._fault(f"{name} answered {answer.status} for {path}, which is there")
        if answer.version < before:
            self._fault(f"{name} shows {path} of {answer.version} after that of {before}")
        if path.endswith("/") and not answer.body.rstrip().endswith(b"</html>"):
            self._fault(f"{name} shows half of {path}: {len(answer.body)} bytes")
        digest = hashlib.sha256(answer.body).hexdigest()
        if self._bytes.setdefault((path, answer.version), digest) != digest:
            self._fault(f"{name} shows other bytes of {path} of {answer.version} than were shown before")
        self.newer += before != 0 and answer.version > before
        shown[path] = answer.version
        return None

    def _fault(self, sentence: str) -> None:
        self.faults.append(f"{time.strftime('%H:%M:%S')} {sentence}")
