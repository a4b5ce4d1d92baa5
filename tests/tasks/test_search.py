"""The command that searches, typed as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.local_site import archive, write_theme
from tests.tasks.conftest import Typed

SETTINGS = """\
docroot = "{folder}/www"
web.path = "/-/"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
timezone = "Europe/Berlin"
theme = "theme"
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed) -> Typed:
    write_theme(tmp_path / "theme", archive("entry", "{slug}/index.html"), {"entry.html": "{{ entry.title }}"})
    (tmp_path / "appliance.toml").write_text(SETTINGS.format(folder=tmp_path), "utf-8")
    monkeypatch.chdir(tmp_path)
    return command_line


def test_it_finds_what_readers_find(typed: Typed) -> None:
    for title in ("Low tide", "High tide", "Draft tide"):
        status = "draft" if title.startswith("Draft") else "published"
        date = f"2026-11-{len(title):02}"
        typed(f"content.add --date {date} --status {status}", "--text", "The *quay* at night.", title)
    typed("periodic")
    assert typed("content.search tide") == "0 results\n", "no page is there yet"
    typed("publish")
    typed("drain")
    assert typed("content.search", "tides QUAY").split("\n") == [
        "id  date              title      address",
        "2   2026-11-09 00:00  High tide  https://blog.example/high-tide/",
        "1   2026-11-08 00:00  Low tide   https://blog.example/low-tide/",
        "2 results",
        "",
    ]
    found = json.loads(typed("content.search tide --json --limit=1"))
    assert found == {
        "total": 2,
        "more": False,
        "results": [
            {
                "id": 2,
                "date": "2026-11-09T00:00:00+01:00",
                "title": "High tide",
                "url": "https://blog.example/high-tide/",
                "snippet": "The quay at night.",
            }
        ],
    }
    assert typed("content.search", '"tide low" ?') == "0 results\n"


def test_it_says_what_cannot_be_found_yet(typed: Typed, tmp_path: Path) -> None:
    settings = tmp_path / "appliance.toml"
    there = settings.read_text("utf-8")
    settings.write_text(there.replace('web.path = "/-/"', ""), "utf-8")
    typed("content.add Tide --status published")
    typed("publish")
    typed("drain")
    assert "set [web] path" in typed("content.search tide", status=1)
    settings.write_text(there, "utf-8")
    assert "Not all entries may be read yet" in typed("content.search tide")
    typed("periodic")
    assert typed("content.search tide").endswith("\n1 result\n")
