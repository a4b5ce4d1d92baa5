"""Who sends a request: a session by the cookie of a browser, or a token by the header of a program.

Guarantees that neither is taken in the other's place: a cookie gives no access to the API, so no page can make a
browser use it, and a token opens no page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flask import g
from werkzeug.wrappers import Request

from appliance.accounts import sessions, tokens
from appliance.accounts.principal import Principal
from appliance.accounts.sessions import SessionRow
from appliance.actor import Via
from appliance.web.admin import session_cookie
from appliance.web.admin.guard import Realm

#: The way in of a realm.
VIA: Final[dict[Realm, Via]] = {"browser": "browser", "api": "api", "hook": "webhook"}


def authenticate(request: Request, realm: Realm, address: str) -> tuple[Principal | None, SessionRow | None]:
    """Return who sends a request, and the session if there is one."""
    found: Principal | None = None
    session: SessionRow | None = None
    if realm == "browser" and (secret := session_cookie.read_secret(request)):
        found, session = sessions.find(secret, address) or (None, None)
    if realm == "api" and request.authorization and request.authorization.type == "bearer":
        found = tokens.find(request.authorization.token or "", address)
    if found is not None:
        found = replace(found, via=VIA[realm], address=address, request=g.request_id)
    return found, session
