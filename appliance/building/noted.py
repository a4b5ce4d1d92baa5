"""The `site` of templates that notes what is asked of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appliance.building.facts import Facts
from appliance.building.reads import note, note_list, noted_post
from appliance.building.views import Link, Period, Person, Post, Term


class NotedFacts(Facts):
    """Facts that note what a template asks for."""

    def __getattribute__(self, name: str) -> Any:
        if name in _PLAIN:
            note(f"site:{name}")
        return super().__getattribute__(name)

    def recent(self, count: int) -> tuple[Post, ...]:
        """As of any facts."""
        note_list(f"recent:{count}")
        return super().recent(count)

    def categories(self) -> tuple[Term, ...]:
        """As of any facts."""
        note("categories")
        return super().categories()

    def tags(self, count: int | None = None) -> tuple[Term, ...]:
        """As of any facts."""
        note("tags" if count is None else f"tags:{count}")
        return super().tags(count)

    def authors(self) -> tuple[Person, ...]:
        """As of any facts."""
        note("authors")
        return super().authors()

    def archives(self, kind: str) -> tuple[Period, ...]:
        """As of any facts."""
        note(f"archives:{kind}")
        return super().archives(kind)

    def pages(self) -> tuple[Link, ...]:
        """As of any facts."""
        note("pages")
        return super().pages()

    def now(self, every: str = "1d") -> datetime:
        """As of any facts."""
        note(f"now:{every}")
        return super().now(every)

    def _view(self, name: str) -> type[Post]:
        return noted_post(name)


_PLAIN = frozenset({"name", "title", "url", "root", "description", "language", "comment_endpoint", "feed_url"})
