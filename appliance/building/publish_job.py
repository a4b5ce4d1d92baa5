"""The job that publishes one artifact: builds it and, if its bytes differ, puts it in the docroot and in the journal.

Guarantees that a file is renamed into the docroot only inside the transaction that ends its job and writes its
publication, and only while the attempt holds its lease; that a file with the same bytes is neither written nor
journalled; and that the version of a path never goes back, nor has two contents. A crash between rename and commit
leaves the job to be rescued: the artifact is built again and published as a new version, by whichever host does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from appliance import caches, clock, db
from appliance.building import dependency_store, upload_store
from appliance.building.builder import Builder, BuildFunction, BuildResult
from appliance.building.docroot import Docroot, File, find_in_the_way
from appliance.building.loaders import ArtifactRow, find_artifacts
from appliance.config import Config
from appliance.delivery import deletions, journal, reservations
from appliance.errors import (
    DocrootAway,
    DocrootError,
    ImageFailure,
    PlanUnfinished,
    TemplateEdited,
    TemplateFailure,
    ThemeError,
    UploadElsewhere,
)
from appliance.planning.plan import PUBLISH
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.retry import RetryPolicy
from appliance.queue.store import Claim
from appliance.queue.worker import Batch, JobKind
from appliance.webhooks import published_pages

#: Seconds after which the artifacts built so far are committed, so that the first pages of a batch need not wait for
#: its last. In a full batch, behind which more may wait, fewer commits have more published sooner.
_COMMIT_INTERVAL, _COMMIT_INTERVAL_WHEN_MUCH_WAITS = 0.025, 0.1

#: Seconds that a worker rests when the docroot is away, or when another host must publish all that it claimed.
_REST = 0.2


def publish_kind(config: Config, docroot: Docroot) -> JobKind:
    """The publish kind of this host."""
    hopeless = (TemplateFailure, ImageFailure, ThemeError)
    retry = RetryPolicy(
        max_retries=config.queue.retries,
        fatal=hopeless,
        snooze_on=(DocrootAway,),
        short_snooze_on=(UploadElsewhere, TemplateEdited, PlanUnfinished),
    )
    return JobKind(PUBLISH, Publisher(config, docroot).perform, retry)


registry.add(PUBLISH, lambda config: publish_kind(config, Docroot.of(config)))


@dataclass(frozen=True, slots=True, eq=False)
class _Built:
    """A built artifact that waits to be committed. `staged` is None for a deletion, and when nothing changed."""

    artifact: ArtifactRow
    outcome: str
    #: None for a deletion, and when nothing was built since nothing that the artifact shows has changed.
    result: BuildResult | None = None
    staged: str | None = None
    digest: str | None = None
    size: int | None = None
    version: int = 0


class Publisher:
    """Performs publish jobs."""

    def __init__(self, config: Config, docroot: Docroot) -> None:
        self._config = config
        self._origin = config.host_name
        self._docroot = docroot
        self._builder = Builder(config)

    def perform(self, claims: Sequence[Claim], batch: Batch) -> None:
        """Publish the artifact of each claim; the key of a claim is the path.

        Raises:
            DocrootAway: a shared docroot is away; the claims that are still open are retried later.
        """
        self._check()
        now = int(db.now())
        artifacts, builds = self._read([claim.key for claim in claims])
        pending: dict[Claim, _Built | None] = {}
        elsewhere = 0
        much_waits = len(claims) >= self._config.queue.batch > 1
        interval = _COMMIT_INTERVAL_WHEN_MUCH_WAITS if much_waits else _COMMIT_INTERVAL
        started = clock.monotonic()
        for claim in _in_order(claims, artifacts):
            if batch.is_stopping():
                break
            artifact = artifacts.get(claim.key)
            try:
                pending[claim] = self._build(artifact, builds.get(artifact.path), now) if artifact else None
            except Exception as error:  # a failure concerns only this artifact
                elsewhere += isinstance(error, UploadElsewhere)
                self._record_failed_build(artifact)
                batch.fail(claim, self._docroot.explain(error), _template_of(artifact))
            if clock.monotonic() - started > interval:
                self._publish(pending, batch)
                pending, started = {}, clock.monotonic()
            batch.heartbeat()
        self._publish(pending, batch)
        if elsewhere == len(claims):
            clock.sleep(_REST)  # lets the host that has these uploads claim them

    def _check(self) -> None:
        try:
            self._docroot.check()
        except DocrootAway:
            clock.sleep(_REST)  # else all jobs would be claimed and released without a pause
            raise

    def _read(self, paths: Sequence[str]) -> tuple[dict[str, ArtifactRow], dict[str, BuildFunction]]:
        """The artifacts at `paths`, and the functions that build those that need building, read in one snapshot.

        An artifact that cannot be loaded fails when it is built, and fails alone.
        """
        try:
            with db.snapshot():
                artifacts = find_artifacts(paths)
                return artifacts, self._builder.load(
                    a for a in artifacts.values() if a.wanted and not self._is_fresh(a)
                )
        except Exception as error:
            if db.is_unavailable(error):
                raise
            if len(paths) == 1:
                return find_artifacts(paths), {paths[0]: partial(_raise, error)}
        artifacts, builds = dict[str, ArtifactRow](), dict[str, BuildFunction]()
        for path in paths:
            found, found_builds = self._read([path])
            artifacts |= found
            builds |= found_builds
        return artifacts, builds

    def _is_fresh(self, artifact: ArtifactRow) -> bool:
        """Whether nothing that the artifact shows has changed since its build, and its file is as it was published."""
        built = artifact.wanted and artifact.digest is not None and not artifact.is_stale
        return built and self._is_shown(artifact, artifact.size)

    def _is_shown(self, artifact: ArtifactRow, size: int | None) -> bool:
        """Whether this host has the file as it was published, and no other host can have anything else."""
        return not artifact.was_interrupted and self._docroot.holds(artifact.path, size, artifact.version)

    def _build(self, artifact: ArtifactRow, build: BuildFunction | None, now: int) -> _Built:
        if not artifact.wanted:
            upload_store.keep_before_deletion(self._config, artifact)
            outcome = "unchanged" if self._is_gone(artifact) else "changed"
            return _Built(artifact, outcome, version=self._next_version(artifact, now))
        if build is None:
            return _Built(artifact, "unchanged")
        result = build()
        content = result.content
        if isinstance(content, File):
            digest, size = content.digest, content.size
        else:
            digest, size = hashlib.blake2b(content, digest_size=32).hexdigest(), len(content)
        if digest == artifact.digest and self._is_shown(artifact, size):
            return _Built(artifact, "unchanged", result)
        version = self._next_version(artifact, now)
        return _Built(artifact, "changed", result, self._docroot.stage(content, version), digest, size, version)

    def _next_version(self, artifact: ArtifactRow, now: int) -> int:
        """A version above all that any host may show."""
        return self._docroot.version_above(artifact.path, max(now, artifact.version + 1, artifact.reserved + 1))

    def _is_gone(self, artifact: ArtifactRow) -> bool:
        """Whether an unwanted artifact has no file, not even one of a run that was not committed."""
        left = artifact.was_interrupted or self._docroot.has_leftover(artifact.path)
        return artifact.digest is None and not left

    def _record_failed_build(self, artifact: ArtifactRow | None) -> None:
        """Record what a failed template had read, so that a change of it has the artifact built again."""
        result = self._builder.failed_results.pop(artifact.path, None) if artifact else None
        if artifact and result:
            with db.write():
                dependency_store.lock_sites([artifact.site])
                dependency_store.record_failed_build(artifact, result, self._config.queue.ageing)

    def _publish(self, pending: Mapping[Claim, _Built | None], batch: Batch) -> None:
        if not pending:
            return

        def effect(held: Sequence[Claim]) -> Mapping[Claim, str]:
            all_built = [built for claim in held if (built := pending[claim])]
            dependency_store.lock_sites(b.artifact.site for b in all_built if b.outcome == "changed" or b.result)
            changed = [built for built in all_built if built.outcome == "changed"]
            if changed and self._config.publishing_hosts:
                deletions.lock(self._origin)
            outcomes = {claim: built.outcome if (built := pending[claim]) else "unchanged" for claim in held}
            failed = self._put_in_place(changed)
            placed.update(built for built in changed if built not in failed)
            self._docroot.confirm()
            published = [built for built in changed if built not in failed]
            if published:
                self._record(published, {built: claim.id for claim in held if (built := pending[claim])})
            recorded = [(b.artifact, b.result) for b in all_built if b.result and b not in failed]
            dependency_store.record_builds(recorded, self._config.queue.ageing)
            dependency_store.record_deletions(
                [b.artifact for b in all_built if not b.artifact.wanted and b not in failed]
            )
            for claim in held:
                if (built := pending[claim]) in failed:
                    del outcomes[claim]
                    failures[claim] = failed[built]
            return outcomes

        failures: dict[Claim, Exception] = {}
        placed: set[_Built] = set()
        try:
            self._reserve(pending.values())
            batch.complete(list(pending), effect)
        finally:
            for built in pending.values():
                if built and built.staged and built not in placed:
                    self._docroot.unstage(built.staged)
        for claim, error in failures.items():
            built = pending[claim]
            batch.fail(claim, self._docroot.explain(error), _template_of(built.artifact if built else None))

    def _reserve(self, pending: Iterable[_Built | None]) -> None:
        """Reserve the versions before any file has them, since another host may have to do all of this again."""
        if self._config.publishing_hosts:
            reservations.reserve({b.artifact.path: b.version for b in pending if b and b.outcome == "changed"})

    def _put_in_place(self, changed: Sequence[_Built]) -> dict[_Built | None, Exception]:
        failed: dict[_Built | None, Exception] = {}
        # Deletions first: a file may take the place of a folder, or a folder that of a file.
        for built in sorted(changed, key=lambda built: built.staged is not None):
            try:
                if built.staged:
                    self._docroot.put(built.staged, built.artifact.path)
                else:
                    self._docroot.delete(built.artifact.path)
            # Such as a folder that is not empty yet where a file shall be. The job is retried.
            except (OSError, DocrootError) as error:
                failed[built] = error
        return failed

    def _record(self, changed: Sequence[_Built], jobs: Mapping[_Built, int]) -> None:
        db.execute(
            f"""WITH made (id, digest, size, version) AS (VALUES {db.placeholders(len(changed), 4)})
                UPDATE artifact SET digest = made.digest, size = CAST(made.size AS BIGINT), version = made.version
                FROM made WHERE artifact.id = made.id""",
            [v for b in changed for v in (b.artifact.id, b.digest, b.size, b.version)],
        )
        journal.append(
            [
                journal.Put(b.artifact.path, b.version, b.digest, b.size)
                if b.digest is not None and b.size is not None
                else journal.Delete(b.artifact.path, b.version)
                for b in changed
            ],
            self._origin,
            [jobs[b] for b in changed],
        )
        if self._config.publishing_hosts:
            reservations.end([b.artifact.path for b in changed])
        if not self._config.targets:  # with targets, both wait until all targets have the file
            caches.enqueue_purges(self._config)
            published_pages.enqueue_published(self._config)


def _in_order(claims: Sequence[Claim], artifacts: Mapping[str, ArtifactRow]) -> Sequence[Claim]:
    """The claims as they came, but first the deletions that the other files need: a commit may come between them."""
    gone = [path for path, artifact in artifacts.items() if not artifact.wanted]
    first = find_in_the_way(gone, artifacts.keys() - gone)
    return sorted(claims, key=lambda claim: claim.key not in first) if first else claims


def _template_of(artifact: ArtifactRow | None) -> str:
    """The template that an artifact is built with; empty for files. For them the column holds something else."""
    return "" if artifact is None or artifact.type in ("static", "thumbnail") else artifact.template


def _raise(error: Exception) -> NoReturn:
    raise error


#: Jobs that one call of `build_now` claims at a time.
_CLAIMED_AT_ONCE = 100


def build_now(config: Config, docroot: Docroot, paths: Sequence[str]) -> None:
    """Build these artifacts in this process, except those that a worker has already claimed.

    A build that fails leaves its job on the queue, where it is retried.
    """
    kind = publish_kind(config, docroot) if paths else None
    for start in range(0, len(paths), _CLAIMED_AT_ONCE):
        claims = store.claim(
            f"{config.host_name}-at-once",
            [PUBLISH],
            _CLAIMED_AT_ONCE,
            config.queue.lease,
            keys=paths[start : start + _CLAIMED_AT_ONCE],
        )
        if claims and kind:
            batch = Batch(kind, claims, config.queue, lambda: False)
            with suppress(DocrootAway):  # it went away just now; the jobs wait on the queue
                kind.perform(claims, batch)
            store.release(list(batch.open_claims.values()))
