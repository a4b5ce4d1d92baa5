"""The commands that edit content, typed as people type them."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from appliance import config as settings
from appliance import editorial
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Change, Comment, Entry, Site
from appliance.installation import open_installation
from appliance.tasks import entry_file, list_output
from tests.tasks.conftest import Typed

SETTINGS = """\
docroot = "{folder}/www"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
timezone = "Europe/Berlin"
[[sites.sources]]
name = "notes"
folder = "{folder}/notes"
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed) -> Typed:
    """Runs a command line; returns what it printed; its exit status must be that expected."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "appliance.toml").write_text(SETTINGS.format(folder=tmp_path), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return command_line


def shown(typed: Typed, entry: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed(f"content.show {entry} --json"))
    return found


def slugs(typed: Typed, options: str = "") -> list[str]:
    return [one["slug"] for one in json.loads(typed(f"content.list --json {options}"))]


def rows(model: Any, *columns: Any) -> list[Any]:
    with open_installation(settings.load()):
        return [tuple(row) for row in model.select(*columns).order_by(model.id).tuples()]


def test_an_entry_from_its_first_word_to_its_last(typed: Typed, tmp_path: Path) -> None:
    told = typed(
        "content.add",
        "Hello, World!",
        "--text",
        "Hi *there*.",
        "--author=Ann",
        "--category=News/Local",
        "--tag=a",
        "--tag=b c",
        "--status=published",
        "--date=2026-11-22 08:30",
    )
    assert told.startswith("entry 1 “Hello, World!” (hello-world) added, published; ")
    assert told.rstrip().endswith("files to build")
    assert "files changed" in typed("drain")
    assert "<em>there</em>" in (tmp_path / "www/2026/11/hello-world/index.html").read_text("utf-8")
    first = shown(typed, "hello-world")
    assert (first["date"], first["categories"], first["tags"]) == (
        "2026-11-22T08:30:00+01:00",
        ["News/Local"],
        ["a", "b c"],
    )
    assert typed("content.edit hello-world --title", "Hello, World!") == "nothing changed\n"
    assert "edited, published; " in typed("content.edit 1 --title", "Hello again", "--tag=", "--expires=2030-01-01")
    again = shown(typed, "https://blog.example/2026/11/hello-world/")
    assert {key for key in first if first[key] != again[key]} == {"title", "tags", "expires", "modified", "version"}
    assert "  categories  News/Local\n" in typed("content.show hello-world")
    assert "draft" in typed("content.edit 1 --status draft --expires never")
    typed("drain")
    assert not (tmp_path / "www/2026/11/hello-world/index.html").exists()
    assert typed("content.delete 1").startswith("entry 1 “Hello again” (hello-world) removed")
    assert typed("content.list") == "no entries\n"


def test_an_edit_that_expects_an_older_version_is_refused(typed: Typed) -> None:
    typed("content.add One --slug one --text first --later")
    first = shown(typed, "one")["version"]
    assert f"  version     {first}\n" in typed("content.show one")
    assert "edited, draft" in typed(f"content.edit one --text second --expect-version {first} --later")
    before = rows(Entry), rows(Change)
    refused = typed(f"content.edit one --text third --title Other --expect-version {first} --later", status=1)
    assert re.fullmatch(
        r".*the entry “One” was changed by \S+ at \d{4}-\d\d-\d\d \d\d:\d\d after you read it, so nothing was saved;"
        r" read it again and repeat your change\n",
        refused,
    )
    assert (rows(Entry), rows(Change)) == before
    current = shown(typed, "one")
    assert (current["title"], current["text"]) == ("One", "second")
    assert current["version"] != first
    assert "edited, draft" in typed(f"content.edit one --text third --expect-version {current['version']} --later")
    assert shown(typed, "one")["text"] == "third"


#: A command line, the words after it, and the sentence it ends with.
NONSENSE = [
    ("content.add", [" "], "an entry needs a title; give one"),
    ("content.add X --date", ["Feb 30"], "“Feb 30” is not a date"),
    ("content.add X --date=", [], "“” is no date; write it like now, 2026-11-22"),
    ("content.add X --comments maybe", [], "“maybe” is neither yes nor no"),
    ("content.add X --text a --file b", [], "both give the text"),
    ("content.add X --file absent.md", [], "absent.md: cannot be read: No such file or directory"),
    ("content.add X --site=other", [], "other"),
    ("content.edit one", [], "Give something to change"),
    ("content.edit nothing --title=x", [], "There is no entry “nothing” on the site blog"),
    ("content.edit 99999999999999999999 --title=x", [], "There is no entry “99999999999999999999”"),
    ("content.edit one --editor", [], "--editor needs a terminal"),
    ("content.list --status gone", [], "“gone” is no status of an entry"),
    ("content.list --sort size", [], "“size” is no order of entries"),
    ("content.list --category Nowhere", [], "there is no category “Nowhere” on the site blog"),
    ("content.delete one two nothing", [], "There is no entry “nothing”"),
    ("content.delete", [], "Name the entries to delete"),
    ("content.moderate 1 --spam --approve", [], "Choose what to do with the comments"),
    ("content.moderate x --spam", [], "“x” is not a number"),
    ("content.moderate 7 --spam", [], "There is no comment 7 on the site blog"),
    ("content.comment one", [" "], "the comment is empty"),
    ("content.comment one Hi --reply-to 7", [], "There is no comment 7"),
    ("content.edit-comment 1", [], "Give something to change"),
    ("content.comments --status gone", [], "“gone” is no status of a comment"),
    ("content.upload absent.png", [], "absent.png: does not exist; name a file"),
    ("content.move-asset a.png", [], "Give the new path of a.png: --to"),
    ("content.remove-asset a.png", [], "There is no file “a.png”"),
    ("content.terms series", [], "“series” is no kind of term; use one of author, category, tag"),
    ("content.rename tag a", [], "Give something to change"),
    ("content.rename tag a --parent b", [], "only categories have a parent"),
    ("content.rename tag absent --to b", [], "there is no tag “absent”"),
    ("content.merge tag a", [], "--into"),
    ("content.merge tag a --into a", [], "cannot be merged into itself"),
]


def test_what_makes_no_sense_is_a_sentence_and_touches_nothing(typed: Typed) -> None:
    typed("content.add One --slug one --tag a --later")
    typed("content.add Two --slug two --tag b --later")
    before = rows(Entry), rows(Change)
    for line, words, told in NONSENSE:
        said = typed(line, *words, status=3 if "other" in line else 1)
        assert told in said, line
        assert said.count("\n") == 1, line
    assert (rows(Entry), rows(Change)) == before


def test_what_a_source_has_is_edited_there(typed: Typed, tmp_path: Path) -> None:
    with open_installation(settings.load()) as sites:
        data = EntryData("Kept", "kept", 5, source="notes", source_path="kept.md", source_digest="1")
        entries.save(sites["blog"], data)
        entries.save(sites["blog"], EntryData("Once", "once", 5, source="an old folder", source_path="once.md"))
    for line in ("content.edit kept --title=x", "content.delete once kept", "content.edit kept --status draft"):
        assert "“Kept” comes from the source “notes”, file kept.md; edit it there" in typed(line, status=1)
    assert typed("content.comment kept Hi --later") == "comment 1 on “Kept”\n"
    assert "edited" in typed("content.edit once --title=Twice")


def test_a_file_with_front_matter_names_what_the_options_do_not(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "post.md").write_text("---\ntitle: No\ntags: [x, 7]\ndate: 2026-01-05 08:30\ncomments: no\n---\nHi.\n")
    typed("content.add Yes --file post.md --tag y --later")
    found = shown(typed, "yes")
    assert (found["title"], found["tags"], found["text"], found["allow_comments"]) == ("Yes", ["y"], "Hi.\n", False)
    assert found["date"] == "2026-01-05T08:30:00+01:00"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Näher.".encode())))
    added = json.loads(typed("content.add Third --file - --json"))
    assert (added["text"], added["id"], added["faults"]) == ("Näher.", 2, [])
    (tmp_path / "post.md").write_text("---\ntagz: x\n---\n")
    assert "“tagz” is not a key" in typed("content.edit yes --file post.md", status=1)


def test_the_editor_changes_what_was_changed_in_it(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("content.add One --tag a --tag b --text Hi. --date 2026-01-05 --later")
    first = shown(typed, "one")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for script, told, code in (
        ("true", "nothing changed\n", 0),
        ("sed -i 's/^title: One/title: First/;s/Hi/Ho/'", "entry 1 “First” (one) edited, draft\n", 0),
        ("sed -i /^tags/d", "entry 1 “First” (one) edited, draft\n", 0),
        ("sed -i s/^slug/slag/", "“slag” is not a key", 1),
        ("sed -i /^title/d", "the title is missing; write it again; nothing changed, and your text is kept in ", 1),
        ("false", "false ended with status 1; nothing changed", 1),
        ("no-such-editor", "nothing changed, and your text is kept in", 1),
    ):
        monkeypatch.setenv("VISUAL", script)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert told in typed("content.edit one --editor --later", status=code)
    after = shown(typed, "one")
    assert {key for key in first if first[key] != after[key] and key not in ("modified", "version")} == {
        "title",
        "tags",
        "text",
        "html",
        "excerpt",
        "summary",
    }
    assert len(list(tmp_path.glob("one-*.md"))) == 4


def test_a_file_that_is_not_changed_names_nothing(typed: Typed) -> None:
    typed("content.add", "yes: no", "--tag=2024", "--author=null", "--expires=2030-01-01", "--category=A/B", "--later")
    with open_installation(settings.load()):
        written = entry_file.render(editorial.get_entry(settings.load(), "blog", 1)).encode()
    assert entry_file.changed_fields(written, written) == {}
    named = entry_file.parse(written)
    assert (named["title"], named["tags"], named["authors"], named["categories"]) == (
        "yes: no",
        ["2024"],
        ["null"],
        ["A/B"],
    )


def test_lists_take_filters(typed: Typed) -> None:
    typed("content.add One --date 2026-01-05 --status published --tag a --author Ann --category News/Local --later")
    typed("content.add", "Two % two", "--date=2026-02-05", "--text=needle", "--category=News", "--later")
    typed("content.add Three --folder about --date 2026-03-05 --later")
    assert slugs(typed) == ["three", "two-two", "one"]
    assert slugs(typed, "--sort oldest --limit 3") == ["one", "two-two", "three"]
    assert typed("content.list --limit 1").endswith("Only the first 1 are listed; --limit 0 lists all.\n")
    assert slugs(typed, "--sort title --limit 0") == ["one", "three", "two-two"]
    for options, found in {
        "--status draft": ["three", "two-two"],
        "--kind page": ["three"],
        "--author ann": ["one"],
        "--tag a": ["one"],
        "--category News": ["two-two", "one"],
        "--category news/local": ["one"],
        "--since 2026-02-05": ["three", "two-two"],
        "--until 2026-02-05": ["one"],
        "--text NEEDLE": ["two-two"],
        "--text %": ["two-two"],
        "--since tomorrow": [],
    }.items():
        assert slugs(typed, options) == found, options


def test_tables_fit_eighty_columns(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("content.add", "A title that goes on and on, " * 5, "--tag", "a tag of many words " * 6, "--later")
    typed("content.add Page --folder about --status published --later")
    typed("content.comment page --author Ann", "A comment\nof [bold]many[/bold] words " * 5, "--later")
    plain = typed("content.list")
    assert "kind" in plain.splitlines()[0]
    assert "A title that goes on and on, A title that goes on and on, A title" in plain
    console = Console(force_terminal=True, width=80, color_system=None, highlight=False, soft_wrap=True)
    monkeypatch.setattr(list_output, "console", lambda: console)
    monkeypatch.setattr(list_output, "is_terminal", lambda: True)
    for line, said in {
        "content.list": "…",
        "content.comments": "[bold]",
        "content.terms tag": "a tag of many",
        "content.assets": "no files",
    }.items():
        table = typed(line)
        assert said in table
        assert all(len(row) <= 80 for row in table.splitlines())
    assert len(typed("content.list").splitlines()) == 3


def test_comments_are_taken_listed_and_judged(typed: Typed) -> None:
    typed("content.add One --status published")
    assert "comment 1 on “One”; " in typed("content.comment one Nice. --author Ida --url https://ida.example/")
    typed("content.comment one Indeed. --reply-to 1 --later")
    told = [(one["id"], one["author"], one["reply_to"]) for one in json.loads(typed("content.comments --json"))]
    assert told == [(2, "Editor", 1), (1, "Ida", None)]
    assert "2 comments held; " in typed("content.moderate 1 2 --hold")
    assert typed("content.moderate 1,2 --hold", status=1).startswith("“1,2” is not a number")
    assert typed("content.moderate 1 2 --hold") == "nothing changed\n"
    assert json.loads(typed("content.comments --status approved --json")) == []
    assert "1 comment approved" in typed("content.moderate 1 --approve")
    assert "edited" in typed("content.edit-comment 1 --text *Very* --author", "Ida B.")
    assert rows(Comment, Comment.author_name, Comment.html)[0] == ("Ida B.", "<p><em>Very</em></p>")
    assert "1 comment removed" in typed("content.moderate 1 --delete")
    assert rows(Comment, Comment.id, Comment.parent) == [(2, None)]


def test_files_are_put_replaced_moved_and_removed(typed: Typed, tmp_path: Path) -> None:
    typed("content.add One --status published --later")
    (tmp_path / "a.txt").write_text("first")
    assert typed("content.upload a.txt --path x/a.txt --entry one").startswith("x/a.txt uploaded, 5 bytes; ")
    typed("drain")
    assert (tmp_path / "www/x/a.txt").read_text() == "first"
    (tmp_path / "a.txt").write_text("second")
    typed("content.upload a.txt --path x/a.txt")
    typed("content.move-asset x/a.txt --to b.txt")
    typed("drain")
    assert (tmp_path / "www/b.txt").read_text() == "second"
    assert not (tmp_path / "www/x").exists()
    assert [(one["path"], one["entry"]) for one in json.loads(typed("content.assets --json"))] == [("b.txt", 1)]
    assert typed("content.remove-asset b.txt").startswith("b.txt removed")
    typed("drain")
    assert not (tmp_path / "www/b.txt").exists()


def test_terms_are_listed_renamed_merged_and_removed(typed: Typed, tmp_path: Path) -> None:
    typed("content.add One --tag rust --tag Go --category News/Local --author Ann --status published --later")
    typed("content.add Two --tag Rustlang --status published --later")
    assert typed("content.rename tag rust --to Rust").startswith("tag “rust” is now “Rust” (rust); ")
    assert "would be confused with the tag “Rust” (rust); merge" in typed(
        "content.rename tag Rustlang --to RUST", status=1
    )
    assert typed("content.merge tag Rustlang --into Rust").startswith("tag “Rustlang” merged into “Rust”, 1 entry; ")
    assert [(t["name"], t["entries"]) for t in json.loads(typed("content.terms tag --json"))] == [
        ("Go", 1),
        ("Rust", 2),
    ]
    told = typed("content.rename category News/Local --parent", "", "--to=Near", "--slug=near")
    assert told.startswith("category “News/Local” is now “Near” (near); ")
    assert typed("content.delete-term author Ann").startswith("author “Ann” removed, 1 entry without it; ")
    typed("drain")
    assert (tmp_path / "www/category/near/index.html").exists()
    assert not (tmp_path / "www/category/news/local").exists()
    assert typed("content.terms author") == "none\n"


def test_later_leaves_publishing_to_publish(typed: Typed) -> None:
    assert typed("content.add One --status published --later") == "entry 1 “One” (one) added, published\n"
    assert rows(Change, Change.planned)[-1] in [(False,), (0,)]
    assert "files to build" in typed("content.edit one --title Two")
    with open_installation(settings.load()):
        assert not Change.select().where(~Change.planned).exists()
        assert Site.get().name == "blog"


def test_readers_comments_are_approved_held_marked_and_deleted_by_their_ids(typed: Typed) -> None:
    typed("content.add One --slug one --status published --later")
    for text in ("A.", "B."):
        typed("content.comment one", text, "--email=ida@r.example", "--later")
    assert "2 comments held; " in typed("comments.hold 1 2")
    assert "1 comment approved; " in typed("comments.approve 1")
    assert "1 comment marked as spam" in typed("comments.spam 2 --later")
    assert rows(Comment, Comment.status) == [("approved",), ("spam",)]
    assert "“x” is not a number" in typed("comments.approve x", status=1)
    assert "1 comment removed" in typed("comments.delete 2")
    assert rows(Comment, Comment.id) == [(1,)]


def test_senders_are_banned_and_erased(typed: Typed) -> None:
    typed("content.add One --slug one --status published --later")
    typed("content.comment one", "A.", "--email=ida@r.example", "--later")
    assert typed("comments.bans") == "none\n"
    assert typed("comments.ban 1 --reason rude") == "banned ida@r.example\n"
    assert typed("comments.ban ida@r.example") == "nothing changed\n"
    assert typed("comments.ban 192.0.2.9") == "banned 192.0.2.0/24\n"
    assert [one["value"] for one in json.loads(typed("comments.bans --json"))] == ["192.0.2.0/24", "ida@r.example"]
    assert re.search(r"ida@r.example +\d{4}-\d\d-\d\d \d\d:\d\d +\S+ +rude", typed("comments.bans"))
    assert typed("comments.unban ida@r.example") == "1 ban lifted\n"
    assert "is no network" in typed("comments.ban nobody", status=1)
    assert typed("comments.erase IDA@r.example") == "erased from 1 comment; backups made before still have it\n"
    assert rows(Comment, Comment.author_email) == [("",)]
