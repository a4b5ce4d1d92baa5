"""Checks the messages of recent commits against the rules in CONTRIBUTING.md.

The rules apply to commits made after this module was added to the repository. At most the last 50 of them are checked,
merges excepted, so that the check stays fast and one old mistake does not fail for ever. A shallow clone is checked as
far back as it reaches. A source tree without a git repository of its own has no commits to check; the check then says
so and ends with `SKIPPED`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: Exit status of a check that does not apply here; `./inv lint` reports it as skipped.
SKIPPED = 77

#: The longest subject that git and its web interfaces show without cutting it off.
SUBJECT_LENGTH = 72

_NEWEST = 50

#: Verbs in the imperative that end like another form of a verb.
_IMPERATIVE = re.compile(
    "bring|cling|fling|ping|ring|sing|sling|spring|sting|string|swing|wring"
    "|bleed|breed|embed|exceed|feed|heed|need|proceed|seed|shed|shred|speed|succeed|weed"
    "|alias|bias|canvas|focus|[a-z]+ss"
)

#: First words that are no imperative: by their ending, articles and the like, and irregular past tenses.
_OTHER = re.compile(
    "[a-z]*(ed|ing|s)|an?|the|th(is|at|ese|ose|ere)|its?|we|i|no|new|now"
    "|built|found|gave|held|kept|made|said|sent|told|took|went|wrote|"
)


def faults(message: str) -> Iterator[str]:
    """Yield one sentence for each rule that a commit's message breaks.

    The mood is judged by the first word alone: by its ending, and by lists of exceptions.
    """
    lines = message.strip("\n").splitlines() or [""]
    subject = lines[0]
    if len(subject) > SUBJECT_LENGTH:
        yield f"the subject has {len(subject)} characters; shorten it to {SUBJECT_LENGTH}"
    if not subject[:1].isupper():
        yield "the subject does not start with a capital letter"
    if subject.endswith((".", "!", "…")):
        yield "the subject ends with punctuation; leave that out"
    if not _is_imperative(subject):
        first = subject.partition(" ")[0]
        yield f"“{first}” is not a verb in the imperative; begin with one, such as Add, Fix or Rename"
    if lines[1:2] and lines[1].strip():
        yield "no empty line follows the subject"
    if not any(line.strip() and not _is_trailer(line) for line in lines[1:]):
        yield "there is no body; say why the change is made"


def _is_imperative(subject: str) -> bool:
    word = re.split(r"[^a-z]", subject.lower(), maxsplit=1)[0]
    return bool(_IMPERATIVE.fullmatch(word) or not _OTHER.fullmatch(word))


def _is_trailer(line: str) -> bool:
    return re.match(r"[A-Z][a-z]+(-[A-Za-z]+)+: ", line) is not None


def commits(root: Path) -> dict[str, str] | None:
    """Return the messages of the commits to check by their short ids, newest first; None outside a git repository."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()).resolve() != root.resolve():
        return None
    added = _git(root, "log", "--diff-filter=A", "--format=%H", "--", "devtools/commit_messages.py")
    if not (added or "").split():
        return {}
    first = (added or "").split()[-1]
    listed = _git(root, "log", "--no-merges", f"-{_NEWEST}", "--format=%h%n%B%x00", f"{first}..HEAD") or ""
    records = (record.lstrip("\n").partition("\n") for record in listed.split("\0") if record.strip())
    return {commit: message for commit, _, message in records}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", root, *arguments], capture_output=True, text=True, encoding="utf-8", errors="replace"
        )
    except OSError:  # git is not installed
        return None
    return None if result.returncode else result.stdout


def main(root: Path = Path(__file__).parents[1]) -> int:
    """Print what is wrong with the messages; return the exit status."""
    messages = commits(root)
    if messages is None:
        print("this is not a git repository, so there are no commits to check")
        return SKIPPED
    status = 0
    for commit, message in messages.items():
        for fault in faults(message):
            print(f"{commit} ({message.partition(chr(10))[0]}): {fault}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
