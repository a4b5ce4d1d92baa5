"""What a scan read is saved as it was read, and the file that keeps it leaves nothing behind."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

import pytest

from appliance.config import Config
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from appliance.errors import ContentError
from appliance.importing.markdown.importer import import_folder
from appliance.importing.markdown.text_spool import TextSpool

TEXT = "---\ntitle: {}\ndate: 2024-01-0{}\n---\nText {}\n"


def test_entries_come_back_in_any_order() -> None:
    spool, given = TextSpool(), [EntryData(f"T{n}", f"t{n}", n, text="x" * n, extra={"n": n}) for n in range(50)]
    positions = [spool.add(data) for data in given[:40]]
    assert [spool.read(position) for position in reversed(positions)] == given[39::-1]
    positions += [spool.add(data) for data in given[40:]]
    assert [spool.read(position) for position in positions] == given
    spool.close()


def test_a_text_is_saved_as_it_was_scanned(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, kept = tmp_path / "source", tmp_path / "temporary"
    kept.mkdir()
    root.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    for number in (1, 2):
        (root / f"{number}.md").write_text(TEXT.format(number, number, number))
    reserve = entries.reserve

    def change(site: Site, items: Iterable[EntryData]) -> dict[str, int]:
        (root / "1.md").write_text("---\ntitle: [\n---\n")
        (root / "2.md").unlink()
        assert list(kept.iterdir()) == []
        return reserve(site, items)

    with monkeypatch.context() as patch:
        patch.setattr(entries, "reserve", change)
        assert import_folder(config, "blog", root).added == 2
    assert sorted(row.text for row in Entry.select()) == ["Text 1\n", "Text 2\n"]
    report = import_folder(config, "blog", root, allow_removals=True)
    assert (report.removed, [path for path, _ in report.skipped]) == (1, ["1.md"])


def test_a_full_disk_refuses_the_import(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_spool: TextSpool, _data: EntryData) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "1.md").write_text(TEXT.format(1, 1, 1))
    monkeypatch.setattr(TextSpool, "add", full)
    with pytest.raises(ContentError, match="No space left on device; make room there"):
        import_folder(config, "blog", tmp_path)
    assert not Entry.select().exists()
