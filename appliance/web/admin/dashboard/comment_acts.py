"""Decisions of moderators: about one comment, a selection, or all that match; and undoing them.

Guarantees that a decision is about what the moderator saw: a comment that somebody changed or deleted since is left
alone, and the moderator is told by whom. All that match are those that matched when their number was shown: none that
came later, and none about which somebody has decided since.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest

from appliance import db
from appliance.config import Config
from appliance.editorial import decisions
from appliance.editorial.decisions import DECISIONS, Decision
from appliance.editorial.queries import comment_context, moderation
from appliance.editorial.queries.comment_context import ModerationRow
from appliance.errors import ContentError
from appliance.row_ids import parse_row_id
from appliance.web.admin import guard
from appliance.web.admin.dashboard import comment_sentences
from appliance.web.admin.dashboard.comment_filter import PATH, asked_view
from appliance.web.admin.dashboard.comments import find_row, row_context
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.own_addresses import own_address, with_query

_ACTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("approved", "pending", "spam"), "comment.moderate"),
    "deleted": "comment.delete",
}
#: Ids of comments that were left alone, which the next page may name.
_LEFT: Final = 20
#: Comments about which one transaction decides.
_TOGETHER: Final = 1_000


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/comments/act", action="comment.moderate", methods=("POST",))
    def decide_comments() -> Response:
        guard.allowed_sites("comment.moderate")
        decision, choices = _decision(request.form), _choices(request.form.getlist("comment"))
        back = own_address(request.form.get("back", ""), PATH)
        if not choices:
            return see(back, "comments-none")
        if request.headers.get("HX-Request") and len(choices) == 1:
            return _decide_in_place(config, next(iter(choices)), choices, decision, back)
        act = secrets.token_urlsafe(12)
        left = _decide(config, choices, decision, act)
        return _go_on(back, act, left)

    @guard.route(pages, "/comments/undo", action="comment.moderate", methods=("POST",))
    def undo_comments() -> Response:
        sites = guard.allowed_sites("comment.moderate")
        back, key = own_address(request.form.get("back", ""), PATH), request.form.get("act", "")
        in_place = parse_row_id(request.form.get("comment", "")) if request.headers.get("HX-Request") else 0
        if in_place:
            return _undo_in_place(config, key, sites, in_place, back)
        undone = decisions.undo(config, key, sites, actor=guard.principal().actor())
        return _go_on(back, "", list(undone.left), "comments-undone" if undone.done else "")

    @guard.route(pages, "/comments/all", action="comment.moderate")
    def ask_about_all() -> Response:
        return _ask(config)

    @guard.route(pages, "/comments/all", action="comment.moderate", methods=("POST",), endpoint="decide_all")
    def decide_all() -> Response:
        return _decide_all(config)


def _decide(config: Config, choices: Mapping[int, str | None], decision: Decision, act: str) -> list[int]:
    """Decide about comments of any sites; returns the ids of those that were left alone."""
    sites = comment_context.site_of_comments(choices)
    for site in sorted(set(sites.values())):
        guard.require(_ACTIONS[decision], site)
    left = sorted(choices.keys() - sites.keys())
    for site in sorted(set(sites.values())):
        own = {key: version for key, version in choices.items() if sites.get(key) == site}
        result = decisions.decide(config, site, own, decision, act=act, actor=guard.principal().actor())
        left += result.subject.left
    return left


def _decide_in_place(
    config: Config, comment: int, choices: Mapping[int, str | None], decision: Decision, back: str
) -> Response:
    """Decide about one comment, and answer with its row alone, for the script."""
    before, act = find_row(config, comment), secrets.token_urlsafe(12)
    if left := _decide(config, choices, decision, act):
        why = comment_sentences.why_left(decisions.last_acts(left).get(comment))
        return _row(find_row(config, comment), comment, back, 409, note=why)
    row = find_row(config, comment) or (before and replace(before, status=decision))  # type: ignore[arg-type]
    made = decisions.find_act(act)
    return _row(row, comment, back, act=made.key if made else "", sentence=comment_sentences.done(made) if made else "")


def _undo_in_place(config: Config, key: str, sites: list[str], comment: int, back: str) -> Response:
    try:
        undone = decisions.undo(config, key, sites, actor=guard.principal().actor())
    except ContentError as error:
        return _row(find_row(config, comment), comment, back, 409, note=str(error))
    if comment in undone.done:
        return _row(find_row(config, comment), comment, back, sentence="Undone.")
    why = comment_sentences.why_left(decisions.last_acts([comment]).get(comment))
    return _row(find_row(config, comment), comment, back, 409, note=why)


def _row(
    row: ModerationRow | None, comment: int, back: str, status: int = 200, *, act: str = "", note: str = "",
    sentence: str = "",
) -> Response:  # fmt: skip
    """One row in its place, and what was done for whoever listens."""
    return page(
        "dashboard/_comment_answer.html", status, row=row, number=comment, act=act, note=note, sentence=sentence,
        **row_context(back),
    )  # fmt: skip


def _ask(config: Config) -> Response:
    """Ask before a decision about all that match, with their number."""
    decision = _decision(request.args)
    view = asked_view(config, request.args, _ACTIONS[decision])
    now, newest = int(db.now()), moderation.newest_comment()
    matches = moderation.find_matches(config, replace(view.wanted, newest=newest))
    return page(
        "dashboard/comments_all.html", 200 if view.form.is_right else 422, view=view, decision=decision,
        matches=matches, has_more=matches.has_more, newest=newest, asked=now,
        number=comment_sentences.number_of(matches.number),
    )  # fmt: skip


def _decide_all(config: Config) -> Response:
    decision = _decision(request.form)
    view = asked_view(config, request.form, _ACTIONS[decision])
    newest, asked, expected = (parse_row_id(request.form.get(name, "")) for name in ("newest", "asked", "expected"))
    matches = moderation.find_matches(config, replace(view.wanted, newest=newest, undecided_since=asked))
    if not view.form.is_right or matches.number > expected:
        raise BadRequest("More comments match now than were counted. Go back, and ask again.")
    act, done = secrets.token_urlsafe(12), 0
    for site, ids in matches.ids.items():
        guard.require(_ACTIONS[decision], site)
        for some in db.chunks(ids, _TOGETHER):
            result = decisions.decide(
                config, site, dict.fromkeys(some), decision, status=view.wanted.status, act=act,
                actor=guard.principal().actor(),
            )  # fmt: skip
            done += len(result.subject.done)
    return _go_on(view.address(), act, [], "" if done else "comments-none-left")


def _go_on(back: str, act: str, left: list[int], done: str = "") -> Response:
    """Go on at the next comment, told what was done."""
    answer = see(with_query(back, act=act, left=",".join(map(str, left[:_LEFT]))), done)
    if following := parse_row_id(request.form.get("next", "")):
        answer.headers["Location"] += f"#c-{following}"
    return answer


def _decision(given: Mapping[str, str]) -> Decision:
    if given.get("act") not in DECISIONS:
        raise BadRequest("Choose what becomes of the comments: approve, hold, spam or delete.")
    return cast("Decision", given["act"])


def _choices(given: list[str]) -> dict[int, str | None]:
    """The comments that were chosen, with the version of each that the moderator saw: `7:0f3c…`."""
    found: dict[int, str | None] = {}
    for text in given:
        number, _, version = text.partition(":")
        if not (comment := parse_row_id(number)) or not version:
            raise BadRequest
        found[comment] = version
    return found
