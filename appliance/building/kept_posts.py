"""Posts of listings, kept from one batch to the next while nothing changes.

An entry is on a page of the index, of each of its categories, tags and authors, and of its periods. What a worker has
loaded for one of them serves for the others. All that is kept belongs to one state of the content, the plan and the
theme: the builder makes new, empty ones as soon as any change is recorded. Memory is bounded, and the posts that were
kept first go first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from appliance.building import loaders
from appliance.building.dependency_tracking import tracked_post
from appliance.building.loaders import KnownTerms, SiteContext
from appliance.building.views import Post

#: Bytes that the posts of all sites may take in one process, as far as they are counted.
ROOM: Final = 40 << 20
#: Bytes of a post beside its texts, with the fragments that templates made of it.
_OBJECT: Final = 3000


class KeptPosts:
    """The posts of one site that are kept, and the terms and authors that they share."""

    def __init__(self, room: int = ROOM) -> None:
        #: Bytes that may be taken.
        self.room = room
        self.terms: KnownTerms = KnownTerms()
        self._posts: dict[int, Post] = {}
        self._sizes: dict[int, int] = {}
        self._taken = 0

    def __len__(self) -> int:
        return len(self._posts)

    def load(self, context: SiteContext, ids: Iterable[int]) -> dict[int, Post]:
        """The published entries and pages among `ids`, by id, as listings show them."""
        wanted = sorted(ids)
        found = {id_: post for id_ in wanted if (post := self._posts.get(id_)) is not None}
        missing = [id_ for id_ in wanted if id_ not in found]
        for some in (missing[start : start + _AT_ONCE] for start in range(0, len(missing), _AT_ONCE)):
            loaded = loaders.load_posts(context, some, view=tracked_post(), terms=self.terms)
            for id_, post in loaded.items():
                object.__setattr__(post, "fragments", {})
                self._keep(id_, post)
            found |= loaded
        self._make_room()
        return found

    def _keep(self, id_: int, post: Post) -> None:
        html, excerpt = (Post.__dict__[name].__get__(post) for name in ("html", "excerpt"))  # not as a read
        size = _OBJECT + len(html) + len(excerpt)
        self._posts[id_], self._sizes[id_] = post, size
        self._taken += size

    def _make_room(self) -> None:
        while self._taken > self.room and self._posts:
            oldest = next(iter(self._posts))
            del self._posts[oldest]
            self._taken -= self._sizes.pop(oldest)


#: Posts loaded by one round of queries.
_AT_ONCE: Final = 1000
