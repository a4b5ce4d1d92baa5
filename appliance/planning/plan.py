"""The plan of a site: its options, its context, and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance import db
from appliance.config import DeletionSettings
from appliance.planning.dependency_keys import DigestKeys
from appliance.queue.models import EnqueueResult

#: The kind of job that publishes one artifact. The key of the job is the artifact's path.
PUBLISH: Final = "publish"


@dataclass(frozen=True)
class PublishOptions:
    """What to publish besides pending changes, and how."""

    #: Enqueue every artifact. Those that nothing invalidated are only checked against the docroot.
    everything: bool = False
    #: Build what is enqueued even if nothing invalidated it.
    force: bool = False
    #: Enqueue and build artifacts whose path below the docroot matches one of these shell patterns.
    patterns: Sequence[str] = ()
    #: Delete any number of files.
    allow_removals: bool = False
    #: Record why each artifact is invalidated, and change nothing.
    explain: bool = False
    #: Whether a person asks for this, which the audit then says.
    asked: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether only pending changes are published."""
        return not (self.everything or self.force or self.patterns)


@dataclass(frozen=True)
class PlanContext:
    """What planning needs to know besides the site, its theme and the options."""

    #: Seconds of waiting that weigh as much as one step of priority.
    ageing: float
    #: Computes the current digests of dependency keys.
    digest_keys: DigestKeys
    #: How many files may be deleted at once.
    deletions: DeletionSettings = field(default_factory=DeletionSettings)


@dataclass
class Plan:
    """The result of planning a site."""

    site: str
    #: Number of jobs by what enqueuing did with each.
    enqueue_results: Counter[EnqueueResult] = field(default_factory=Counter)
    #: One sentence for each artifact that cannot be published.
    faults: list[str] = field(default_factory=list)
    #: One sentence for each artifact that is published at another path than its name gives, since that one is taken.
    notes: list[str] = field(default_factory=list)
    #: Ids of sites above this one that lost paths to it and must be planned again.
    sites_to_replan: list[int] = field(default_factory=list)
    #: Number of files that will be deleted.
    deletion_count: int = 0
    #: Paths of the artifacts to build now, in this process.
    build_now: list[str] = field(default_factory=list)
    #: When explained: the reasons for each invalidated path, without repetition; then the paths that would be deleted,
    #: the paths that wait until they are requested, and the sentence with which the removal guard would refuse.
    reasons: dict[str, list[str]] = field(default_factory=dict)
    deleted_paths: list[str] = field(default_factory=list)
    manual_paths: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def artifact_count(self) -> int:
        """How many artifacts the site should have."""
        row = db.execute(
            "SELECT COUNT(*) FROM artifact a JOIN site s ON s.id = a.site_id WHERE s.name = ? AND a.wanted", [self.site]
        ).fetchone()
        return int(row[0])
