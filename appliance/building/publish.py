"""The kind of job that publishes one artifact: builds it and, if its bytes differ, puts it in place and in
the journal.

Guarantees that a file is renamed into the docroot only inside the transaction that ends its job and writes
its publication, and only while the attempt holds its lease; that a file whose bytes are the same is neither
written nor journalled; and that the version of a path never goes back. A crash between rename and commit
leaves the job to be rescued: it is built again and published as a new version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from appliance import clock, db
from appliance.building import recording, uploads
from appliance.building.artifacts import Made, find
from appliance.building.builder import Builder, Make, Product
from appliance.building.docroot import Docroot, File
from appliance.config import Config
from appliance.delivery import deletions, journal, purge
from appliance.errors import DocrootAway, DocrootError, PictureFailure, TemplateFailure, ThemeError, UploadElsewhere
from appliance.planning.plan import PUBLISH
from appliance.queue.kinds import registry
from appliance.queue.retry import RetryPolicy
from appliance.queue.store import Claim
from appliance.queue.worker import Desk, Kind

#: Seconds of work after which what is built so far is committed, so that the first pages of a batch need not wait
#: for its last.
_FLUSH = 0.025

#: Seconds a worker rests when the docroot is away, or all it took is to be published by another host.
_AWAY = 0.2


def kind(config: Config, docroot: Docroot) -> Kind:
    """The publishing kind for this host."""
    hopeless = (TemplateFailure, PictureFailure, ThemeError)
    retry = RetryPolicy(
        retries=config.queue.retries, hopeless=hopeless, patient=(DocrootAway,), brief=(UploadElsewhere,)
    )
    return Kind(PUBLISH, Publisher(config, docroot).perform, retry)


registry.add(PUBLISH, lambda config: kind(config, Docroot.of(config)))


@dataclass(frozen=True, slots=True, eq=False)
class _Built:
    """A built artifact that waits for its commit; `staged` is None for a deletion and for what is unchanged."""

    artifact: Made
    outcome: str
    #: None for a deletion, and for what nothing was made of since nothing it shows has changed.
    product: Product | None = None
    staged: Path | None = None
    digest: str | None = None
    size: int | None = None
    version: int = 0


class Publisher:
    """Performs publishing jobs."""

    def __init__(self, config: Config, docroot: Docroot) -> None:
        self._config = config
        self._origin = config.host_name
        self._docroot = docroot
        self._builder = Builder(config)

    def perform(self, claims: Sequence[Claim], desk: Desk) -> None:
        """Publish the artifact of each claim; the key is its path.

        Raises:
            DocrootAway: a shared docroot is not there; the claims that are still open are tried again later.
        """
        self._check()
        now = int(db.now())
        artifacts, makes = self._read([claim.key for claim in claims])
        ready: dict[Claim, _Built | None] = {}
        elsewhere = 0
        started = clock.monotonic()
        for claim in claims:
            if desk.stopping():
                break
            artifact = artifacts.get(claim.key)
            try:
                ready[claim] = self._build(artifact, makes.get(artifact.path), now) if artifact else None
            except Exception as error:  # one artifact's failure is its own
                elsewhere += isinstance(error, UploadElsewhere)
                self._record_unfinished(artifact)
                desk.fail(claim, self._docroot.reason(error))
            if clock.monotonic() - started > _FLUSH:
                self._publish(ready, desk)
                ready, started = {}, clock.monotonic()
            desk.beat()
        self._publish(ready, desk)
        if elsewhere == len(claims):
            clock.sleep(_AWAY)  # however many uploads wait, the host that has them can claim them meanwhile

    def _check(self) -> None:
        try:
            self._docroot.check()
        except DocrootAway:
            clock.sleep(_AWAY)  # however much waits, it is not all claimed and put back again without a pause
            raise

    def _read(self, paths: Sequence[str]) -> tuple[dict[str, Made], dict[str, Make]]:
        """The artifacts at `paths` and what makes each that is to be made, all of one moment.

        What cannot be loaded fails when it is made, and alone.
        """
        try:
            with db.snapshot():
                artifacts = find(paths)
                return artifacts, self._builder.load(
                    a for a in artifacts.values() if a.wanted and not self._is_fresh(a)
                )
        except Exception as error:
            if db.lost(error):
                raise
            if len(paths) == 1:
                return find(paths), {paths[0]: partial(_raise, error)}
        artifacts, makes = dict[str, Made](), dict[str, Make]()
        for path in paths:
            found, made = self._read([path])
            artifacts |= found
            makes |= made
        return artifacts, makes

    def _is_fresh(self, artifact: Made) -> bool:
        """Whether what it shows is as when it was built, and its file as it was published."""
        built = artifact.wanted and artifact.digest is not None and not artifact.is_stale
        return built and self._docroot.holds(artifact.path, artifact.size, artifact.version)

    def _build(self, artifact: Made, make: Make | None, now: int) -> _Built:
        version = max(now, artifact.version + 1)
        if not artifact.wanted:
            uploads.keep_of(self._config, artifact)
            gone = artifact.digest is None
            return _Built(artifact, "unchanged" if gone else "changed", version=version)
        if make is None:
            return _Built(artifact, "unchanged")
        product = make()
        content = product.content
        if isinstance(content, File):
            digest, size = content.digest, content.size
        else:
            digest, size = hashlib.blake2b(content, digest_size=32).hexdigest(), len(content)
        if digest == artifact.digest and self._docroot.holds(artifact.path, size, artifact.version):
            return _Built(artifact, "unchanged", product)
        version = self._docroot.above(artifact.path, version)
        return _Built(artifact, "changed", product, self._docroot.stage(content, version), digest, size, version)

    def _record_unfinished(self, artifact: Made | None) -> None:
        """Write down what a template that failed had read, so that a change of it has the artifact built again."""
        product = self._builder.unfinished.pop(artifact.path, None) if artifact else None
        if artifact and product:
            with db.write():
                recording.in_turn([artifact.site])
                recording.record_unfinished(artifact, product, self._config.queue.ageing)

    def _publish(self, ready: Mapping[Claim, _Built | None], desk: Desk) -> None:
        if not ready:
            return

        def effect(held: Sequence[Claim]) -> Mapping[Claim, str]:
            all_built = [built for claim in held if (built := ready[claim])]
            recording.in_turn(b.artifact.site for b in all_built if b.outcome == "changed" or b.product)
            changed = [built for built in all_built if built.outcome == "changed"]
            if changed and self._config.publishing_hosts:
                deletions.in_turn(self._origin)
            done = {claim: built.outcome if (built := ready[claim]) else "unchanged" for claim in held}
            failed = self._put_in_place(changed)
            self._docroot.still()
            rows = [built for built in changed if built not in failed]
            if rows:
                self._record(rows)
            made = [(b.artifact, b.product) for b in all_built if b.product and b not in failed]
            recording.record(made, self._config.queue.ageing)
            recording.gone([b.artifact for b in all_built if not b.artifact.wanted and b not in failed])
            for claim in held:
                if (built := ready[claim]) in failed:
                    del done[claim]
                    failures[claim] = failed[built]
            return done

        failures: dict[Claim, Exception] = {}
        try:
            desk.complete(list(ready), effect)
        finally:
            for built in ready.values():
                if built and built.staged:
                    built.staged.unlink(missing_ok=True)
        for claim, error in failures.items():
            desk.fail(claim, self._docroot.reason(error))

    def _put_in_place(self, changed: Sequence[_Built]) -> dict[_Built | None, Exception]:
        failed: dict[_Built | None, Exception] = {}
        # Deletions first: a file may be on its way to where a folder was, or the other way round.
        for built in sorted(changed, key=lambda built: built.staged is not None):
            try:
                if built.staged:
                    self._docroot.put(built.staged, built.artifact.path)
                else:
                    self._docroot.delete(built.artifact.path)
            # Such as a folder that is not yet empty where a file shall be: retried.
            except (OSError, DocrootError) as error:
                failed[built] = error
        return failed

    def _record(self, changed: Sequence[_Built]) -> None:
        db.execute(
            f"""WITH made (id, digest, size, version) AS (VALUES {db.marks(len(changed), 4)})
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
        )
        if not self._config.targets:  # else the caches hear of it when all targets show it
            purge.ask(self._config)


def _raise(error: Exception) -> NoReturn:
    raise error
