"""What other people wrote is shown on a terminal, and never obeyed by it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke import Exit

import appliance.tasks.command_line as output
from appliance import logging
from appliance.tasks.list_output import print_columns
from appliance.terminal_text import escape_json, escape_line, escape_text
from tests.tasks.conftest import Typed, command_line

__all__ = ["command_line"]

#: Clears the screen, sets the title, as C1 too, goes back to the line's beginning, turns the direction, hides.
EVIL = "\x1b[2J\x1b]0;title\x07\x9b31m\rsafe\u202etxt.exe\u2066\u200b\ufeff\x7f\u2028"
BAD = set(EVIL) - set("[2J]0;title31msafetxt.exe")


def test_control_and_direction_are_shown() -> None:
    assert escape_text("a\x1b[2J\u202eb\x9b") == "a\\x1b[2J\\u202eb\\x9b"
    assert escape_text("a\tb\nc") == "a\tb\nc"
    assert escape_line("a\tb\nc\r") == "a\\tb\\nc\\r"
    assert escape_text("\udc80\U000e0041") == "\\udc80\\U000e0041"


@pytest.mark.parametrize(
    "text", ["Zürich – “naïve”", "שלום עולם", "می\u200cخواهم", "👩\u200d👧", "क\u094d\u200dष", "a\xa0b", "日本語"]
)
def test_every_script_is_left_alone(text: str) -> None:
    assert escape_line(text) == text


@given(st.text(st.characters()))
def test_nothing_passes_and_json_means_the_same(text: str) -> None:
    document = escape_json(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(document) == {"name": text}
    for shown in (escape_line(text), document):
        assert not BAD.intersection(shown)
        shown.encode()


def test_every_way_to_print_shows_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", terminal)
        output.console.cache_clear()
        output.print_line(EVIL)
        output.print_styled(EVIL, (EVIL, ""))
        output.warn(EVIL)
        output.print_json([EVIL])
        output.print_table(["name"], [[EVIL]])
        print_columns({"name": [EVIL], "id": ["1"]}, {"name": 1})
        with pytest.raises(Exit) as left:
            output.exit_with(EVIL, 1)
        printed = "".join(capsys.readouterr()) + str(left.value.message)
        # The terminal's own styles are the only escapes there are.
        assert "\x1b[2J" not in printed and "\x1b]" not in printed
        assert not (BAD - {"\x1b"}).intersection(printed), terminal
        assert printed.count("\\x1b[2J") >= 7
    output.console.cache_clear()


def test_logs_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for json_lines in (False, True):
        stream = io.StringIO()
        logging.configure(False, stream, json_lines=json_lines)
        logging.get_logger("web").info(EVIL, name=EVIL)
        assert not BAD.intersection(stream.getvalue())
        assert stream.getvalue().count("\n") == 1


def test_an_imported_name_is_shown_by_commands(
    tmp_path: Path, command_line: Typed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, posts = tmp_path / "home", tmp_path / "posts"
    command_line(f"site.init {home}")
    monkeypatch.chdir(home)
    posts.mkdir()
    (posts / "b\x1b]0;b\x07.md").write_text('---\ntitle: "A\\e[31m\\u202E title"\ntags: ["t\\e[2J"]\n---\ntext\n')
    (posts / "c\x1b[2J.docx").write_bytes(b"x")
    for line in (f"content.import {posts}", "content.list", "content.list --json", "content.show 1", "content.tags",
                 "publish --all", "drain --verbose", "jobs.list --state=done", "why index.html"):  # fmt: skip
        try:
            output.console.cache_clear()
            told = command_line(line)
        except AssertionError as error:
            told = str(error)
        assert "\x1b" not in told and "\u202e" not in told and "\x07" not in told, line
