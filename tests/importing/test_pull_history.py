"""The history of pulls: a report for each that did something, and no flood of those that did nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance import db, pull_job
from appliance.config import Config
from appliance.content import sites
from appliance.errors import ContentError
from appliance.importing import pull_history, sources
from appliance.importing.pull_history import KEPT, PullRow
from tests.conftest import MakeConfig


def post(title: str) -> str:
    return f"---\ntitle: {title}\ndate: 2024-05-01\n---\nText of {title}.\n"


@pytest.fixture
def fed(database: Config, make_config: MakeConfig, tmp_path: Path) -> Config:
    """The settings of a site that is fed by the folder `posts`."""
    (tmp_path / "posts").mkdir()
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
    config = make_config(sites=[{**site, "sources": [{"name": "docs", "folder": str(tmp_path / "posts")}]}])
    sites.sync(config)
    return config


def pull(config: Config) -> None:
    (source,) = sources.find_sources(config, ["docs"])
    pull_job.pull(config, source)


def outcomes(rows: Sequence[PullRow]) -> list[tuple[str, int]]:
    return [(row.outcome, row.times) for row in rows]


def test_each_pull_that_did_something_has_its_report(fed: Config, tmp_path: Path) -> None:
    assert pull_history.read("blog", "docs") == []
    (tmp_path / "posts" / "a.md").write_text(post("A"))
    pull(fed)
    (tmp_path / "posts" / "b.md").write_text(post("B"))
    pull(fed)
    second, first = pull_history.read("blog", "docs")
    assert (first.outcome, first.times, first.lines[0][:7]) == ("changed", 1, "1 files")
    assert "  texts: 1 added, 1 unchanged" in second.lines
    assert first.started_at <= first.ended_at <= second.started_at <= db.now()


def test_pulls_in_a_row_with_the_same_result_are_one_row(fed: Config, tmp_path: Path) -> None:
    (tmp_path / "posts" / "a.md").write_text(post("A"))
    pull(fed)
    for _ in range(3):
        pull(fed)
    (tmp_path / "posts").rename(tmp_path / "gone")
    for _ in range(2):
        with pytest.raises(ContentError):
            pull(fed)
    rows = pull_history.read("blog", "docs")
    assert outcomes(rows) == [("failed", 2), ("unchanged", 3), ("changed", 1)]
    assert str(tmp_path / "posts") in rows[0].error
    assert rows[1].first_at < rows[1].started_at


def test_only_the_newest_rows_are_kept(fed: Config, tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        (tmp_path / "posts" / f"{number}.md").write_text(post(f"Post {number}"))
        pull(fed)
    rows = pull_history.read("blog", "docs")
    assert len(rows) == KEPT
    assert rows[0].lines[0].startswith(f"{KEPT + 3} files")
    assert db.execute("SELECT COUNT(*) FROM source_pull").fetchone() == (KEPT,)


def test_a_report_without_end_is_shortened(fed: Config) -> None:
    (row,) = db.execute(
        "INSERT INTO source (site_id, name, revision, place, outcome, unfinished) "
        "SELECT id, 'docs', '', '', '', false FROM site RETURNING id"
    ).fetchone()
    pull_history.record(row, db.now(), "changed", lines=["x" * 5000, *(f"line {number}" for number in range(500))])
    (known,) = pull_history.read("blog", "docs")
    assert len(known.lines) == 201
    assert len(known.lines[0]) == 1002
    assert known.lines[-1] == "… and 301 more lines"


def test_the_history_goes_with_the_site(fed: Config, tmp_path: Path) -> None:
    (tmp_path / "posts" / "a.md").write_text(post("A"))
    pull(fed)
    db.execute("DELETE FROM source")
    assert pull_history.read("blog", "docs") == []
    assert db.execute("SELECT COUNT(*) FROM source_pull").fetchone() == (0,)
