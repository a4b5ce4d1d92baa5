"""The session of the browser that a request comes from: begun, given a new secret, and confirmed anew.

Guarantees that a secret from before signing in, or from before a second factor, is worth nothing afterwards.
"""

from __future__ import annotations

from typing import Final

from flask import Response, abort, g

from appliance import db
from appliance.accounts import sessions, users
from appliance.accounts.models import User
from appliance.accounts.sessions import Factor, SessionRow
from appliance.accounts.sign_in import SignedIn
from appliance.web.admin import guard, session_cookie
from appliance.web.admin.pages.layout import see
from appliance.web.admin.pages.own_addresses import own_address, with_query

#: Seconds for which a password or a passkey that was shown counts before what is sensitive.
CONFIRMED_FOR: Final = 900.0
#: Where people go on whose session still lacks something.
STEPS: Final = {"second_factor": "/sign-in/second-factor", "set_up": "/sign-in/set-up"}


def session() -> SessionRow:
    """The session of this request; without one, whoever asks has to sign in."""
    guard.principal()
    found: SessionRow = g.session
    return found


def user() -> User:
    """The user who has signed in, completely or not."""
    return users.find_user(guard.principal().user)


def begin(signed_in: SignedIn, wanted: str) -> Response:
    """Give the browser a session that has just begun, in place of one from before, and send its user on."""
    if g.session is not None:
        sessions.end(g.session.id)
    return go_on(signed_in, wanted)


def go_on(signed_in: SignedIn, wanted: str, done: str = "") -> Response:
    """Give the browser the new secret of a session, and send its user to the next step or where they wanted to go."""
    pending = signed_in.session.pending
    if pending:
        following = see(with_query(STEPS[pending], next="" if wanted == "/" else wanted))
    else:
        following = see(own_address(wanted), done)
    return with_secret(following, signed_in.secret)


def renewed(response: Response, factor: Factor | None = None) -> Response:
    """Give the session a new secret with an answer, since its user has just set up or changed a factor."""
    return with_secret(response, sessions.renew(session().id, factor=factor))


def is_confirmed() -> bool:
    """Whether the user has shown a password or a passkey within the last 15 minutes."""
    return db.now() - session().confirmed_at < CONFIRMED_FOR


def require_confirmed(back: str) -> None:
    """Go on only if the user has shown a password or a passkey of late; else ask for one, and come back to a page."""
    if not is_confirmed():
        abort(see(with_query("/confirm", next=back)))


def with_secret(response: Response, secret: str) -> Response:
    """Have the browser keep the secret of a session."""
    session_cookie.set_secret(response, secret)
    return response
