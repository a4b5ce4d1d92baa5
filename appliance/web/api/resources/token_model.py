"""A token as the API shows it, and which ones are listed."""

from __future__ import annotations

from pydantic import Field

from appliance.web.api.fields import Sent, Shown


class Token(Shown):
    """A token, without its secret. Times are seconds since the epoch."""

    id: int
    user: int
    user_name: str
    label: str
    scopes: list[str] | None = Field(description="Names of actions and groups; null for all that the user may do.")
    sites: list[str] | None = Field(description="Null for all sites of the user.")
    created_at: float
    expires_at: float
    used_at: float | None
    used_address: str
    revoked_at: float | None
    is_valid: bool


class TokenQuery(Sent):
    """Which tokens."""

    ended: bool = Field(False, description="Whether to list those too that have ended.")
