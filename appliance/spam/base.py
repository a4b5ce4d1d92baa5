"""What a spam check is asked and answers.

A check sees values only, no rows: it neither reads nor changes the database. Whoever asks decides what follows from
the answer. A check that asks another machine is slow; it is never called inside a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

#: ham: nothing against it; doubtful: a person should look at it; spam: readers must not see it; certain: spam that
#: nobody needs to look at.
Judgement = Literal["ham", "doubtful", "spam", "certain"]


@dataclass(frozen=True, slots=True)
class History:
    """What the site knows of a sender and of a text."""

    #: How many comments from the sender's network are marked as spam.
    spam_from_network: int = 0
    #: How many other comments of the last day have the same text.
    same_text: int = 0
    #: What a moderator decided about the same text against the check; empty if nothing.
    text_decided: Literal["", "ham", "spam"] = ""
    #: Whether a comment with the same e-mail address was approved before.
    approved_before: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A comment to judge, with everything known of its sender."""

    author: str
    text: str
    #: In seconds since the epoch.
    created_at: int
    email: str = ""
    website: str = ""
    #: The number of links in the text.
    links: int = 0
    is_reply: bool = False
    address: str = ""
    user_agent: str = ""
    referrer: str = ""
    #: The address of the page that it is on, and of the site; absolute.
    page: str = ""
    site: str = ""
    language: str = ""
    history: History = History()


@dataclass(frozen=True, slots=True)
class Opinion:
    """The answer of a check."""

    judgement: Judgement
    #: Why, in a few words; empty for ham.
    reason: str = ""

    @property
    def verdict(self) -> Literal["ham", "doubtful", "spam"]:
        """The judgement without its degree."""
        return "spam" if self.judgement == "certain" else self.judgement


class SpamCheck(Protocol):
    """Judges comments and learns from people who disagree."""

    #: Whether it asks another machine.
    is_remote: bool

    def judge(self, candidate: Candidate) -> Opinion:
        """Judge a comment.

        Raises:
            SpamCheckError: another machine did not answer.
            SpamCheckRefused: another machine refuses to answer until a person has changed something.
        """

    def report(self, candidate: Candidate, *, is_spam: bool) -> None:
        """Report what a person decided about a comment that was judged differently. Raises the same errors."""
