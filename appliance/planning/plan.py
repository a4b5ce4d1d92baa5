"""What is wanted of a planning, on what terms, and what it came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance import db
from appliance.config import DeletionSettings
from appliance.planning.answers import Evaluate
from appliance.queue.models import Answer

#: The kind of job that publishes one artifact; its key is the artifact's path.
PUBLISH: Final = "publish"


@dataclass(frozen=True)
class Wish:
    """What is wanted of a planning beyond what changed."""

    #: Every artifact is asked for; one nothing of which changed is only looked after.
    everything: bool = False
    #: What is asked for is built whether anything of it changed or not.
    force: bool = False
    #: Artifacts whose path below the docroot matches one of these shell patterns are asked for and built.
    patterns: Sequence[str] = ()
    #: However much is deleted.
    allow_removals: bool = False
    #: Tell why each artifact is asked for.
    explain: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether only changes are to be published."""
        return not (self.everything or self.force or self.patterns)


@dataclass(frozen=True)
class Terms:
    """On what terms a site is planned."""

    #: Seconds of waiting that weigh as much as one step of priority.
    ageing: float
    #: Tells what the keys of recipes answer now.
    evaluate: Evaluate
    #: How much may be deleted at once.
    deletions: DeletionSettings = field(default_factory=DeletionSettings)


@dataclass
class Plan:
    """What planning a site came to."""

    site: str
    #: What enqueuing did, by answer.
    answers: Counter[Answer] = field(default_factory=Counter)
    #: One sentence for each artifact that cannot be published.
    faults: list[str] = field(default_factory=list)
    #: Files that will be deleted.
    removed: int = 0
    #: Paths of the artifacts to be built at once.
    at_once: list[str] = field(default_factory=list)
    #: Why, by path, when that was asked for; each reason once. And of these paths: what would be deleted, what waits
    #: until it is asked for by path, and the sentence with which the guard before deletions would refuse.
    why: dict[str, list[str]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def wanted(self) -> int:
        """How many artifacts the site should have."""
        row = db.execute(
            "SELECT COUNT(*) FROM artifact a JOIN site s ON s.id = a.site_id WHERE s.name = ? AND a.wanted", [self.site]
        ).fetchone()
        return int(row[0])
