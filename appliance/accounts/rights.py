"""The rights: which role may do what. What is not in the table is denied.

The table is the only place that decides. Routes of the browser and of the API name an action of it, the table of the
documents is made from it, and a test walks every action with every role on one's own and on another site.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from appliance.errors import AccountError

#: The roles of users, from the one with the fewest rights. A user has a role on a site, or on all sites.
Role = Literal["viewer", "moderator", "author", "editor", "admin"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "moderator", "author", "editor", "admin")

#: The site of a role that holds on every site, also on those that are added later.
ALL_SITES: Final = "*"

#: Where an action takes place: on a site; on the whole installation, for which a role on all sites is needed; or on
#: the account of the user who acts, for which no role is needed.
Scope = Literal["site", "installation", "self"]


@dataclass(frozen=True, slots=True)
class Action:
    """An action, and the roles that may take it."""

    #: A noun and a verb: `entry.edit`.
    name: str
    #: What it does, as the table of the documents says it.
    does: str
    scope: Scope
    #: The roles that may do this with anything.
    roles: frozenset[Role]
    #: The roles that may do this only with entries of their own.
    own: frozenset[Role] = frozenset()
    #: Whether it changes anything. A token for reading alone has no such action.
    changes: bool = True


def _letters(roles: str) -> frozenset[Role]:
    """Return the roles by their initials, `d` standing for admin: “vmaed” are all five."""
    initials: dict[str, Role] = {"v": "viewer", "m": "moderator", "a": "author", "e": "editor", "d": "admin"}
    return frozenset(initials[letter] for letter in roles)


def _site(name: str, does: str, roles: str, own: str = "", *, changes: bool = True) -> Action:
    return Action(name, does, "site", _letters(roles), _letters(own), changes)


def _installation(name: str, does: str, roles: str, *, changes: bool = True) -> Action:
    return Action(name, does, "installation", _letters(roles), changes=changes)


def _self(name: str, does: str, *, changes: bool = True) -> Action:
    return Action(name, does, "self", frozenset(), changes=changes)


_TABLE: Final = (
    _site("site.read", "see a site, its settings and how many jobs wait for it", "vmaed", changes=False),
    _site("site.publish", "publish what changed, or rebuild the whole site", "ed"),
    _site("entry.read", "read entries and pages, drafts too", "vmaed", changes=False),
    _site("entry.add", "add entries and pages", "aed"),
    _site("entry.edit", "edit entries and pages", "ed", "a"),
    _site("entry.publish", "publish, schedule and unpublish entries and pages", "ed", "a"),
    _site("entry.delete", "delete entries and pages", "ed", "a"),
    _site("entry.html", "publish HTML as written, scripts and forms too", "ed"),
    _site("entry.share", "make and revoke links to previews", "ed", "a"),
    _site("comment.read", "read comments, held ones too", "vmaed", changes=False),
    _site("comment.read_sender", "see the e-mail and network addresses of readers", "med", changes=False),
    _site("comment.add", "comment under one's own name", "maed"),
    _site("comment.edit", "edit comments", "med"),
    _site("comment.moderate", "approve, hold and reject comments", "med"),
    _site("comment.delete", "delete comments", "med"),
    _site("comment.ban", "ban senders of comments, and lift bans", "med"),
    _site("comment.erase", "erase what identifies a reader", "d"),
    _site("term.read", "list authors, categories and tags", "vmaed", changes=False),
    _site("term.edit", "rename and merge authors, categories and tags", "ed"),
    _site("term.delete", "delete authors, categories and tags", "ed"),
    _site("asset.read", "list uploaded files", "vmaed", changes=False),
    _site("asset.upload", "upload files under names that are free", "aed"),
    _site("asset.replace", "replace and move uploaded files", "ed"),
    _site("asset.delete", "delete uploaded files", "ed"),
    _site("job.read", "see the jobs of a site, and why they exist", "vmaed", changes=False),
    _site("job.retry", "retry failed jobs", "ed"),
    _site("job.prioritise", "change the priority of jobs", "ed"),
    _site("job.delete", "delete jobs", "d"),
    _site("job.compare", "have a file compared with what would be built now", "ed"),
    _site("source.read", "see the sources of a site and their last imports", "vmaed", changes=False),
    _site("source.pull", "pull a source now", "ed"),
    _site("audit.read", "read the audit of a site", "d", changes=False),
    _installation("audit.read_all", "read and verify the audit of the installation", "d", changes=False),
    _installation("target.read", "see the targets and how far each is", "vmaed", changes=False),
    _installation("target.act", "pause, resume, check, verify and resync targets", "d"),
    _installation("process.read", "see the processes of all hosts", "vmaed", changes=False),
    _installation("process.act", "pause, resume and recycle processes", "d"),
    _installation("periodic.read", "see the periodic tasks", "vmaed", changes=False),
    _installation("periodic.run", "run a periodic task now", "d"),
    _installation("settings.read", "see the settings, without secrets", "d", changes=False),
    _installation("metrics.read", "read the metrics", "vmaed", changes=False),
    _installation("user.read", "list users, their roles, sessions and tokens", "d", changes=False),
    _installation("user.edit", "invite, edit, disable and enable users, and give them roles", "d"),
    _installation("token.revoke", "revoke the tokens and sessions of others", "d"),
    _self("account.read", "see one's own account, sessions and tokens", changes=False),
    _self("account.edit", "change one's own password, second factor and passkeys, and end one's sessions"),
    _self("token.add", "make and revoke tokens with at most one's own rights"),
)

#: All actions by their name.
ACTIONS: Final = {action.name: action for action in _TABLE}


def parse_role(name: str) -> Role:
    """Return the role with this name.

    Raises:
        AccountError: there is none.
    """
    known: dict[str, Role] = {one: one for one in ROLES}
    if name not in known:
        raise AccountError(f"There is no role “{name}”; choose {', '.join(ROLES[:-1])} or {ROLES[-1]}.")
    return known[name]


def is_allowed(role: Role, action: Action, *, owns: bool = False) -> bool:
    """Return whether a role may take an action, `owns` being whether it is about an entry of the user's own."""
    return action.scope == "self" or role in action.roles or (owns and role in action.own)
