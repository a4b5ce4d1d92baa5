"""Decides whether a reader's comment is published, held, taken for spam or refused.

Guarantees that the rules of a site apply to every comment, in one order: what refuses it comes before what takes it
for spam, that before what holds it. Every question to the database is bounded, so that a flood does not make later
comments slower than earlier ones; and what all comments of a batch share is asked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from appliance import db
from appliance.config import CommentSettings, Config
from appliance.content import comment_closing
from appliance.content.models import CommentStatus, Entry, Site
from appliance.content.networks import Network, parse_address, parse_network
from appliance.db import NOW
from appliance.editorial.comment_submission import FieldProblem, Prepared
from appliance.spam.base import Candidate, History
from appliance.spam.selection import spam_check

T = TypeVar("T")

_DAY: Final = 86_400
#: The newest comments of a network that its history consists of.
_HISTORY: Final = 50
#: A text that was sent this often within a day is not counted further.
_SAME: Final = 5
#: The reason of a comment that another machine has yet to judge.
WAITS_FOR_CHECK: Final = "waits for the spam check"
#: The reason of a comment that a moderator holds, whatever a check finds.
HELD_BY_MODERATOR: Final = "a moderator holds it"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a comment: refused for these problems, or saved with this status."""

    status: CommentStatus = "approved"
    #: Why it is not approved, in a few words.
    reason: str = ""
    #: What the spam check took it for; None if it was not asked.
    judged: str | None = None
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Bans:
    networks: tuple[Network, ...]
    emails: frozenset[str]


@dataclass
class Judge:
    """Judges the comments of one batch, inside its transaction."""

    config: Config
    _known: dict[tuple[object, ...], object] = field(default_factory=dict)

    def judge(self, prepared: Prepared, entry: Entry | None) -> Decision:
        """Decide about one comment. `entry` is its entry, locked; None if there is no such entry on the site."""
        site = prepared.submission.site
        is_known = _is_text_known(prepared)
        problems = prepared.problems or self._refusals(prepared, entry, is_known)
        if problems or entry is None:
            return Decision(problems=problems)
        decision = self._decide(prepared, is_known)
        if decision.status == "pending" and not self._may_wait(site):
            too_many = "Too many comments wait for approval here. Please try again later."
            return Decision(problems=(FieldProblem("", too_many),))
        return decision

    def settings(self, site: Site) -> CommentSettings:
        """The rules of a site."""
        return self.config.site(site.name).comments

    def _refusals(self, prepared: Prepared, entry: Entry | None, is_known: bool) -> tuple[FieldProblem, ...]:
        sentence = why_closed(self.settings(prepared.submission.site), entry)
        if sentence:
            return (FieldProblem("", sentence),)
        if self._is_banned(prepared):
            return (FieldProblem("", "This site takes no comments from you."),)
        if prepared.submission.parent is not None and not _can_be_replied_to(prepared):
            return (FieldProblem("parent", "The comment that you reply to is not on this page any more."),)
        if is_known and _was_sent_before(prepared):
            return (FieldProblem("text", "This comment was sent already; it is on the page or waits for approval."),)
        return ()

    def _decide(self, prepared: Prepared, is_known: bool) -> Decision:
        settings = self.settings(prepared.submission.site)
        check = spam_check(settings)
        if check.is_remote:  # another machine is not asked inside a transaction
            return Decision("pending", WAITS_FOR_CHECK)
        opinion = check.judge(self._candidate(prepared, is_known))
        if opinion.judgement in ("spam", "certain"):
            return Decision("spam", opinion.reason, opinion.verdict)
        if opinion.judgement == "doubtful":
            return Decision("pending", opinion.reason, opinion.verdict)
        known, site = (lambda: self._approved_before(prepared)), prepared.submission.site.id
        status, reason = moderation(settings, site, prepared.email, prepared.link_count, known)
        return Decision(status, reason, opinion.verdict)

    def _candidate(self, prepared: Prepared, is_known: bool) -> Candidate:
        submission = prepared.submission
        history = History(
            spam_from_network=self._spam_from(prepared.network),
            same_text=_same_text(prepared) if is_known else 0,
            text_decided=_text_decided(prepared, submission.site) if is_known else "",
            approved_before=self._approved_before(prepared),
        )
        return Candidate(
            prepared.name, prepared.text, int(self._once(("now",), db.now)), email=prepared.email,
            website=prepared.website, links=prepared.link_count, is_reply=submission.parent is not None,
            address=submission.address, user_agent=submission.user_agent, referrer=submission.referrer, history=history,
        )  # fmt: skip

    # --- What is asked once for a batch ---

    def _once(self, key: tuple[object, ...], ask: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]  # type: ignore[return-value]

    def _is_banned(self, prepared: Prepared) -> bool:
        bans = self._once(("bans", prepared.submission.site.id), lambda: _bans(prepared.submission.site))
        address = parse_address(prepared.submission.address)
        return prepared.email.lower() in bans.emails or any(address in network for network in bans.networks if address)

    def _approved_before(self, prepared: Prepared) -> bool:
        site, email = prepared.submission.site.id, prepared.email
        return bool(email) and self._once(("approved", site, email.lower()), lambda: _approved_before(site, email))

    def _spam_from(self, network: str) -> int:
        return self._once(("spam", network), lambda: _spam_from(network)) if network else 0

    def _may_wait(self, site: Site) -> bool:
        most = self.settings(site).waiting
        waiting = self._once(("waiting", site.id), lambda: _waiting(site, most))
        self._known["waiting", site.id] = waiting + 1
        return waiting < most


