"""The guard: it lets a request reach a view only if the route says who may use it, and the user is one of them.

Every route names an action of the table of rights, or says that it is public. A route that says neither is never
answered, so a forgotten check denies instead of allowing. Sites on which a user has no role do not exist for that user.

    @guard.route(blueprint, "/sites/<site:site>/jobs", action="job.read")
    def list_jobs(site: str) -> str: ...

    @guard.route(blueprint, "/sites/<site:site>/entries/<int:entry>/edit", action="entry.edit", methods=("POST",))
    def edit(site: str, entry: int) -> Response:
        guard.require("entry.edit", site, owns=ownership.owns(guard.principal().user, entry))
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast

from flask import Flask, current_app, g, request
from flask.sansio.scaffold import Scaffold
from werkzeug.exceptions import Forbidden, NotFound, Unauthorized
from werkzeug.routing import Rule

from appliance import logging
from appliance.accounts.principal import Principal
from appliance.accounts.rights import ACTIONS

log = logging.get_logger("admin")
View = TypeVar("View", bound=Callable[..., Any])

#: How a request says who sends it: people by the cookie of the browser, programs by a token, hooks by a signature.
Realm = Literal["browser", "api", "hook"]
API: Final = "/api/"
HOOKS: Final = "/hooks/"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Who may use a route."""

    #: The name of an action in the table of rights; None for everybody.
    action: str | None
    #: The variable of the rule that names the site.
    site_from: str
    #: Whether somebody may use it whose session still lacks the second factor.
    pending: bool


class GuardedRule(Rule):
    """A route that says who may use it, or does not, and then is for nobody."""

    def __init__(self, string: str, *, declaration: Declaration | None = None, **options: Any) -> None:
        super().__init__(string, **options)
        self.declaration = declaration


def route(
    scaffold: Scaffold, rule: str, *, action: str | None = None, methods: Collection[str] = ("GET",),
    site_from: str = "site", public: bool = False, pending: bool = False, endpoint: str | None = None,
) -> Callable[[View], View]:  # fmt: skip
    """Register a view with the action that it needs.

    Args:
        scaffold: the application or blueprint.
        rule: the path, as Flask has it.
        action: the name of an action in the table of rights.
        methods: the methods that it answers; HEAD comes with GET.
        site_from: the variable of the rule that names the site.
        public: whether everybody may use it, signed in or not, in place of an action.
        pending: whether somebody may use it whose session still lacks the second factor.
        endpoint: the name for `url_for`, by default that of the view.

    Raises:
        ValueError: the route says neither or both, or names no action of the table.
    """
    if public is (action is not None):
        raise ValueError(f"{rule}: name an action of the table of rights, or say that it is public")
    if action is not None and action not in ACTIONS:
        raise ValueError(f"{rule}: the table of rights has no action “{action}”")
    declaration = Declaration(action, site_from, pending)

    def register(view: View) -> View:
        scaffold.add_url_rule(rule, endpoint, view, methods=list(methods), declaration=declaration)
        return view

    return register


def registered(app: Flask) -> list[tuple[str, tuple[str, ...], str | None]]:
    """All routes of an application: the path, its methods, and the action, or None for a public one.

    Raises:
        LookupError: a route says neither.
    """
    rows = []
    for rule in app.url_map.iter_rules():
        declaration = declaration_of(rule)
        if declaration is None:
            raise LookupError(f"{rule.rule} does not say who may use it; register it with guard.route")
        rows.append((rule.rule, tuple(sorted((rule.methods or set()) - {"HEAD"})), declaration.action))
    return rows


def declaration_of(rule: Rule | None) -> Declaration | None:
    """Who may use a route; None if it does not say."""
    return rule.declaration if isinstance(rule, GuardedRule) else None


def realm_of(path: str) -> Realm:
    """How requests for a path say who sends them."""
    return "api" if path.startswith(API) else "hook" if path.startswith(HOOKS) else "browser"


def principal() -> Principal:
    """Who sends this request.

    Raises:
        Unauthorized: nobody has signed in.
    """
    found: Principal | None = g.get("principal")
    if found is None:
        raise Unauthorized
    return found


def require(action: str, site: str | None = None, *, owns: bool = False) -> None:
    """Go on only if the user may take an action, `owns` being whether it is about an entry of the user's own.

    Raises:
        NotFound: there is no such site, or the user has no role there, which looks the same.
        Forbidden: the user may not.
        Unauthorized: nobody has signed in.
    """
    g.owed = None
    user = principal()
    if ACTIONS[action].scope == "site" and (site is None or site not in sites() or not user.knows(site)):
        raise NotFound
    if not user.may(action, site, owns=owns):
        raise Forbidden


def allowed_sites(action: str) -> list[str]:
    """The names of the sites on which the user may take an action, for lists over several sites."""
    g.owed = None
    return [site for site in sites() if principal().may(action, site)]


def sites() -> list[str]:
    """The names of all sites."""
    return cast("list[str]", current_app.config["SITES"])


def authorise(declaration: Declaration, found: Principal | None) -> None:
    """Decide about a request before its view is called.

    Raises:
        Unauthorized: nobody has signed in, or not completely.
        NotFound, Forbidden: as `require` has them.
    """
    g.principal, g.owed = found, None
    if declaration.action is None:
        return
    if found is None or (found.pending and not declaration.pending):
        raise Unauthorized
    action = ACTIONS[declaration.action]
    site = (request.view_args or {}).get(declaration.site_from)
    if action.scope != "site":
        require(action.name)
    elif site is not None and found.may(action.name, site):
        require(action.name, site)
    else:
        _authorise_in_part(action.name, found, site)


def _authorise_in_part(action: str, found: Principal, site: str | None) -> None:
    """Leave it to the view to decide by the entry, or by the site, if the user may do this with some."""
    if site is not None and (site not in sites() or not found.knows(site)):
        raise NotFound
    if not any(found.may_somehow(action, each) for each in ([site] if site is not None else sites())):
        raise Forbidden
    g.owed = action


def check_decided() -> None:
    """Note a view that did not decide what was left to it.

    Raises:
        RuntimeError: it called neither `require` nor `allowed_sites`.
    """
    if g.get("owed"):
        raise RuntimeError(f"the view of {request.endpoint} did not decide about {g.owed}")
