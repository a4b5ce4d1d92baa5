"""An import writes in sets what saving one entry after the other would write, and sends few statements."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.content import entries, entry_batches
from appliance.content.entry_batches import BatchItem
from appliance.content.models import MODELS, Entry, Site
from appliance.content.terms import SiteTerms
from appliance.importing.existing_entries import read_rows
from appliance.importing.markdown.importer import import_folder
from appliance.importing.report import Report
from tests.conftest import DATA, MakeConfig, empty_database
from tests.statements import count_statements

NOW = 1_800_000_000
_WORDS = ("harbour", "lantern", "ledger", "bridge", "engine", "orchard")


def one_by_one(site: Site, items: Sequence[BatchItem], terms: SiteTerms, actor: str) -> set[int]:
    """Save as `entry_batches.save` does, one entry after the other."""
    changed = set()
    for key, data, rendered in items:
        entry = Entry.get_by_id(key)
        _, is_changed = entries.save(
            site, data, entry=entry, rendered=rendered, terms=terms, names_checked=True, actor=actor
        )
        changed |= {key} if is_changed else set()
    return changed


def tables() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of content; without the ids of changes and aliases, which nothing refers to."""
    found = {}
    for model in MODELS:
        rows: list[tuple[Any, ...]] = read_rows(model.select())
        name = model._meta.table_name
        found[name] = sorted((row[1:] if name in ("alias", "change") else row for row in rows), key=repr)
    return found


class Folder:
    """A folder of texts that changes from step to step, the same for the same seed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.files: dict[str, str] = {}
        for number in range(24):
            self.files[f"posts/text{number}.md"] = self._text(number)
        (root / "posts" / "pictures").mkdir(parents=True)
        for name in ("one", "two"):
            (root / "posts" / "pictures" / f"{name}.txt").write_text(name)
            (root / "posts" / "text3").mkdir(exist_ok=True)
            (root / "posts" / "text3" / f"{name}.txt").write_text(f"{name} of text3")
        self._write()

    def step(self) -> None:
        """Change, rename, remove and add some texts."""
        chosen = self.chance.sample(sorted(self.files), 9)
        for path in chosen[:5]:
            self.files[path] = self._text(int("".join(filter(str.isdigit, path))))
        for path in chosen[5:7]:
            self.files[path.replace("text", "moved")] = self.files.pop(path)
        del self.files[chosen[7]]
        self.files[f"posts/text{self.chance.randrange(100, 999)}.md"] = self._text(50)
        self._write()

    def _write(self) -> None:
        for file in self.root.rglob("*.md"):
            file.unlink()
        for path, text in self.files.items():
            (self.root / path).write_text(text)

    def _text(self, number: int) -> str:
        chance = self.chance
        status = chance.choice(["", "draft: true\n", "expiryDate: 2030-01-01\n", "date: 2031-05-05\n", "type: page\n"])
        when = "" if status.startswith("date") else f"date: 2024-0{chance.randint(1, 9)}-11\n"
        alias = f"aliases: [/old/{chance.randrange(6)}/]\n" if chance.random() < 0.3 else ""
        terms = [chance.sample(_WORDS, chance.randint(0, 3)) for _ in range(3)]
        links = "\n".join(f"[to {other}](text{other}.md)" for other in chance.sample(range(24), 2))
        shown = chance.choice(["", "![x](pictures/one.txt)", "![y](text3/two.txt) ![x](text3/one.txt)"])
        return (
            f"---\ntitle: Number {number} {chance.choice(_WORDS)}\n{when}{status}{alias}authors: {terms[0]}\n"
            f"categories: {terms[1]}\ntags: {terms[2]}\n---\n"
            f"{chance.choice(_WORDS)} *of* {number}\n\n{links}\n{shown}\n"
        )


def _steps(config: Config, root: Path, seed: int) -> list[tuple[dict[str, list[tuple[Any, ...]]], list[str]]]:
    folder, found = Folder(root, seed), []
    for step in range(6):
        if step:
            folder.step()
        report = import_folder(config, "blog", root, source="folder")
        found.append((tables(), report.lines()))
    return found


def _both_ways(
    request: pytest.FixtureRequest, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, run: Any
) -> list[Any]:
    monkeypatch.setattr(clock, "now", lambda: float(NOW))
    found = []
    for way in (entry_batches.save, one_by_one):
        monkeypatch.setattr(entry_batches, "save", way)
        settings = make_config(**empty_database(request))
        settings.database_file.unlink(missing_ok=True)
        opened = db.connect(settings)
        try:
            found.append(run(settings, way.__name__))
        finally:
            opened.close()
    return found


@pytest.mark.parametrize("request_kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("seed", range(3))
def test_sets_write_what_one_after_the_other_writes(
    request_kind: str,
    seed: int,
    request: pytest.FixtureRequest,
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    request.param = request_kind
    sets, rows = _both_ways(
        request, make_config, monkeypatch, lambda config, way: _steps(config, tmp_path / way / "folder", seed)
    )
    for (found, report), (expected, told) in zip(sets, rows, strict=True):
        assert report == [line.replace("one_by_one", "save") for line in told]
        for table, content in expected.items():
            assert found[table] == content, table


@pytest.mark.skipif(not (DATA / "rust-blog").is_dir(), reason="the sample blog is not here")
def test_a_real_blog_is_the_same_in_sets(
    request: pytest.FixtureRequest, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(config: Config, _way: str) -> tuple[Any, list[str]]:
        report: Report = import_folder(config, "blog", DATA / "rust-blog", source="rust")
        return tables(), report.lines()

    request.param = "sqlite"
    sets, rows = _both_ways(request, make_config, monkeypatch, run)
    assert sets == rows


def test_statements_grow_with_hundreds_of_texts(config: Config, tmp_path: Path) -> None:
    counts = []
    for number in (100, 500):
        root = tmp_path / str(number)
        root.mkdir()
        for one in range(number):
            tags = f"[tag{one % 3}]"
            (root / f"{one}.md").write_text(f"---\ntitle: {one}\ndate: 2024-01-01\ntags: {tags}\n---\nText {one}\n")
        counts.append(count_statements(lambda root=root: import_folder(config, "blog", root)))  # type: ignore[misc]
    assert counts[1] - counts[0] < 400 / 4, counts
    assert Entry.select().where(Entry.status == "published").count() == 500
