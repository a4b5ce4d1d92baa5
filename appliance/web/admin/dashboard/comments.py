"""The comments: those that wait first, each with what one needs to know to decide, and decided with one key."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, request

from appliance.config import Config
from appliance.editorial import decisions
from appliance.editorial.queries import comment_context, moderation
from appliance.editorial.queries.comment_context import ModerationRow
from appliance.web.admin import guard
from appliance.web.admin.dashboard import comment_sentences
from appliance.web.admin.dashboard.comment_filter import AGES, View, asked_view, tabs
from appliance.web.admin.pages.layout import live_page, page, wanted_region

#: Comments of a page.
SIZE: Final = 50
#: Ids of comments in an address.
_IDS: Final = 20


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the route."""

    @guard.route(pages, "/comments", action="comment.read")
    def comments() -> Response:
        view = asked_view(config, request.args)
        if wanted_region() == "counts":
            return live_page("dashboard/comments.html", {"counts": "dashboard/_comment_counts.html"},
                             **_counts(config, view, _number(request.args.get("newest", ""))))  # fmt: skip
        return comments_page(config, view)


def comments_page(config: Config, view: View, status: int = 200) -> Response:
    """Answer with the page of a view."""
    newest = moderation.newest_comment()
    found = moderation.find_page(config, view.wanted, order=view.order, size=SIZE, after=view.after)
    rows = comment_context.read_rows(config, found.rows, view.wanted.sites, view.wanted.sender_sites)
    return page(
        "dashboard/comments.html",
        status if view.form.is_right else 422,
        page=found,
        rows=rows,
        ages=AGES,
        sites=[site for site in config.sites if site.name in guard.allowed_sites("comment.read")],
        is_search=view.wanted.is_search or bool(view.form.values["site"]),
        moderates=any(guard.principal().may("comment.moderate", row.site) for row in rows),
        newest=newest,
        told=_told(),
        **_counts(config, view, newest),
        **row_context(view.here),
    )


def row_context(back: str) -> dict[str, Any]:
    """What the template of a row needs besides the row: where to go back to, and what the user may do where."""
    several = len(guard.allowed_sites("comment.read")) > 1
    return {"back": back, "may": guard.principal().may, "several_sites": several}


def find_row(config: Config, comment: int) -> ModerationRow | None:
    """The comment with an id, if the user may read it."""
    sites = guard.allowed_sites("comment.read")
    senders = [site for site in sites if guard.principal().may("comment.read_sender", site)]
    return next(iter(comment_context.read_rows(config, [comment], sites, senders)), None)


def _counts(config: Config, view: View, newest: int) -> dict[str, Any]:
    """What the live region shows: the tabs, and whether comments came since the page was read."""
    counts = moderation.count_by_status(config, view.wanted)
    came = moderation.count_newer(config, view.wanted, newest) if newest and not view.wanted.is_search else None
    return {"view": view, "tabs": tabs(view, counts), "came": came}


def _told() -> dict[str, Any]:
    """What was done by the request that led here, as long as it can be undone."""
    act = decisions.find_act(request.args.get("act", ""))
    own = act if act is not None and act.made_by == guard.principal().name else None
    numbers = [_number(text) for text in request.args.get("left", "").split(",")[:_IDS]]
    left = [number for number in numbers if number]
    return {
        "act": own.key if own else "",
        "sentence": comment_sentences.done(own) if own else "",
        "left": comment_sentences.left(left) if left else [],
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
