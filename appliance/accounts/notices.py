"""Mail to users about changes of what they sign in with, so that a change by somebody else does not go unseen."""

from __future__ import annotations

from typing import Final, Literal

from appliance import db
from appliance.accounts.models import User
from appliance.queue.enqueue import Cause, JobRequest, enqueue

#: What a user is told of.
News = Literal[
    "password", "address", "totp", "no-totp", "passkey", "no-passkey", "recovery", "no-factor", "network",
]  # fmt: skip
#: The kind of job that mails such news; `mails` has its handler. The key is the news and the id of the user.
NOTICE: Final = "mail-account"
#: Seconds between two mails of one kind to a user.
_INTERVALS: Final[dict[News, float]] = {"network": 86_400.0}
_INTERVAL: Final = 600.0


def enqueue_notice(user: User, news: News) -> None:
    """Enqueue the mail that tells a user of something, if there is an address and a mail server."""
    config = db.opened_config()
    if config is None or not config.mail.host or not config.admin.url or not user.email:
        return
    request = JobRequest(f"{news}/{user.id}", every=_INTERVALS.get(news, _INTERVAL))
    enqueue(NOTICE, [request], ageing=config.queue.ageing, causes=[Cause("account changed", user.name)])
