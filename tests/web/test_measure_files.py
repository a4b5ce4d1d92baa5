"""The files by which workers share their measures: what ended workers counted stays, and nothing else."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.web import measure_files
from appliance.web.measure_files import MeasureFolder

#: A worker that counts three requests, and ends.
_WORKER = """
from appliance.web.public.measures import MEASURES
for _ in range(3):
    MEASURES.count("search", 200, 0.02)
"""
_READER = """
from appliance.web.public.measures import MEASURES
print(MEASURES.text().decode())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MeasureFolder]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    made = MeasureFolder.create()
    yield made
    made.remove()
    assert not made.path.exists()


def run(folder: MeasureFolder, code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, measure_files.VARIABLE: str(folder.path)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return ended.stdout


def names(folder: MeasureFolder) -> set[str]:
    return {file.name for file in folder.path.glob("*.db")}


def test_measures_of_ended_workers_are_added_up(folder: MeasureFolder) -> None:
    for workers in (1, 2):
        run(folder, _WORKER)
        folder.fold(set())
        assert names(folder) == {"counter_0.db", "histogram_0.db"}
        assert folder.total("appliance_web_requests_total") == 3 * workers
    text = run(folder, _READER)
    assert 'appliance_web_requests_total{route="search",status="200"} 6.0' in text
    assert 'appliance_web_request_seconds_bucket{le="0.025",route="search"} 6.0' in text
    assert 'appliance_web_request_seconds_count{route="search"} 6.0' in text


def test_measures_of_living_workers_stay_theirs(folder: MeasureFolder) -> None:
    run(folder, _WORKER)
    (living,) = {int(name.removeprefix("counter_").removesuffix(".db")) for name in names(folder) if "counter" in name}
    before = names(folder)
    folder.fold({living})
    assert names(folder) == before


def test_nothing_is_added_up_under_the_eyes_of_a_reader(folder: MeasureFolder) -> None:
    run(folder, _WORKER)
    before = names(folder)
    with measure_files.reading(str(folder.path)):
        folder.fold(set())
        assert names(folder) == before
    folder.fold(set())
    assert names(folder) == {"counter_0.db", "histogram_0.db"}


def test_a_file_of_a_worker_that_was_killed_as_it_made_it_harms_nobody(folder: MeasureFolder) -> None:
    (folder.path / "counter_4711.db").touch()
    run(folder, _WORKER)
    assert folder.total("appliance_web_requests_total") == 3
    folder.fold(set())
    assert folder.total("appliance_web_requests_total") == 3


def test_only_folders_that_nobody_keeps_are_swept(folder: MeasureFolder, tmp_path: Path) -> None:
    left = tmp_path / "appliance-web-left"
    unfinished = tmp_path / "appliance-web-unfinished"
    elsewhere = tmp_path / "elsewhere"
    for made in (left, unfinished, elsewhere):
        made.mkdir()
    (left / "alive").touch()
    (tmp_path / "appliance-web-link").symlink_to(elsewhere)
    measure_files.sweep(tmp_path)
    assert not left.exists()
    assert unfinished.exists(), "its process may be about to lock it"
    assert elsewhere.exists()
    assert folder.path.exists()
    os.utime(unfinished, (0, 0))
    with (folder.path / "alive").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    measure_files.sweep(tmp_path)
    assert not unfinished.exists()
