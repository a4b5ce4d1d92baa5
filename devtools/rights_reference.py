"""The reference page of roles and rights, generated from the table that decides."""

from __future__ import annotations

from appliance.accounts.rights import ACTIONS, ROLES, Action, Scope
from devtools.reference_tables import GENERATED_NOTICE

_INTRODUCTION = """\
A user has a role on a site, or on all sites (`*`). What no row allows is denied. “own” means entries that the user
wrote, or was made the owner of. On a site where a user has no role, nothing can be seen, not even whether there is such
a site. [Users and rights](../explanation/accounts.md) says how this is enforced,
[how to manage users](../how-to/manage-users.md) how roles are given.

The scope `read` of a token stands for all actions that change nothing, `write` for all but `account.edit` and
`token.add`. A token never has more rights than its user."""

_TITLES: dict[Scope, str] = {
    "site": "On a site",
    "installation": "On the whole installation",
    "self": "On one's own account",
}
_REMARKS: dict[Scope, str] = {
    "site": "A role on the site, or one on all sites.",
    "installation": "Only a role on all sites counts here.",
    "self": "Every user may do this, without any role.",
}


def page() -> str:
    """Return the page: a table for each scope, with a column for each role."""
    parts = [f"{GENERATED_NOTICE}\n\n# Roles and rights", _INTRODUCTION]
    for scope, title in _TITLES.items():
        actions = [action for action in ACTIONS.values() if action.scope == scope]
        parts.append(f"## {title}\n\n{_REMARKS[scope]}\n\n{_table(actions, with_roles=scope != 'self')}")
    return "\n\n".join(parts) + "\n"


def _table(actions: list[Action], *, with_roles: bool) -> str:
    roles = ROLES if with_roles else ()
    head = ["action", "what it does", "changes", *roles]
    rows = [
        [f"`{action.name}`", action.does, "yes" if action.changes else "", *(_mark(action, role) for role in roles)]
        for action in actions
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _mark(action: Action, role: str) -> str:
    return "yes" if role in action.roles else "own" if role in action.own else ""
