"""The principal: who a request is made by, once that is certain, and what it may do.

A principal comes from a session of the browser or from a token. It holds the user's roles as they were when the request
began, and a token's scopes, which only ever take rights away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from appliance.accounts.rights import ACTIONS, ALL_SITES, Action, Role, is_allowed
from appliance.actor import Actor, Via

Pending = Literal["", "second_factor", "set_up"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A user who has signed in, or a program with one of the user's tokens."""

    user: int
    #: The user's name for signing in, which the audit keeps.
    name: str
    #: The role by the name of a site; `ALL_SITES` for one on every site.
    roles: Mapping[str, Role]
    via: Via = "browser"
    #: The actions that a token is limited to, by name; None for no limit.
    scopes: frozenset[str] | None = None
    #: The sites that a token is limited to; None for no limit.
    sites: frozenset[str] | None = None
    #: The label of the token.
    token: str = ""
    address: str = ""
    request: str = ""
    #: What the session still lacks: `second_factor`, which the user has and did not show yet, or `set_up`, if the user
    #: needs one and has none. A principal that lacks something has no roles.
    pending: Pending = ""
    #: Whether no more than a password was shown for the token that acts. It makes no stronger ones.
    is_weak: bool = False
    #: When the token that acts ends, in seconds since the epoch; None for a session.
    expires_at: float | None = field(default=None, compare=False)
    #: The id of the session in the list of the user's sessions; 0 for a token.
    session: int = field(default=0, compare=False)

    def may(self, action: str, site: str | None = None, *, owns: bool = False) -> bool:
        """Return whether this principal may take an action.

        Args:
            action: the name of an action in the table of rights.
            site: the name of the site; None for an action on the installation or on one's own account.
            owns: whether the action is about an entry of the user's own.

        Raises:
            KeyError: there is no such action, which is a fault of the code.
        """
        known = ACTIONS[action]
        if self.scopes is not None and action not in self.scopes:
            return False
        if known.scope == "self":
            return True
        return any(is_allowed(role, known, owns=owns) for role in self._roles_for(known, site))

    def may_somehow(self, action: str, site: str | None = None) -> bool:
        """Return whether this principal may take an action at least with something of its own."""
        return self.may(action, site) or self.may(action, site, owns=True)

    def knows(self, site: str) -> bool:
        """Return whether the site exists for this principal: without any role on it, it does not."""
        return bool(self._roles_for(ACTIONS["site.read"], site))

    def actor(self) -> Actor:
        """Return who acts, for the audit and the log of changes."""
        return Actor(self.name, self.via, address=self.address, request=self.request, token=self.token)

    def _roles_for(self, action: Action, site: str | None) -> list[Role]:
        everywhere = [self.roles[ALL_SITES]] if ALL_SITES in self.roles else []
        if action.scope == "installation":
            # A token that is limited to sites has no say about the whole.
            return everywhere if self.sites is None else []
        if site is None or (self.sites is not None and site not in self.sites):
            return []
        return [*everywhere, self.roles[site]] if site in self.roles else everywhere
