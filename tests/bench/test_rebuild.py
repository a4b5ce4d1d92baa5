"""What publishing all of a site again costs, by what does not depend on the machine: ratios in one run, and counts."""

from __future__ import annotations

import gc
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance import db, publishing
from appliance.building import publish_job
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.installation import open_installation
from appliance.planning.plan import PublishOptions
from appliance.queue import store
from appliance.queue.worker import JobKind, Worker
from appliance.running.process_mains import tune_collector
from bench import rebuild
from bench.rebuilding import plain
from tests.statements import count_statements

pytestmark = pytest.mark.slow

_POSTS = 600

#: Processor time of a worker for each of the plain loop's, and statements and rows of what was read for each file.
_MOST, _STATEMENTS, _ROWS = 3.0, 3.2, 9.0


class _NoWait:
    def wait(self, timeout: float) -> bool:
        return False


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Config]:
    """A site of many posts that has been published once."""
    rebuild.fill(tmp_path, _POSTS)
    made = rebuild.settings(tmp_path)
    before = gc.get_threshold()
    with open_installation(made):
        Docroot.prepare(made)
        tune_collector()
        yield made
    gc.set_threshold(*before)
    gc.unfreeze()


def _work(made: Config, kind: JobKind) -> int:
    return Worker("w", [kind], made.queue, _NoWait()).run(once=True)


def _empty(made: Config) -> None:
    shutil.rmtree(made.docroot, ignore_errors=True)
    publishing.publish(made, options=PublishOptions(everything=True))
    Docroot.prepare(made)


def _processor(body: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    body()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_rebuild_costs_little_more_than_rendering_and_writing(made: Config, tmp_path: Path) -> None:
    publishing.publish(made)
    kind = publish_job.publish_kind(made, Docroot.of(made))
    files = _work(made, kind)
    pages = plain.load(made)
    plain.write(pages, tmp_path / "plain")  # compiles the templates, as the first publication has done for ours
    gc.freeze()  # what the loop has loaded is no part of a worker's memory
    ours, loops = [], []
    for number in range(3):
        _empty(made)
        ours.append(_processor(lambda: _work(made, kind)) / files)
        out = tmp_path / f"plain-{number}"
        loops.append(_processor(lambda out=out: plain.write(pages, out)) / len(pages))  # type: ignore[misc]
    assert store.recent_failures() == []
    ratio = min(ours) / min(loops)
    print(f"{1000 * min(ours):.3f} ms a file, {ratio:.2f} times the plain loop")
    assert ratio <= _MOST


def test_a_rebuild_takes_few_statements_and_rows_a_file(made: Config) -> None:
    publishing.publish(made)
    kind = publish_job.publish_kind(made, Docroot.of(made))
    files = _work(made, kind)
    _empty(made)
    sent = count_statements(lambda: _work(made, kind))
    rows = db.execute("SELECT COUNT(*) FROM reading").fetchone()[0]
    print(f"{sent / files:.2f} statements and {rows / files:.2f} rows of what was read a file")
    assert sent / files <= _STATEMENTS
    assert rows / files <= _ROWS


def test_the_plain_loop_writes_the_same_pages(made: Config, tmp_path: Path) -> None:
    publishing.publish(made)
    _work(made, publish_job.publish_kind(made, Docroot.of(made)))
    pages = plain.load(made)
    plain.write(pages, tmp_path / "plain")
    for page in pages:
        assert (tmp_path / "plain" / page.path).read_bytes() == (made.docroot / page.path).read_bytes(), page.path
