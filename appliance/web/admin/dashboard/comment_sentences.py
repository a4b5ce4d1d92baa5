"""What pages say about decisions on comments: what was done, and what somebody else had done before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance.editorial.decisions import Act, Last, last_acts
from appliance.overview.durations import relative
from appliance.web.admin import guard
from appliance.web.admin.pages.shown_times import now

#: What became of a comment, as a participle.
DONE: Final = {"approved": "approved", "pending": "held", "spam": "marked as spam", "deleted": "deleted"}
_DID: Final = {**DONE, "edited": "edited"}
#: Seconds for which something was done just now.
_JUST_NOW: Final = 10
#: Comments about which a sentence is told one by one.
_TOLD: Final = 3


def number_of(comments: int) -> str:
    """A number of comments: `1 comment`, `12 comments`."""
    return f"{comments:,} comment{'' if comments == 1 else 's'}"


def done(act: Act) -> str:
    """What was done: `12 comments marked as spam.`."""
    return f"{number_of(len(act.comments))} {DONE[act.after]}."


def why_left(last: Last | None) -> str:
    """Why nothing was done about a comment, as a sentence."""
    if last is None or last.what not in _DID:
        return "Somebody changed this comment in the meantime, so nothing was done."
    who = "You" if last.by == guard.principal().name else (last.by or "Somebody")
    when = "just now" if now() - last.at < _JUST_NOW else relative(last.at - now())
    return f"{who} {_DID[last.what]} this comment {when}, so nothing was done."


def left(comments: Sequence[int]) -> list[str]:
    """What is to be said about comments that were left alone, a few of them one by one."""
    acts = last_acts(comments[:_TOLD])
    told = [f"Comment {key}: {_lower(why_left(acts.get(key)))}" for key in comments[:_TOLD]]
    if more := len(comments) - len(told):
        told.append(
            f"{number_of(more)} more had been changed by somebody else and {'was' if more == 1 else 'were'} left."
        )
    return told


def _lower(sentence: str) -> str:
    """A sentence as it goes on after a colon; a name keeps its spelling."""
    return sentence[0].lower() + sentence[1:] if sentence.startswith(("You ", "Somebody ")) else sentence
