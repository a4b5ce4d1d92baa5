"""publish, why and preview, typed as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.tasks.program import split_arguments
from tests.local_site import archive, index, stamps, write_theme
from tests.tasks.conftest import Typed

SETTINGS = """\
docroot = "{folder}/www"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
theme = "theme"
"""
FILES = {"entry.html": "{{ entry.title }}", "listing.html": "{% for e in listing.entries %}{{ e.title }}{% endfor %}"}


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed) -> Typed:
    """Runs a command line in a new installation; returns what it printed; its exit status must be that expected."""
    (tmp_path / "appliance.toml").write_text(SETTINGS.format(folder=tmp_path), "utf-8")
    write_theme(tmp_path / "theme", index("index.html") + archive("entry", "{slug}.html"), FILES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return command_line


def post(typed: Typed, *titles: str) -> None:
    for title in titles:
        typed("content.add --status published --date 2026-01-01 --later", title)


def test_a_plan_says_what_and_why_and_does_nothing(typed: Typed, tmp_path: Path) -> None:
    post(typed, "One", "Two")
    typed("publish")
    typed("drain")
    typed("content.edit one --later --title Uno")
    files = stamps(tmp_path / "www")
    told = typed("publish --plan")
    assert told == (
        "build 1: it shows the title or the modification date of an entry that changed\n  index.html\n"
        "build 1: it is the page of a changed entry\n  one.html\n"
        "blog: 2 files would be built\n"
    )
    assert typed("publish --plan") == told
    assert stamps(tmp_path / "www") == files
    assert "2 added" in typed("publish")


def test_a_long_plan_is_cut(typed: Typed) -> None:
    post(typed, *(f"P{n}" for n in range(5)))
    told = typed("publish --plan --limit 2")
    assert "build 6: it is new\n  index.html\n  p0.html\n  and 4 more\nblog: 6 files would be built\n" in told
    assert "Only the first 2 files per reason are listed; --limit 0 lists all." in told
    assert "p4.html" in typed("publish --plan --limit 0")


def test_a_plan_for_programs(typed: Typed) -> None:
    post(typed, "One", "Two")
    typed("publish --json")
    typed("drain")
    typed("content.delete one --later")
    (plan,) = json.loads(typed("publish --plan --json"))
    assert (plan["site"], plan["delete"], plan["by_hand"], plan["refused"]) == ("blog", ["one.html"], [], None)
    assert {entry["path"] for entry in plan["build"]} == {"index.html"}
    (done,) = json.loads(typed("publish --json"))
    assert (done["deleted"], done["artifacts"], done["jobs"]["added"]) == (1, 2, 2)


def test_force_builds_what_did_not_change(typed: Typed) -> None:
    post(typed, "One")
    typed("publish")
    typed("drain")
    assert "nothing to publish" in typed("publish")
    assert "build 2: everything was requested" in typed("publish --force --plan")
    assert "2 added" in typed("publish --force")
    typed("drain")
    assert "nothing to publish" in typed("publish --plan --all")
    assert "2 added" in typed("publish --all")


def test_a_refused_deletion_names_the_flag(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text(
        SETTINGS.format(folder=tmp_path) + "[deletions]\nleast = 2\nshare = 0.3\n", "utf-8"
    )
    post(typed, "One", "Two", "Three")
    typed("publish")
    typed("drain")
    typed("content.delete one two --later")
    told = typed("publish --plan", status=1)
    assert "delete 2: it is no longer wanted\n  one.html\n  two.html\n" in told
    assert "2 of 4 files of the site blog would be removed at once" in told
    assert "say so with publish --allow-removals" in typed("publish", status=1)
    typed("publish --allow-removals")
    typed("drain")
    assert sorted(path.name for path in (tmp_path / "www").iterdir()) == ["index.html", "three.html"]


def test_why_tells_what_a_file_shows_and_what_had_it_built(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_USER", "ada")
    post(typed, "One")
    typed("publish")
    typed("drain")
    typed("content.edit one --title Uno")
    told = typed("why https://blog.example/one.html")
    assert told.startswith("one.html  blog\n  address    https://blog.example/one.html\n")
    assert "  is         entry, made by entry.html, entry 1 “Uno”\n" in told
    assert "stale: something it shows has changed since" in told
    assert "  templates  entry.html\n  shows      all of\n               entry 1 “Uno”\n" in told
    assert "because entry edited by ada (change " in told.partition("last job")[0].partition("waiting")[2]
    assert json.loads(typed("why one.html --json"))["template"] == "entry.html"
    assert "There is no file “uno.html”; similar paths are one.html" in typed("why uno.html", status=1)


def test_a_preview_says_where_it_is(typed: Typed, tmp_path: Path) -> None:
    post(typed, "One")
    typed("publish")
    typed("content.add Draft --later")
    told = typed("preview draft")
    assert f"2 files in {tmp_path}/preview; nothing is published\n" in told
    assert told.endswith("and open http://127.0.0.1:8000/draft.html\n")
    assert (tmp_path / "preview" / "draft.html").read_text("utf-8") == "Draft"
    made = json.loads(typed(f"preview draft --json --to {tmp_path}/elsewhere"))
    assert (made["page"], made["folder"]) == ("draft.html", f"{tmp_path}/elsewhere")
    assert "There is no entry “nothing”" in typed("preview nothing", status=1)
    assert "overlaps the docroot" in typed(f"preview draft --to {tmp_path}/www", status=1)


@pytest.mark.parametrize("option", ["--limit 3", "--site blog", "--match *.html"])
def test_patterns_may_stand_beside_options_with_values(option: str) -> None:
    line = ["publish", "--plan", *option.split(), "2026/*"]
    assert split_arguments(line) == (line[:-1], ["2026/*"])
