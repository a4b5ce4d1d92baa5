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
from appliance.content.models import Change, Entry
from appliance.errors import ConfigError, ContentError, ThemeError
from appliance.queue import store
from appliance.tasks import namespace
from appliance.tasks.program import ApplianceProgram
from tests.test_commands_shown import blocks
from tests.workshop import Workshop, archive, index, workshop

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to" / "edit-from-the-shell.md"
MANIFEST = index("index.html") + archive("entry", "{year}/{slug}.html") + archive("tag", "tag/{tag}.html")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path, MANIFEST) as made:
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
        ApplianceProgram(name="appliance", namespace=namespace).run(["appliance", *words])
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
        if inspect.isfunction(getattr(editorial, name)) and not name.endswith("_named") and name != "own_entry":
            assert re.search(rf"`{name}[`(]", text), name


def test_an_edit_is_saved_planned_and_built(shop: Workshop) -> None:
    done = editorial.add(shop.config, "blog", "Hello", "Hi", tags=["a"], status="published", actor="ada")
    assert (done.changed, done.faults) == (True, ())
    assert done.files == store.unfinished() > 0
    shop.drain()
    assert {path for path in shop.tree() if "theme" not in path} >= {"index.html", "tag/a.html"}
    again = editorial.edit(shop.config, "blog", "hello", title="Hello")
    assert (again.changed, again.files, store.unfinished()) == (False, 0, 0)
    later = editorial.edit(shop.config, "", done.subject, title="Ho", later=True)
    assert (later.changed, later.files, store.unfinished()) == (True, 0, 0)
    assert editorial.unpublish(shop.config, "", "hello").files > 0
    shop.drain()
    assert "tag/a.html" not in shop.tree()
    assert {change.actor for change in Change.select().where(Change.subject == "tag")} == {"ada"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda config: editorial.add(config, "", "X"), lambda config: editorial.edit(config, "", "one", title="X"),
        lambda config: editorial.delete(config, "", "one"),
        lambda config: editorial.rename(config, "", "tag", "a", "X"),
        lambda config: editorial.comment(config, "", "one", "Hi", author="Ida"),
    ],
)  # fmt: skip
def test_nothing_is_touched_when_the_theme_cannot_be_used(shop: Workshop, edit: Any) -> None:
    shop.save("One", tags=["a"])
    changes = Change.select().count()
    (shop.folder / "theme" / "theme.toml").write_text("nonsense")
    with pytest.raises(ThemeError):
        edit(shop.config)
    assert (Change.select().count(), Entry.select().count()) == (changes, 1)


def test_an_edit_that_is_saved_and_cannot_be_published_says_so(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ContentError("too much would go")

    monkeypatch.setattr("appliance.publishing.publish", refuse)
    done = editorial.add(shop.config, "", "One", status="published")
    assert (done.changed, done.files, done.faults) == (True, 0, ("too much would go",))
    assert Entry.get().title == "One"


def test_sites_are_named_where_there_are_several(tmp_path: Path) -> None:
    with workshop(tmp_path, MANIFEST, sites=[{"name": "a"}, {"name": "b", "folder": "b"}]) as shop:
        with pytest.raises(ContentError, match="several sites; say which with --site: a, b"):
            editorial.add(shop.config, "", "X")
        with pytest.raises(ConfigError):
            editorial.add(shop.config, "c", "X")
        made = editorial.add(shop.config, "b", "X").subject
        with pytest.raises(ContentError, match="no entry “1” on the site a"):
            editorial.edit(shop.config, "a", made, title="Y")


def test_a_path_that_two_entries_want_is_told(shop: Workshop) -> None:
    editorial.add(shop.config, "", "One", slug="same", date="2026-01-01", status="published")
    done = editorial.add(shop.config, "", "Two", slug="same", date="2026-02-01", status="published")
    assert len(done.faults) == 1
    assert "2026/same.html" in done.faults[0]
    with pytest.raises(ContentError, match="“same” is the slug of several entries; name one by its id: 1, 2"):
        editorial.show(shop.config, "", "same")
