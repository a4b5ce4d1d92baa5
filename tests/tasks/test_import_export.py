"""Imports and exports, typed as people type them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.tasks.program import ApplianceProgram
from tests.importing.wxr import item, write

SETTINGS = """\
docroot = "{folder}/www"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
"""

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command in a folder with settings; returns its exit status and what it said and complained."""
    file = tmp_path / "appliance.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("APPLIANCE_CONFIG", str(file))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        program = ApplianceProgram(binary="appliance")
        status = 0
        try:
            program.run(["appliance", *words], exit=True)
        except SystemExit as left:
            status = int(left.code or 0)
        return status, *capsys.readouterr()

    return run


def test_in_and_out_again(typed: Typed, tmp_path: Path) -> None:
    write(tmp_path / "export.xml", item(1, "One", "Words."), item(2, "About", post_type="page"))
    status, said, _ = typed("content.import", "export.xml")
    assert status == 0
    assert "2 items in https://old.example/blog" in said
    assert "texts: 2 added" in said
    status, said, _ = typed("content.import", "export.xml", "--format", "wordpress", "--remove")
    assert (status, "texts: 2 unchanged" in said) == (0, True)
    status, said, _ = typed("content.export", "out")
    assert status == 0
    assert "out: " in said
    assert list((tmp_path / "out").rglob("*.md"))
    status, said, _ = typed("content.export", "out.txt", "--format", "movabletype")
    assert (status, said.splitlines()[0]) == (0, "out.txt: 1 entries, 0 comments, 0 pings")
    assert "TITLE: One" in (tmp_path / "out.txt").read_text()
    status, said, complaint = typed("content.export", "-", "--format", "movabletype")
    assert (status, said) == (0, (tmp_path / "out.txt").read_text())
    assert "1 entries" in complaint
    status, said, _ = typed("content.import", "out.txt", "--source", "again", "--encoding", "utf-8")
    assert "1 entries in" in said or "1 items in" in said


def test_refusals_are_sentences(typed: Typed, tmp_path: Path) -> None:
    write(tmp_path / "export.xml", item(1, "Menu", post_type="nav_menu_item"))
    (tmp_path / "noise").write_bytes(b"\x00\x01")
    for words, sentence in (
        (["content.import", "noise"], "noise: has no format that can be imported"),
        (["content.import", "export.xml", "--uploads", "nowhere"], "nowhere: is not a folder"),
        (["content.import", "export.xml"], "Nothing was imported"),
        (["content.export", "out", "--format", "wordpress"], "“wordpress” is not an export format"),
        (["content.export", "no/where.txt", "--format", "movabletype"], "no/where.txt: cannot be written"),
        (["content.export", "."], "is not empty"),
    ):
        status, _, complaint = typed(*words)
        assert status == 1, words
        assert sentence in complaint
        assert "Traceback" not in complaint


def test_an_export_takes_uploads_from_the_docroot(typed: Typed, tmp_path: Path) -> None:
    """As on a publishing host that did not take them."""
    (tmp_path / "fair.txt").write_text("Saturday at ten.")
    assert typed("content.upload", "fair.txt", "--path", "files/fair.txt")[0] == 0
    assert typed("drain", "--workers", "1")[0] == 0
    shutil.rmtree(tmp_path / "assets")
    assert typed("content.export", "out")[0] == 0
    assert [file.read_text() for file in (tmp_path / "out").rglob("fair.txt")] == ["Saturday at ten."]