def moderation(
    settings: CommentSettings, site: int, email: str, links: int, approved_before: Callable[[], bool] | None = None
) -> tuple[CommentStatus, str]:
    """The status of a comment that no check takes for spam, and why it waits if it does.

    `approved_before` says whether a comment by the e-mail address was approved; None to look that up.
    """
    if links > settings.links:
        return "pending", f"{links} links"
    if settings.moderation == "all":
        return "pending", "every comment waits"
    known = approved_before or (lambda: bool(email) and _approved_before(site, email))
    if settings.moderation == "first" and not known():
        return "pending", "the first by this address" if email else "without an e-mail address"
    return "approved", ""


def why_closed(settings: CommentSettings, entry: Entry | None) -> str:
    """Why an entry takes no comments, in a sentence for readers; empty when it does."""
    if entry is None or entry.status != "published":
        return "This page takes no comments."
    if not entry.allow_comments or comment_closing.is_closed(entry.published_at, settings.close_after):
        return "The comments on this page are closed."
    return ""


def _bans(site: Site) -> _Bans:
    rows = db.execute("SELECT kind, value FROM comment_ban WHERE site_id = ?", [site.id]).fetchall()
    networks = tuple(found for kind, value in rows if kind == "network" and (found := parse_network(value)))
    return _Bans(networks, frozenset(value.lower() for kind, value in rows if kind == "email"))


def _can_be_replied_to(prepared: Prepared) -> bool:
    submission = prepared.submission
    sql = "SELECT 1 FROM comment WHERE id = ? AND entry_id = ? AND status = 'approved'"
    return db.execute(sql, [submission.parent, submission.entry]).fetchone() is not None


def _is_text_known(prepared: Prepared) -> bool:
    """Whether the same text was ever sent. Most are new, and nothing else needs to be asked about those."""
    sql = "SELECT 1 FROM comment_origin WHERE text_digest = ? AND text_digest IS NOT NULL LIMIT 1"
    return db.execute(sql, [prepared.text_digest]).fetchone() is not None


_SENT: Final = f"""
SELECT 1 FROM comment_origin o JOIN comment c ON c.id = o.comment_id
WHERE o.text_digest = ? AND o.text_digest IS NOT NULL AND o.created_at > {NOW} - {_DAY}
  AND c.entry_id = ? AND c.author_name = ? AND c.author_email = ? LIMIT 1
"""


def _was_sent_before(prepared: Prepared) -> bool:
    """Whether the same person sent the same text to the same entry within a day."""
    values = [prepared.text_digest, prepared.submission.entry, prepared.name, prepared.email]
    return db.execute(_SENT, values).fetchone() is not None


def _same_text(prepared: Prepared) -> int:
    sql = f"""SELECT COUNT(*) FROM (SELECT 1 FROM comment_origin WHERE text_digest = ? AND text_digest IS NOT NULL
              AND created_at > {NOW} - {_DAY} LIMIT {_SAME}) AS same"""
    return int(db.execute(sql, [prepared.text_digest]).fetchone()[0])


_DECIDED: Final = f"""
SELECT status FROM (
    SELECT c.status, o.judged, o.created_at FROM comment_origin o
    JOIN comment c ON c.id = o.comment_id JOIN entry e ON e.id = c.entry_id
    WHERE o.text_digest = ? AND o.text_digest IS NOT NULL AND e.site_id = ?
    ORDER BY o.created_at DESC LIMIT {_HISTORY}) AS newest
WHERE (status = 'spam' AND judged <> 'spam') OR (status = 'approved' AND judged = 'spam')
ORDER BY created_at DESC LIMIT 1
"""


def _text_decided(prepared: Prepared, site: Site) -> Literal["", "ham", "spam"]:
    """What a moderator last made of the same text against the check."""
    row = db.execute(_DECIDED, [prepared.text_digest, site.id]).fetchone()
    return "" if row is None else "spam" if row[0] == "spam" else "ham"


def _approved_before(site: int, email: str) -> bool:
    sql = """SELECT 1 FROM comment c JOIN entry e ON e.id = c.entry_id
             WHERE lower(c.author_email) = lower(?) AND c.author_email <> '' AND c.status = 'approved'
             AND e.site_id = ? LIMIT 1"""
    return db.execute(sql, [email, site]).fetchone() is not None


def _spam_from(network: str) -> int:
    sql = f"""SELECT COUNT(*) FROM (
                  SELECT c.status FROM comment_origin o JOIN comment c ON c.id = o.comment_id
                  WHERE o.network = ? AND o.network <> '' ORDER BY o.created_at DESC LIMIT {_HISTORY}) AS newest
              WHERE status = 'spam'"""
    return int(db.execute(sql, [network]).fetchone()[0])


def _waiting(site: Site, most: int) -> int:
    sql = """SELECT COUNT(*) FROM (SELECT 1 FROM comment c JOIN entry e ON e.id = c.entry_id
             WHERE c.status = 'pending' AND e.site_id = ? LIMIT ?) AS waiting"""
    return int(db.execute(sql, [site.id, most]).fetchone()[0])
