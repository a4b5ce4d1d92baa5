"""Limits on what a network may ask, an IPv4 /24 or an IPv6 /48: counted before anything is looked up for a request.

Guarantees that nobody gets around them by what a request says: a form without a token, one that is too young and one
that fills the trap count like any other. How many of a network's comments are saved is limited on its own, see
`Commenting`.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config import Config
from appliance.content.networks import network_of
from appliance.errors import ConfigError
from appliance.intake.messages import (
    CommentRequest,
    DeleteRequest,
    ErrorAnswer,
    FormRequest,
    NoticeRequest,
    PreviewRequest,
    Request,
    SearchRequest,
    Sender,
    SiteRequest,
    StatusRequest,
)
from appliance.intake.rates import Rates

#: What a network may ask per minute: forms, previews, searches, and forms that it sends, whatever becomes of them.
_FORMS, _PREVIEWS, _SEARCHES, _POSTS = 240, 60, 120, 60
#: What became of comments, which a page asks by itself; deletions; and links in mails, which mail services follow, too.
_LOOKS, _DELETIONS, _NOTICES = 1200, 60, 600


@dataclass(frozen=True)
class Limits:
    """Counts requests by network."""

    config: Config
    rates: Rates

    def refuse(self, request: Request) -> ErrorAnswer | None:
        """Why a network has asked enough for now, if it has."""
        match request:
            case CommentRequest(sender=Sender() as sender):
                limit = self._posts(request.site)
            case PreviewRequest(sender=Sender() as sender):
                limit = _PREVIEWS
            case SearchRequest(sender=Sender() as sender):
                limit = _SEARCHES
            case FormRequest(sender=Sender() as sender):
                limit = _FORMS
            case StatusRequest(sender=Sender() as sender) | SiteRequest(sender=Sender() as sender):
                limit = _LOOKS
            case DeleteRequest(sender=Sender() as sender):
                limit = _DELETIONS
            case NoticeRequest(sender=Sender() as sender):
                limit = _NOTICES
            case _:
                return None
        wait = self.rates.take((request.op, network_key(sender)), limit)
        return limited(wait) if wait else None

    def _posts(self, site: str) -> int:
        """At least twice the comments that a site takes: without scripts, each is sent once more to confirm it."""
        try:
            return max(_POSTS, 2 * self.config.site(site).comments.rate)
        except ConfigError:  # there is no such site, which is found out and told later
            return _POSTS


def network_key(sender: Sender) -> str:
    """What a sender is counted by."""
    return network_of(sender.address) or sender.address


def limited(wait: float) -> ErrorAnswer:
    """The answer to who asked too much; `wait` is in seconds."""
    return ErrorAnswer(reason="limited", sentence="", retry_after=int(wait) + 1)
