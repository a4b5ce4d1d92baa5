"""Whose comments the sites refuse: banned by e-mail address or network, with a reason, and lifted again."""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.config import Config
from appliance.editorial import senders
from appliance.editorial.queries.comment_context import ModerationRow
from appliance.errors import ContentError
from appliance.web.admin import guard
from appliance.web.admin.dashboard.comment import read_row
from appliance.web.admin.dashboard.comment_filter import PATH
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.own_addresses import own_address

_BANS = "/comments/bans"


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/comments/bans", action="comment.read_sender")
    def bans() -> Response:
        return _list(config, Form())

    @guard.route(pages, "/sites/<site:site>/bans", action="comment.ban", methods=("POST",))
    def ban(site: str) -> Response:
        form = Form.sent()
        who = form.text("who", "Name a network, an e-mail address or the id of a comment.")
        try:
            if form.is_right:
                senders.ban(config, site, who, reason=form.text("reason"), actor=guard.principal().actor())
                return see(_BANS, "banned")
        except ContentError as error:
            form.refuse("who", str(error))
        guard.allowed_sites("comment.read_sender")
        return _list(config, form, 422)

    @guard.route(pages, "/sites/<site:site>/bans/lift", action="comment.ban", methods=("POST",))
    def lift_ban(site: str) -> Response:
        lifted = senders.unban(config, site, request.form.get("who", ""), actor=guard.principal().actor())
        return see(_BANS, "ban-lifted" if lifted else "ban-gone")

    @guard.route(pages, "/sites/<site:site>/comments/<int:comment>/ban", action="comment.ban")
    def ask_ban(site: str, comment: int) -> Response:
        guard.require("comment.read_sender", site)
        row = read_row(config, site, comment)
        return _ask(row, Form(chosen={"who": frozenset([row.email.lower()] if row.email else [row.origin.network])}))

    @guard.route(
        pages, "/sites/<site:site>/comments/<int:comment>/ban", action="comment.ban", methods=("POST",),
        endpoint="ban_sender",
    )  # fmt: skip
    def ban_sender(site: str, comment: int) -> Response:
        guard.require("comment.read_sender", site)
        row, form = read_row(config, site, comment), Form.sent("who")
        known = {one for one in (row.email.lower(), row.origin.network) if one}
        chosen = sorted(form.chosen["who"] & known)
        if not chosen:
            form.refuse("", "Choose whom to ban: the e-mail address, the network, or both.")
            return _ask(row, form, 422)
        for who in chosen:
            senders.ban(config, site, who, reason=form.text("reason"), actor=guard.principal().actor())
        return see(own_address(form.values.get("back", ""), PATH), "banned")


def _list(config: Config, form: Form, status: int = 200) -> Response:
    sites = [site for site in config.sites if site.name in guard.allowed_sites("comment.read_sender")]
    rows = [(site, one) for site in sites for one in senders.list_bans(config, site.name)]
    rows.sort(key=lambda row: -row[1].created_at)
    return page(
        "dashboard/comment_bans.html", status, rows=rows, form=form, sites=sites,
        ban_sites=[site for site in sites if guard.principal().may("comment.ban", site.name)],
    )  # fmt: skip


def _ask(row: ModerationRow, form: Form, status: int = 200) -> Response:
    back = own_address(form.values.get("back", "") or request.args.get("back", ""), PATH)
    return page("dashboard/comment_ban.html", status, row=row, form=form, back=back)
