"""What every page has: its frame, navigation and notices, and how values are shown.

A notice after a change is named in the address of the page that follows, and its text is here: so nobody can make our
pages say what they like by writing a link.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, Response, g, render_template, request
from werkzeug.urls import iri_to_uri

from appliance.accounts.principal import Principal
from appliance.accounts.rights import ACTIONS
from appliance.accounts.user_rows import UserRow
from appliance.config import Config
from appliance.sizes import in_bytes
from appliance.web.admin import guard
from appliance.web.admin.pages.chosen_appearance import appearance
from appliance.web.admin.pages.devices import device_of
from appliance.web.admin.pages.own_addresses import own_address, with_query
from appliance.web.admin.pages.shown_times import filters as time_filters
from appliance.web.admin.pages.shown_times import now, zone_of


@dataclass(frozen=True, slots=True)
class Notice:
    """What was done, or what somebody should know."""

    text: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the navigation."""

    address: str
    text: str
    #: The value of aria-current: `page`, or `true` for a page below it; empty elsewhere.
    current: str = ""
    #: The key that leads there after `g`.
    key: str = ""


#: The text of a relative time, which browsers keep up to date by themselves.
_RELATIVE: Final = re.compile(rb"(<time [^>]*title=[^>]*>)[^<]*")
#: The notices by the name that the address has in `done`.
NOTICES: Final[Mapping[str, Notice]] = {
    "signed-out": Notice("You are signed out."),
    "ended": Notice("The session has ended."),
    "others-ended": Notice("All your other sessions have ended."),
    "saved": Notice("Saved."),
    "password": Notice("Your password is changed, and your other sessions have ended."),
    "password-set": Notice("Your password is saved. Sign in with it."),
    "added": Notice("The second factor is added."),
    "user-session": Notice("The session has ended."),
    "factors-removed": Notice("The second factor is removed. The person sets up another after signing in.", grave=True),
    "app-off": Notice("The authenticator app is turned off.", grave=True),
    "passkey-removed": Notice("The passkey is removed. Delete it on your device too.", grave=True),
    "recovery": Notice(
        "You signed in with a recovery code, which is used up. If your phone or key is lost, remove it here, and set"
        " up another.",
        grave=True,
    ),
    "revoked": Notice("The token is revoked."),
    "invited": Notice("The account is made, and the invitation is on its way."),
    "role": Notice("The role is changed."),
    "disabled": Notice("The account is disabled; its sessions, tokens and links have ended."),
    "enabled": Notice("The account is enabled."),
    "link": Notice("A mail with a link is on its way."),
    "compared": Notice("A worker builds the file and compares it. Nothing of it is published."),
    "no-file": Notice("This job is not about a file of a site, so there is nothing to compare.", grave=True),
    "no-priority": Notice("A priority is a whole number between -9,999 and 9,999; nothing was done.", grave=True),
    "undone": Notice("The deletion is undone."),
    "undone-before": Notice("This deletion was undone already.", grave=True),
    "undo-late": Notice("Nothing was done: a deletion can be undone within a minute, and not later.", grave=True),
    "group-gone": Notice("None of these jobs is failed any more.", grave=True),
    "task-asked": Notice("Asked for. The first host that is free runs it now."),
    "task-unknown": Notice("There is no such task any more.", grave=True),
    "pull-asked": Notice("Asked for. A worker pulls the source now."),
    "process-paused": Notice("Asked to pause. Nothing new is started until it is resumed."),
    "process-resumed": Notice("Asked to resume."),
    "process-gone": Notice("It had ended before it could be asked, or it cannot do that.", grave=True),
    "target-paused": Notice("The target is paused: nothing is sent to it until somebody resumes it.", grave=True),
    "target-resumed": Notice("The target is resumed, and is sent what it has missed."),
    "target-check": Notice("A worker checks the setup; the result appears here."),
    "target-verify": Notice("A worker compares all files; this shows how far it is, and then the result."),
    "target-resync": Notice("Everything is sent again; this shows how far it is."),
    "page-look": Notice("A worker looks on every docroot; what it finds appears here."),
    "comments-none": Notice("Select comments first.", grave=True),
    "comments-none-left": Notice("Nothing was done: somebody has decided about these comments already.", grave=True),
    "comments-undone": Notice("Undone."),
    "comment-edited": Notice("The comment is saved."),
    "banned": Notice("The sender is banned."),
    "ban-lifted": Notice("The ban is lifted."),
    "ban-gone": Notice("The ban was lifted already."),
    "confirmed": Notice("Thank you. Now do what you were about to do."),
}


def add_frame(app: Flask, config: Config) -> None:
    """Add what templates need for the frame of every page, pages about errors among them."""
    app.jinja_env.filters.update(_FILTERS)
    app.jinja_env.filters.update(time_filters(config))
    app.jinja_env.globals |= {"own": with_query, "now": now, "zone": zone_of(config).key}
    brand = config.sites[0].title if len(config.sites) == 1 else "Publishing appliance"

    @app.context_processor
    def frame() -> dict[str, Any]:
        principal, pending = g.get("principal"), pending_of_session()
        return {
            "brand": brand,
            "person": principal,
            "pending": pending,
            "navigation": _navigation(principal) if principal is not None and not pending else [],
            "notice": NOTICES.get(request.args.get("done", "")),
            "appearance": appearance(),
            "own_address": own_address(request.full_path.rstrip("?") if request.method == "GET" else "/"),
        }


