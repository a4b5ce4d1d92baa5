"""What editors and readers do to the site meanwhile: pages are edited, added, removed and commented on.

Every edit takes the next number, which the page then bears at its beginning and at its end, and which the index names.
A removal takes one too, noted before it is made: so whoever watches a front end knows what may be missing there.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from peewee import PeeweeException

from appliance import db, editorial, publishing
from appliance.content.models import Entry
from appliance.errors import ApplianceError, ContentError
from tests.local_site import LocalSite

#: Pages there are at most, and at first.
MOST, FIRST = 60, 30

ENTRY = """\
<!-- {{ entry.title }} -->
{{ entry.html }}
{% for comment in entry.comments %}<p>{{ comment.author }}: {{ comment.html }}</p>
{% endfor %}<!-- {{ entry.title }} -->"""
LISTING = """\
{% for e in listing.entries %}<a href="{{ e.url }}">{{ e.title }}</a> {{ e.comment_count }}
{% endfor %}<!-- end -->"""


class Removals:
    """The numbers under which each path was removed; what two threads tell each other."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def begin(self, path: str, number: int) -> None:
        """A path is about to be removed."""
        with self._lock:
            self._numbers.setdefault(path, []).append(number)

    def first_after(self, path: str, number: int) -> int | None:
        """The first removal of a path after the edit of that number."""
        with self._lock:
            return min((n for n in self._numbers.get(path, ()) if n > number), default=None)


class Load:
    """Edits at a rate, from a seed, on the connection of the thread that runs it."""

    def __init__(self, shop: LocalSite, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self.removals = Removals()
        self._shop = shop
        self._random = random.Random(f"load {seed}")
        self._number = self._pages = 0
        #: Page numbers with their entries, those that are gone, and comments.
        self._there: dict[int, int] = {}
        self._gone: list[int] = []
        self._comments: list[int] = []

    def begin(self) -> None:
        """The pages there are before anything happens."""
        for _ in range(FIRST):
            self._add(later=True)
        publishing.publish(self._shop.config)

    def run(self, rate: float, ended: Callable[[], bool]) -> None:
        """About `rate` edits a second until told that it has ended; those that cannot be made in time are left out."""
        due = time.monotonic()
        while not ended():
            self._once()
            due = max(due + 1 / rate, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def last(self) -> None:
        """One more edit, which has planned what an edit before it could not while the database was away."""
        while not self._made(self._edit):
            time.sleep(0.1)

    def _once(self) -> None:
        work, weight = zip(
            (self._edit, 55), (self._comment, 25), (self._uncomment, 5), (self._add, 8), (self._remove, 7), strict=True
        )
        self._made(self._random.choices(work, weight)[0])

    def _made(self, edit: Callable[[], None]) -> bool:
        """Whether an edit was made, as far as can be told."""
        try:
            edit()
        except ContentError:
            self.done["refused"] += 1  # the comment went with its page
        except (ApplianceError, PeeweeException) as error:
            if not (db.is_unavailable(error) or db.is_conflict(error)):
                raise
            self.done["lost with the database"] += 1
            db.disconnect()
            self._recall()
        else:
            return True
        return False

    def _recall(self) -> None:
        """Whether an edit that was lost with the database was made, only the database can tell."""
        with suppress(PeeweeException):
            there = {int(entry.slug.removeprefix("page-")): entry.id for entry in Entry.select()}
            self._gone = [page for page in range(self._pages) if page not in there]
            self._there = there

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _text(self, number: int) -> str:
        size = self._random.choice((20, 200, 200, 1000, 3000)) if self._random.random() > 0.02 else 60_000
        return f"{number} " + " ".join(str(self._random.getrandbits(20)) for _ in range(size))

    def _page(self) -> int:
        return self._random.choice(list(self._there))

    def _edit(self) -> None:
        page, number = self._page(), self._next()
        editorial.edit_entry(
            self._shop.config, "", self._there[page], title=f"page {page} change {number}", text=self._text(number)
        )
        self.done["edits"] += 1

    def _add(self, later: bool = False) -> None:
        if len(self._there) >= MOST:
            return
        # Rather a page that there was: its address comes back.
        again = self._gone and self._random.random() < 0.7
        page = self._random.choice(self._gone) if again else self._pages
        number = self._next()
        self._pages = max(self._pages, page + 1)
        done = editorial.add_entry(
            self._shop.config, "", f"page {page} change {number}", self._text(number), slug=f"page-{page}",
            status="published", date=1_700_000_000 + page * 1000, later=later,
        )  # fmt: skip
        if again:
            self._gone.remove(page)
        self._there[page] = done.subject.id
        self.done["added"] += 1

    def _remove(self) -> None:
        if len(self._there) <= FIRST // 2:
            return
        page, number = self._page(), self._next()
        self.removals.begin(f"page-{page}/index.html", number)
        editorial.delete_entries(self._shop.config, "", self._there[page])
        del self._there[page]
        self._gone.append(page)
        self.done["removed"] += 1

    def _comment(self) -> None:
        page, number = self._page(), self._next()
        done = editorial.add_comment(
            self._shop.config, "", self._there[page], f"Comment {number}.", author="A reader", status="approved"
        )
        self._comments.append(done.subject.id)
        self.done["comments"] += 1

    def _uncomment(self) -> None:
        if self._comments:
            number = self._comments.pop(self._random.randrange(len(self._comments)))
            editorial.delete_comments(self._shop.config, "", number)
            self.done["comments removed"] += 1
