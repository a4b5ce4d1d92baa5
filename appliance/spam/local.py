"""The spam check of this installation: a few rules, each of which a person can understand and verify.

Each rule that applies gives points and says why. From two points on a person decides, and from four on it is spam. So
no single rule calls a comment spam, except those about what the same sender did before and what a moderator decided
about the same text. Words are not judged: a list of words is in one language, and what it forbids is what some readers
talk about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from appliance.spam.base import Candidate, Opinion

#: Points from which a comment waits for a person, and from which it is spam.
DOUBTFUL, SPAM = 2, 4
#: Characters a text needs at least for its repetition to mean anything: many people write “Thank you!”.
_TELLING: Final = 30
#: Letters besides addresses from which a text with a link says something.
_WORDS: Final = 15
_MANY_LINKS: Final = 5

_ADDRESS: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_FOREIGN_MARKUP: Final = re.compile(r"\[(?:url|link)[=\]]|<a\s+href\s*=", re.IGNORECASE)
_ADVERTISING_NAME: Final = re.compile(r"https?:|www\.|\.(?:com|net|org|info|biz|ru|cn|xyz|top|shop|online)\b", re.I)

#: A rule: the points for a comment, and why.
Rule = Callable[[Candidate], tuple[int, str]]


def _same_text(candidate: Candidate) -> tuple[int, str]:
    if len(candidate.text) < _TELLING or candidate.history.text_decided:
        return 0, ""
    count = candidate.history.same_text
    points = SPAM if count >= 3 else DOUBTFUL if count else 0
    return points, f"the same text was sent {count} more time{'s'[: count > 1]} within a day"


def _decided_text(candidate: Candidate) -> tuple[int, str]:
    told = len(candidate.text) >= _TELLING and candidate.history.text_decided == "spam"
    return SPAM * told, "a moderator marked the same text as spam"


def _earlier_spam(candidate: Candidate) -> tuple[int, str]:
    count = candidate.history.spam_from_network
    points = SPAM if count >= 5 else DOUBTFUL if count >= 2 else 0
    return points, f"{count} comments from its network were spam"


def _foreign_markup(candidate: Candidate) -> tuple[int, str]:
    return 2 * bool(_FOREIGN_MARKUP.search(candidate.text)), "its links are written for other systems"


def _nothing_but_links(candidate: Candidate) -> tuple[int, str]:
    words = sum(character.isalpha() for character in _ADDRESS.sub("", candidate.text))
    return 2 * (candidate.links > 0 and words < _WORDS), "it says little besides its links"


def _many_links(candidate: Candidate) -> tuple[int, str]:
    return 2 * (candidate.links > _MANY_LINKS), f"it has {candidate.links} links"


def _advertising_name(candidate: Candidate) -> tuple[int, str]:
    return 2 * bool(_ADVERTISING_NAME.search(candidate.author)), "the name is an address"


def _no_browser(candidate: Candidate) -> tuple[int, str]:
    return int(not candidate.user_agent), "its sender's browser has no name"


_RULES: Final[tuple[Rule, ...]] = (
    _same_text, _decided_text, _earlier_spam, _foreign_markup, _nothing_but_links, _many_links, _advertising_name,
    _no_browser,
)  # fmt: skip


class LocalRules:
    """Judges a comment by its text and by what its sender did before."""

    is_remote = False

    def judge(self, candidate: Candidate) -> Opinion:
        """Add up the points of all rules. A sender who was approved before is not taken for a spammer outright."""
        found = [(points, reason) for points, reason in (rule(candidate) for rule in _RULES) if points]
        total = sum(points for points, _ in found)
        if total < DOUBTFUL:
            return Opinion("ham")
        reason = ", ".join(reason for _, reason in found)
        return Opinion("spam" if total >= SPAM and not candidate.history.approved_before else "doubtful", reason)

    def report(self, _candidate: Candidate, *, is_spam: bool) -> None:
        """Learn nothing: the rules go by what people decided, which the site's history says."""
