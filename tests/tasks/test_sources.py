"""The tasks about sources, typed as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.tasks.program import ApplianceProgram

SETTINGS = """\
docroot = "{folder}/www"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
[[sites.sources]]
name = "notes"
folder = "{folder}/notes"
every = "10m"
[[sites.sources]]
name = "gone"
folder = "{folder}/gone"
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "appliance.toml").write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("APPLIANCE_CONFIG", str(tmp_path / "appliance.toml"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("---\ntitle: A\ndate: 2024-05-01\n---\nText.\n")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    status = 0
    try:
        ApplianceProgram(name="appliance").run(["appliance", *line.split()])
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    told, error = capsys.readouterr()
    return status, told, error


def test_pull_what_is_named(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told, _ = run(capsys, "content.pull notes")
    assert status == 0
    assert "blog, notes: changed" in told
    assert "texts: 1 added" in told
    status, told, _ = run(capsys, "content.pull notes --site blog --allow-removals")
    assert (status, told.splitlines()[0]) == (0, "blog, notes: nothing new")
    status, _, error = run(capsys, "content.pull other")
    assert (status, "there is no source “other”; the sources are: notes, gone" in error) == (3, True)


def test_one_that_fails_stops_no_other(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (house / "notes").rename(house / "later")
    (house / "later").rename(house / "gone")
    (house / "notes").write_text("no folder")
    status, told, error = run(capsys, "content.pull")
    assert status == 1
    assert "blog, gone: changed" in told
    assert f"blog, notes: {house / 'notes'}: is not a folder" in error


def test_where_each_stands(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "content.pull")
    status, told, _ = run(capsys, "content.sources")
    assert status == 0
    assert [line.split()[:2] for line in told.splitlines()[:3]] == [
        ["site", "source"],
        ["blog", "notes"],
        ["blog", "gone"],
    ]
    assert "does not exist; name a folder of Markdown" in told
    _, told, _ = run(capsys, "content.sources --json")
    notes, gone = json.loads(told)
    assert (notes["outcome"], notes["every"], notes["error"]) == ("changed", "10m", None)
    assert gone["outcome"] == "failed"
    assert "does not exist" in gone["error"]
