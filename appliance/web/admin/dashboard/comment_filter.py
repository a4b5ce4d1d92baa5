"""The view of the comments that an address asks for: status, search, order and page.

Guarantees that an address holds the whole view, so that it can be sent to a colleague, and that comments of sites
without a role are in none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from appliance import editorial
from appliance.config import Config
from appliance.content.models import CommentStatus
from appliance.editorial.queries.moderation import ModerationFilter
from appliance.errors import ContentError
from appliance.paging import Count
from appliance.web.admin import guard
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.own_addresses import with_query

PATH: Final = "/comments"
#: The tabs: the word of each in addresses, its text, and the status.
TABS: Final[tuple[tuple[str, str, CommentStatus], ...]] = (
    ("held", "Held", "pending"),
    ("approved", "Approved", "approved"),
    ("spam", "Spam", "spam"),
)
EVERY: Final = "all"
ORDERS: Final = ("newest", "oldest")
_FIELDS: Final = ("text", "sender", "entry", "site", "age")
_LONGEST: Final = 200
_AGE: Final = re.compile(r"([<>])([1-9][0-9]{0,3})([hdw])")
_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 604_800}
#: The ages that the form offers.
AGES: Final = (
    ("<1h", "the last hour"), ("<1d", "the last day"), ("<1w", "the last week"), ("<4w", "the last four weeks"),
    (">1d", "more than a day ago"), (">1w", "more than a week ago"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """What a page of comments shows."""

    wanted: ModerationFilter
    #: The word of the tab.
    tab: str
    order: str
    after: str | None
    #: What was typed, with what is wrong in it.
    form: Form
    #: What the address needs to show the same comments, apart from the page.
    arguments: Mapping[str, str]

    def address(self, **changed: str) -> str:
        """The address of the view with other arguments; an empty one is left out."""
        return with_query(PATH, **{**self.arguments, **changed})

    @property
    def here(self) -> str:
        """The address of this very page."""
        return self.address(after=self.after or "")


def asked_view(config: Config, given: Mapping[str, str], action: str = "comment.read") -> View:
    """The view that an address or a form asks for, on the sites where the user may take an action.

    Raises:
        Forbidden: there is no such site.
    """
    form = Form({name: given.get(name, "").strip()[:_LONGEST] for name in _FIELDS})
    allowed = guard.allowed_sites(action)
    sites = [site for site in allowed if form.values["site"] in ("", site)]
    if not sites:
        form.refuse("site", f"There is no site “{form.values['site']}” whose comments you may see.")
    senders = [site for site in sites if guard.principal().may("comment.read_sender", site)]
    tab = given.get("status", "")
    tab = tab if tab in {name for name, _, _ in TABS} | {EVERY} else TABS[0][0]
    status = {name: status for name, _, status in TABS}.get(tab, "")
    order = given.get("order", "") if given.get("order") in ORDERS else ORDERS[0]
    younger, older = _age(form)
    wanted = ModerationFilter(
        sites, senders, status=status, text=form.values["text"], sender=form.values["sender"],
        entry=_entry(config, form, sites), younger=younger, older=older,
    )  # fmt: skip
    if not form.is_right:
        wanted = replace(wanted, sites=())
    arguments = {"status": "" if tab == TABS[0][0] else tab, **form.values, "order": "" if order == "newest" else order}
    return View(wanted, tab, order, given.get("after") or None, form, arguments)


def tabs(view: View, counts: Mapping[CommentStatus, Count]) -> list[tuple[str, str, str | None, bool]]:
    """The tabs as templates show them: address, text, count, and whether it is this one."""
    to = partial(view.address, after="")
    known = [
        (to(status="" if name == TABS[0][0] else name), text, str(counts[status]), view.tab == name)
        for name, text, status in TABS
    ]
    return [*known, (to(status=EVERY), "All", None, view.tab == EVERY)]


def _age(form: Form) -> tuple[float, float]:
    """How young and how old comments may be, in seconds."""
    text = form.values["age"]
    if not text:
        return 0, 0
    found = _AGE.fullmatch(text)
    if found is None:
        form.refuse(
            "age", f"“{text}” is no age; write it like <2d for the last two days, or >1w for older than a week."
        )
        return 0, 0
    seconds = float(int(found[2]) * _SECONDS[found[3]])
    return (seconds, 0) if found[1] == "<" else (0, seconds)


def _entry(config: Config, form: Form, sites: list[str]) -> int:
    """The id of the entry that is named by its id, slug or address; 0 if none is."""
    text = form.values["entry"]
    if not text:
        return 0
    for site in sites:
        try:
            return int(editorial.find_entry(editorial.find_site(config, site), text).id)
        except ContentError:
            continue
    form.refuse("entry", f"There is no entry “{text}”; give its id, slug or address below the site.")
    return 0
