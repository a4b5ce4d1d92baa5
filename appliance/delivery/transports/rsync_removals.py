"""Filter rules with which rsync's `--delete` removes the given names and nothing else.

Guarantees that only names given in full are removed, that a folder is removed only when it is empty, that `keep` wins
over the given names, and that a file stays which the docroot has again by then: the sending rsync looks itself.

Every build of rsync accepts these rules. `--delete-missing-args` would say the same in fewer words, but the receiving
rsync of Debian 12 and Ubuntu 24.04 (3.2.7 with later fixes) refuses what it sends ("invalid file mode 00"), and it
ignores what is to be kept. The price is that rsync reads each folder from which something is removed: 0.1 s for a
folder of 10,000 entries.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance.delivery import file_lists

#: Options before the folders to remove from. The rules are read from standard input.
OPTIONS = (
    *("--from0", "--relative", "--recursive", "--delete", "--existing", "--ignore-existing", "--filter=. -"),
    # Nothing but names goes: the folders above them keep their modes and times.
    *("--no-perms", "--no-times"),
)

#: Names of one run. Each is compared with all that lies beside it, and each may lie in a folder of its own, which
#: becomes an argument of the command.
_NAMES = 400

_WILD = re.compile(rb"[*?\[]")
_ESCAPED = re.compile(rb"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class RemovalRules:
    """Tells one run of rsync what to remove."""

    #: Folders of the docroot from which something is removed. Each ends with a slash; "" is the docroot itself.
    folders: list[str]
    #: Filter rules, each ended by NUL.
    rules: bytes


def removal_rules(names: Sequence[str], docroot: Path, keep: Sequence[str]) -> RemovalRules:
    """Return the rules that remove `names` from a target. The names of folders end with a slash."""
    patterns = [rule for name in names for rule in _patterns(name)]
    return RemovalRules(file_lists.nearest_folders(names, docroot), filter_rules(patterns, keep))


def filter_rules(patterns: Iterable[bytes], keep: Sequence[str]) -> bytes:
    """Return filter rules that remove only what `patterns` match and `keep` does not."""
    # Hidden as well: rsync looks into a folder that both ends have, and finds no rule about what is in it.
    kept = [side + os.fsencode(pattern) for pattern in keep for side in (b"P ", b"H ")]
    chosen = [b"+ " + pattern for pattern in dict.fromkeys(patterns)]
    # Two rules and not an exclusion: with --delete-excluded among a target's own options that would protect nothing.
    return b"".join(rule + b"\0" for rule in (*kept, *chosen, b"P *", b"H *"))


def pattern(name: str) -> bytes:
    """Return the pattern that matches this path below the docroot and no other."""
    raw = os.fsencode(name)
    # A backslash stands for itself in a pattern without wildcards.
    return b"/" + (_ESCAPED.sub(rb"\\\g<0>", raw) if _WILD.search(raw) else raw)


def _patterns(name: str) -> list[bytes]:
    """Return patterns for a name and the folders above it: rsync enters no other folder."""
    above = [f"{folder}/" for folder in reversed(PurePosixPath(name).parents) if folder.name]
    return [pattern(part) for part in (*above, name)]


def split_into_runs(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield `names`, each once, in lists that one run of rsync can take."""
    unique = list(dict.fromkeys(names))
    for start in range(0, len(unique), _NAMES):
        yield unique[start : start + _NAMES]
