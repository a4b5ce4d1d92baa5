"""Why an attempt failed, and to which group of failures it belongs.

Failures of one site, kind, error, place and message are one group: a broken template that a thousand files use is one
thing to mend. What differs from job to job in a message, its key and numbers, does not count.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Final

from appliance.errors import SourceExcerpt

#: What differs in the messages of one fault: numbers, digests and names made of them.
_VARYING: Final = re.compile(r"\b[0-9a-f]{8,}\b|\d+")
#: Characters of a message that count, and that are kept with an attempt.
_COMPARED: Final = 1000
KEPT: Final = 1000
#: The folder of a file whose line is named.
_FOLDER: Final = re.compile(r"^/.*/(?=[^/]+, line \d)")


@dataclass(frozen=True, slots=True)
class FailureDetails:
    """Why a run failed: the class of the error, its message and its stack trace."""

    error: str
    message: str
    trace: str
    #: What the job failed on: for publishing, the template.
    about: str = ""
    #: The lines of a file around the fault.
    excerpt: SourceExcerpt | None = None


def group_of(kind: str, key: str, scope: str, failure: FailureDetails) -> str:
    """Return the name of the group of a failure, 20 letters and digits that are the same in each release."""
    place = (failure.excerpt.file, failure.excerpt.line) if failure.excerpt else ()
    message = _VARYING.sub("#", without_key(failure.message[:_COMPARED], key))
    values = (scope, kind, failure.error, failure.about, place, message)
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=10).hexdigest()


def shortened(message: str, key: str, excerpt: SourceExcerpt | None) -> str:
    """Return what is wrong in one line: without the key of the job, what to do about it, and the folder of a theme."""
    what = without_key(message.partition("\n")[0].partition("; ")[0], key)
    place = f"{excerpt.file}, line {excerpt.line}" if excerpt else ""
    return place + what.partition(place)[2] if place and place in what else what


def brief(message: str) -> str:
    """Return what is wrong in one line, for lists: without what to do about it, and without the folder of a theme."""
    return _FOLDER.sub("", message.partition("\n")[0].partition("; ")[0])


def without_key(message: str, key: str, instead: str = "…") -> str:
    """Return a message with something else where it has the key of its job as a whole word."""
    return re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", lambda _match: instead, message) if key else message


def same_in_all(message: str, key: str) -> str:
    """Return the longest part that the messages of a group share, to search for them; perhaps empty."""
    pieces = _VARYING.split(without_key(message.partition("\n")[0], key, '"'))
    return max((piece.strip() for part in pieces for piece in part.split('"')), key=len, default="")[:150]


def encode_excerpt(excerpt: SourceExcerpt | None) -> str | None:
    """Return an excerpt as JSON."""
    return None if excerpt is None else json.dumps(asdict(excerpt), ensure_ascii=False)


def decode_excerpt(text: str | None) -> SourceExcerpt | None:
    """Return the excerpt that JSON holds."""
    if text is None:
        return None
    values = json.loads(text)
    return SourceExcerpt(values["file"], values["line"], values["first"], tuple(values["lines"]))
