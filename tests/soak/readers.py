"""Readers of every front end, who look at the files themselves all the time.

They check that no page is missing that was there and nobody removed, that no page or mention of one goes back to an
older change, that no file's version goes back, and that every file is whole: by its last line, and because it is, to
the byte, one that was published under the version it bears. A whole one that is in nobody's journal was put in place
by a worker that was killed before it could write that down; those are counted.

A front end that is wiped or restored is out of service until it shows all that had been published by then, as whoever
does that to it takes it out of the hands of readers.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.demo.frontend import FrontEnd
from tests.soak.load import Removals

_CHANGE = re.compile(rb"page (\d+) change (\d+)")
#: What a page begins and ends with, and what a listing ends with.
_PAGE = re.compile(rb"(<!-- page \d+ change \d+ -->)\n.*\1", re.DOTALL)
_LISTING_ENDS = b"<!-- end -->"


@dataclass
class _Shown:
    """What a reader was shown of one path of one front end."""

    version: int = 0
    #: The newest change of each page that it names.
    changes: dict[bytes, int] = field(default_factory=dict)
    there: bool = False


class Readers:
    """A thread; what it finds wrong is in `faults`, one sentence each."""

    def __init__(self, fronts: Sequence[FrontEnd], removals: Removals, pause: float, seed: int) -> None:
        self.faults: list[str] = []
        self.looks = 0
        #: (path, version, digest) of every file that was seen, with where and when it first was.
        self.seen: dict[tuple[str, int, str], str] = {}
        self._fronts = {front.name: front for front in fronts}
        self._removals = removals
        self._pause = pause
        self._random = random.Random(f"readers {seed}")
        self._shown: dict[str, defaultdict[str, _Shown]] = {name: defaultdict(_Shown) for name in self._fronts}
        #: Grows whenever a front end goes out of service or comes back; odd while it is out.
        self._turns = dict.fromkeys(self._fronts, 0)
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="readers")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def out_of_service(self, name: str) -> None:
        """Look at a front end no more."""
        self._turns[name] += 1

    def in_service(self, name: str) -> None:
        """Look at it again; what it showed before counts no more."""
        self._shown[name] = defaultdict(_Shown)
        self._turns[name] += 1

    def _run(self) -> None:
        while not self._stop.is_set():
            for name in self._fronts:
                paths = ["index.html", *(self._shown[name].keys() - {"index.html"})]
                # The index as often as a dozen pages: it changes with everything.
                for path in {"index.html", *self._random.sample(paths, min(12, len(paths))), self._any()}:
                    self._look(name, path)
            self._stop.wait(self._pause)

    def _any(self) -> str:
        return f"page-{self._random.randrange(80)}/index.html"

    def _look(self, name: str, path: str) -> None:
        turn, shown = self._turns[name], self._shown[name][path]
        if turn % 2:
            return
        content, version = _read(self._fronts[name].docroot / path)
        found = self._judge(name, path, shown, content, version)
        if turn != self._turns[name]:
            return  # it went out of service meanwhile
        self.looks += 1
        at = f"{time.monotonic() - self._began:.2f} s: {name}: {path}"
        self.faults += [f"{at}: {fault}" for fault in found]
        if content is not None:
            digest = hashlib.blake2b(content, digest_size=32).hexdigest()
            self.seen.setdefault((path, version, digest), at)

    def _judge(self, name: str, path: str, shown: _Shown, content: bytes | None, version: int) -> list[str]:
        if content is None:
            return self._judge_missing(path, shown)
        found = [] if _is_whole(content) else [f"is torn: {len(content)} bytes, the last of them {content[-40:]!r}"]
        if version < shown.version:
            found.append(f"shows version {version} after {shown.version}")
        for page, change in _CHANGE.findall(content):
            if int(change) < shown.changes.get(page, 0):
                found.append(f"shows change {int(change)} of page {int(page)} after {shown.changes[page]}")
            shown.changes[page] = max(int(change), shown.changes.get(page, 0))
        shown.version, shown.there = max(version, shown.version), True
        return found

    def _judge_missing(self, path: str, shown: _Shown) -> list[str]:
        if not shown.there:
            return []
        shown.there = False
        newest = max(shown.changes.values(), default=0)
        removal = None if path == "index.html" else self._removals.first_after(path, newest)
        if removal is None:
            return [f"is missing, and nobody removed it after change {newest}"]
        # What comes back must be newer than what was removed.
        shown.changes = dict.fromkeys(shown.changes, removal)
        return []


def _is_whole(content: bytes) -> bool:
    return content.endswith(_LISTING_ENDS) or bool(_PAGE.fullmatch(content))


def _read(file: Path) -> tuple[bytes | None, int]:
    """The bytes and the version of one file, of the same moment."""
    try:
        with file.open("rb") as opened:
            return opened.read(), int(os.fstat(opened.fileno()).st_mtime)
    except (FileNotFoundError, NotADirectoryError):
        return None, 0
