"""Editing over Python: as the how-to shows it, and what holds of every function."""

from __future__ import annotations

import inspect
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import editorial
from appliance.actor import Actor
from appliance.content.models import Change, Entry
from appliance.errors import ConfigError, ContentError, ThemeError
from appliance.queue import store
from appliance.tasks.program import ApplianceProgram
from tests.local_site import LocalSite, archive, index, local_site
from tests.test_commands_shown import blocks

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to" / "edit-from-the-shell.md"
MANIFEST = index("index.html") + archive("entry", "{year}/{slug}.html") + archive("tag", "tag/{tag}.html")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a new installation, to type commands in."""
    monkeypatch.chdir(tmp_path)
    typed("site.init", "site")
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


def typed(*words: str) -> None:
    try:
        ApplianceProgram(name="appliance").run(["appliance", *words])
    except SystemExit as leaving:
        assert not leaving.code, words


def test_the_how_to_works_as_it_stands(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HOW_TO.read_text("utf-8")
    for line in blocks(text).splitlines():
        before, _, command = line.partition("appliance ")
        given = subprocess.run(before.rstrip("| ") or "true", shell=True, check=True, capture_output=True).stdout
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        if command:
            typed(*shlex.split(command))
    capsys.readouterr()
    (program,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(compile(program, "how-to", "exec"), {})
    told = capsys.readouterr().out
    assert re.fullmatch(r"\d+ By a program 2026-11-22T08:30:00\+00:00\n\['made'\]\n", told)
    typed("drain")
    assert list((site / "www").glob("*/*/hello-world/index.html"))


def test_the_how_to_names_every_function() -> None:
    text = HOW_TO.read_text("utf-8")
    for name in editorial.__all__:
        if inspect.isfunction(getattr(editorial, name)) and not name.startswith("find_"):
            assert re.search(rf"`{name}[`(]", text), name


def test_an_edit_is_saved_planned_and_built(shop: LocalSite) -> None:
    done = editorial.add_entry(shop.config, "blog", "Hello", "Hi", tags=["a"], status="published", actor=Actor("ada"))
    assert (done.changed, done.faults) == (True, ())
    assert done.files == store.count_unfinished() > 0
    shop.drain()
    assert {path for path in shop.tree() if "theme" not in path} >= {"index.html", "tag/a.html"}
    again = editorial.edit_entry(shop.config, "blog", "hello", title="Hello")
    assert (again.changed, again.files, store.count_unfinished()) == (False, 0, 0)
    later = editorial.edit_entry(shop.config, "", done.subject, title="Ho", later=True)
    assert (later.changed, later.files, store.count_unfinished()) == (True, 0, 0)
    assert editorial.unpublish_entry(shop.config, "", "hello").files > 0
    shop.drain()
    assert "tag/a.html" not in shop.tree()
    assert {change.actor for change in Change.select().where(Change.subject == "tag")} == {"ada"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda config: editorial.add_entry(config, "", "X"),
        lambda config: editorial.edit_entry(config, "", "one", title="X"),
        lambda config: editorial.delete_entries(config, "", "one"),
        lambda config: editorial.rename_term(config, "", "tag", "a", "X"),
        lambda config: editorial.add_comment(config, "", "one", "Hi", author="Ida"),
    ],
)  # fmt: skip
def test_nothing_changes_when_the_theme_cannot_be_used(shop: LocalSite, edit: Any) -> None:
    shop.save("One", tags=["a"])
    changes = Change.select().count()
    (shop.folder / "theme" / "theme.toml").write_text("nonsense")
    with pytest.raises(ThemeError):
        edit(shop.config)
    assert (Change.select().count(), Entry.select().count()) == (changes, 1)


def test_an_edit_that_is_saved_and_cannot_be_published_says_so(
    shop: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ContentError("too much would go")

    monkeypatch.setattr("appliance.publishing.publish", refuse)
    done = editorial.add_entry(shop.config, "", "One", status="published")
    assert (done.changed, done.files, done.faults) == (True, 0, ("too much would go",))
    assert Entry.get().title == "One"


def test_a_site_must_be_chosen_if_there_are_several(tmp_path: Path) -> None:
    with local_site(tmp_path, MANIFEST, sites=[{"name": "a"}, {"name": "b", "folder": "b"}]) as shop:
        with pytest.raises(ContentError, match="several sites; choose one with --site: a, b"):
            editorial.add_entry(shop.config, "", "X")
        with pytest.raises(ConfigError):
            editorial.add_entry(shop.config, "c", "X")
        made = editorial.add_entry(shop.config, "b", "X").subject
        with pytest.raises(ContentError, match="no entry “1” on the site a"):
            editorial.edit_entry(shop.config, "a", made, title="Y")


def test_a_path_conflict_is_reported(shop: LocalSite) -> None:
    editorial.add_entry(shop.config, "", "One", slug="same", date="2026-01-01", status="published")
    done = editorial.add_entry(shop.config, "", "Two", slug="same", date="2026-02-01", status="published")
    assert done.faults == ()
    (told,) = done.conflicts
    assert "“Two” is published as “2026/same-2.html”" in told
    with pytest.raises(ContentError, match="Several entries have the slug “same”; choose one by its id: 1, 2"):
        editorial.get_entry(shop.config, "", "same")
