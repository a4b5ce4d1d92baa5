"""What the address of the list of jobs says: the search, the order and the place. Acts lead back to the same view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.config import Config
from appliance.queue.administration import ORDERS
from appliance.queue.job_search import LONGEST, Search, parse
from appliance.web.admin import guard
from appliance.web.admin.pages.own_addresses import with_query
from appliance.web.admin.pages.shown_times import zone_of

LIST: Final = "/jobs"


@dataclass(frozen=True, slots=True)
class JobView:
    """A view of the list of jobs."""

    search: Search
    order: str
    #: The cursor of the page before; empty on the first page.
    after: str

    @classmethod
    def of(cls, config: Config, given: Mapping[str, str]) -> JobView:
        """Read the view from the fields of an address or a form."""
        search = parse(given.get("q", "")[: LONGEST + 1], guard.allowed_sites("job.read"), zone_of(config))
        order = given.get("order", "queue")
        is_known = order.removeprefix("-") in ORDERS
        return cls(search, order if is_known else "queue", given.get("after", "") if is_known else "")

    def page(self, after: str = "") -> str:
        """Return the address of the page of this view after a cursor; of the first one without it."""
        return self.address(after=after)

    def address(self, **changes: str) -> str:
        """Return the address of this view, or of one that differs in `q`, `order` or `after`.

        Another search or order begins at its first page.
        """
        own = {"q": self.search.text, "order": "" if self.order == "queue" else self.order}
        place = {} if {"q", "order"} & set(changes) else {"after": self.after}
        return with_query(LIST, **{**own, **place, **changes})