def pending_of_session() -> str:
    """What the session of this request still lacks: `second_factor`, `set_up` or nothing."""
    session = g.get("session")
    return session.pending if session is not None else ""


def page(template: str, status: int = 200, **context: Any) -> Response:
    """Answer with a page."""
    return Response(render_template(template, **context), status, content_type="text/html; charset=utf-8")


def live_page(template: str, regions: Mapping[str, str], **context: Any) -> Response:
    """Answer with a page that has live regions, or with the inside of the one that a script asks for.

    The answer for a region has a tag by its content, and says only that nothing has changed if the script has it.

    Args:
        template: the template of the page, which includes those of its regions.
        regions: the template of the inside of each region, by the id of its element.
        **context: what the templates show.
    """
    region = wanted_region()
    if region not in regions:
        return page(template, **context)
    return region_page(render_template(regions[region], **context))


def region_page(text: str) -> Response:
    """Answer with the inside of a live region, or that nothing has changed if the script has it."""
    response = Response(text, content_type="text/html; charset=utf-8")
    response.set_etag(hashlib.blake2b(_RELATIVE.sub(rb"\1", response.get_data()), digest_size=12).hexdigest())
    response.make_conditional(request)
    return response


def wanted_region() -> str:
    """Return the id of the live region that a script asks for; empty for the whole page."""
    return request.headers.get("HX-Region", "")


def see(address: str, done: str = "") -> Response:
    """Send on to a page of ours after a POST, with the notice about what was done."""
    sent = Response(status=303)
    sent.headers["Location"] = iri_to_uri(with_query(own_address(address), done=done))
    return sent


#: Where the navigation leads: the address, its text, the action that one needs, and the key after `g`.
_PLACES: Final = (
    ("/", "Overview", "", "o"),
    ("/jobs", "Jobs", "job.read", "j"),
    ("/failures", "Failures", "job.read", "f"),
    ("/targets", "Targets", "target.read", "t"),
    ("/comments", "Comments", "comment.read", "c"),
    ("/processes", "Processes", "process.read", "p"),
    ("/schedule", "Schedule", "source.read", "s"),
    ("/audit", "Audit", "audit.read", "a"),
    ("/users", "Users", "user.read", "u"),
    ("/settings", "Settings", "settings.read", "e"),
)
#: Pages that belong to a place of the navigation and are not below its address.
_BELONGING: Final = {
    "/targets": re.compile("/pages"),
    "/comments": re.compile("/sites/[^/]+/(comments/.*|bans)"),
    "/schedule": re.compile("/sites/[^/]+/sources/.*"),
    "/audit": re.compile("/sites/[^/]+/audit(/.*)?"),
}


def _navigation(principal: Principal) -> list[Link]:
    """The places to which the user may go."""
    return [
        _link(address, text, key) for address, text, action, key in _PLACES if not action or _may(principal, action)
    ]


def _may(principal: Principal, action: str) -> bool:
    if ACTIONS[action].scope != "site":
        return principal.may(action)
    return any(principal.may(action, site) for site in guard.sites())


def _link(address: str, text: str, key: str) -> Link:
    if request.path == address:
        return Link(address, text, "page", key)
    belonging = _BELONGING.get(address)
    is_below = address != "/" and request.path.startswith(f"{address}/")
    is_here = is_below or (belonging is not None and belonging.fullmatch(request.path) is not None)
    return Link(address, text, "true" if is_here else "", key)


def _host(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path.rstrip('/')}"


_FACTORS: Final = {
    "password": "password",
    "totp": "app",
    "recovery": "recovery code",
    "passkey": "passkey",
}


def _factors(names: frozenset[str]) -> str:
    """The factors of a session in the order in which they are shown."""
    return ", ".join(text for name, text in _FACTORS.items() if name in names)


def _second_factor(row: UserRow) -> str:
    """The second factors that a user has."""
    keys = "a passkey" if row.passkeys == 1 else f"{row.passkeys} passkeys" if row.passkeys else ""
    return ", ".join(filter(None, ("app" if row.has_totp else "", keys))) or "none"


def _scopes(names: tuple[str, ...] | None) -> str:
    return "all that you may do" if names is None else ", ".join(sorted(names))


def _capitalized(text: str) -> str:
    """Return a text that begins with a capital letter and is else as it was."""
    return text[:1].upper() + text[1:]


_FILTERS: Final[Mapping[str, Any]] = {
    "capitalized": _capitalized,
    "device": device_of,
    "factors": _factors,
    "host": _host,
    "in_bytes": in_bytes,
    "scopes": _scopes,
    "second_factor": _second_factor,
}
