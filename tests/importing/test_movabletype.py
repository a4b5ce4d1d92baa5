from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.config import Config
from appliance.content import comments, entries
from appliance.content.models import Author, Category, Change, Comment, Entry, EntryCategory, EntryTag, Ping
from appliance.errors import ConfigError, ContentError
from appliance.importing.movabletype import import_file, is_export
from appliance.importing.movabletype.blocks import SIZE_LIMIT
from appliance.importing.report import Report
from tests.local_site import local_site, moment

Import = Callable[..., Report]

FULL = """AUTHOR: Melody Nelson
TITLE: The first
BASENAME: the_first
STATUS: Publish
ALLOW COMMENTS: 1
CONVERT BREAKS: __default__
ALLOW PINGS: 1
PRIMARY CATEGORY: Media
CATEGORY: News
CATEGORY: Media

DATE: 01/31/2002 03:31:05 PM
TAGS: "Movable Type",foo,'a, b',@private
-----
BODY:
One line
and another.

<ul><li>left alone</li></ul>
-----
EXTENDED BODY:
More of it.
-----
EXCERPT:
In short & sweet.
-----
KEYWORDS:
one two
-----
CF50_SUBTITLE:
of my
own
-----

COMMENT:
AUTHOR: Eve
EMAIL: eve@x.example
IP: 192.0.2.7
URL: www.x.example
DATE: 02/01/2002 12:05:00 AM
Said in <b>HTML</b>, &amp; with <a href="https://y.example/">a link</a><br />
<script>no()</script>on lines.
-----

PING:
TITLE: About it
URL: https://z.example/1
IP: 192.0.2.8
BLOG NAME: Zed
DATE: 02/02/2002 16:00:00
Begins
so …
-----

--------
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "export.txt"


@pytest.fixture
def run(config: Config, file: Path) -> Import:
    """Writes the text, if any, and imports it; every entry must be accounted for once."""

    def import_it(text: str | bytes | None = None, **more: Any) -> Report:
        if text is not None:
            file.write_bytes(text.encode() if isinstance(text, str) else text)
        report = import_file(config, "blog", file, **more)
        assert report.accounted_for == report.files, report.lines()
        return report

    return import_it


def block(body: str = "Text", **meta: str) -> str:
    """A block; keywords are keys in lower case with underscores."""
    keys = {"title": "One", "date": "03/04/2005 06:07:08", "convert_breaks": "0"} | meta
    lines = [f"{key.upper().replace('_', ' ')}: {value}" for key, value in keys.items() if value != "-"]
    return "\n".join([*lines, "-----", "BODY:", body, "-----", "--------", ""])


def comment_part(name: str = "Eve", text: str = "Hello", date: str = "01/01/2006 10:00:00", more: str = "") -> str:
    return f"COMMENT:\nAUTHOR: {name}\nDATE: {date}\n{more}{text}\n-----\n"


def with_parts(whole: str, *parts: str) -> str:
    return whole.removesuffix("--------\n") + "".join(parts) + "--------\n"


def reasons(report: Report) -> list[str]:
    return [reason for _, reason in report.skipped]


def test_an_entry_with_everything(run: Import) -> None:
    report = run(FULL)
    row = Entry.get()
    assert (row.title, row.slug, row.status, row.kind, row.format) == (
        "The first", "the_first", "published", "entry", "html",
    )  # fmt: skip
    assert (row.published_at, row.modified_at, row.allow_comments) == (moment("2002-01-31T15:31:05"),) * 2 + (True,)
    assert row.text == (
        "<p>One line<br />\nand another.</p>\n\n<ul><li>left alone</li></ul>\n\n<!-- more -->\n\n<p>More of it.</p>"
    )
    assert (row.excerpt, row.summary) == ("<p>In short & sweet.</p>", "In short & sweet.")
    assert json.loads(row.extra) == {
        "allow_pings": True, "keywords": "one two", "CF50_SUBTITLE": "of my\nown", "private_tags": ["@private"],
    }  # fmt: skip
    assert [author.name for author in Author.select()] == ["Melody Nelson"]
    assert [(c.category.name, c.is_primary) for c in EntryCategory.select().order_by(EntryCategory.category)] == [
        ("Media", True), ("News", False),
    ]  # fmt: skip
    assert [link.tag.name for link in EntryTag.select().order_by(EntryTag.position)] == ["Movable Type", "foo", "a, b"]
    comment = Comment.get()
    assert (comment.author_name, comment.author_email, comment.author_url, comment.status) == (
        "Eve", "eve@x.example", "http://www.x.example", "approved",
    )  # fmt: skip
    assert comment.created_at == moment("2002-02-01T00:05:00")
    assert comment.text == "Said in **HTML**, & with [a link](https://y.example/)\non lines."
    ping = Ping.get()
    assert (ping.entry_id, ping.title, ping.url, ping.blog_name, ping.ip, ping.text, ping.at) == (
        row.id, "About it", "https://z.example/1", "Zed", "192.0.2.8", "Begins\nso …", moment("2002-02-02T16:00:00"),
    )  # fmt: skip
    assert report.lines()[1:] == [
        "  texts: 1 added", "  other files: none", "  comments: 1 added", "  pings: 1 added",
        "  entry, published: 1 added",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("01/31/2002 03:31:05 PM", "2002-01-31T15:31:05"),
        ("01/31/2002 03:31:05 am", "2002-01-31T03:31:05"),
        ("01/31/2002 15:31:05", "2002-01-31T15:31:05"),
        ("01/31/2002 15:31:05 PM", "2002-01-31T15:31:05"),
        ("01/31/2002 12:00:00 AM", "2002-01-31T00:00:00"),
        ("01/31/2002 12:30:00 PM", "2002-01-31T12:30:00"),
        ("1/3/2002 3:01", "2002-01-03T03:01:00"),
        ("01/31/99 11:59 PM", "1999-01-31T23:59:00"),
        ("01/31/05 11:59", "2005-01-31T11:59:00"),
        ("01/31/2002", "2002-01-31T00:00:00"),
        ("2002-01-31 15:31:05", "2002-01-31T15:31:05"),
        ("2002/01/31 15:31:05", "2002-01-31T15:31:05"),
        ("2002-01-31T15:31:05+09:00", "2002-01-31T06:31:05"),
        ("01/31/2002 15:31:05 +0900", "2002-01-31T06:31:05"),
    ],
)
def test_dates(run: Import, given: str, at: str) -> None:
    run(block(date=given))
    assert Entry.get().published_at == moment(at)


@pytest.mark.parametrize("given", ["31/01/2002 10:00:00", "01/31/2002 25:00:00", "soon", "01/31/202 10:00", "-"])
def test_invalid_dates_are_reported(run: Import, given: str) -> None:
    report = run(block(date=given) + block(title="Two"))
    reason = "has no DATE" if given == "-" else f"has the date “{given}”, which cannot be read"
    assert reasons(report)[0].startswith(reason)
    assert report.skipped[0][0] == "line 1 “One”"
    assert Entry.get().title == "Two"


def test_dates_are_in_the_time_zone_of_the_site(make_config: Callable[..., Config], file: Path) -> None:
    blog = {"name": "blog", "title": "A Blog", "url": "https://blog.example/", "timezone": "Asia/Tokyo"}
    config = make_config(sites=[blog])
    opened = db.connect(config)
    file.write_text(with_parts(block(date="01/31/2002 08:00:00"), comment_part(date="01/31/2002 09:00:00")))
    import_file(config, "blog", file)
    assert (Entry.get().published_at, Entry.get().day) == (moment("2002-01-30T23:00:00"), "2002-01-31")
    assert Comment.get().created_at == moment("2002-01-31")
    opened.close()


@pytest.mark.parametrize(
    ("given", "format", "text"),
    [
        ("0", "html", "a\nb\n\n*c*"),
        ("none", "html", "a\nb\n\n*c*"),
        ("", "html", "a\nb\n\n*c*"),
        ("richtext", "html", "a\nb\n\n*c*"),
        ("wysiwyg", "html", "a\nb\n\n*c*"),
        ("1", "html", "<p>a<br />\nb</p>\n\n<p>*c*</p>"),
        ("__default__", "html", "<p>a<br />\nb</p>\n\n<p>*c*</p>"),
        ("-", "html", "<p>a<br />\nb</p>\n\n<p>*c*</p>"),
        ("markdown", "markdown", "a\nb\n\n*c*"),
        ("markdown_with_smartypants", "markdown", "a\nb\n\n*c*"),
        ("textile_2", "html", "<p>a<br />\nb</p>\n\n<p>*c*</p>"),
        ("wiki", "html", "a\nb\n\n*c*"),
    ],
)
def test_text_filters(run: Import, given: str, format: str, text: str) -> None:
    report = run(block("a\nb\n\n*c*", convert_breaks=given))
    assert (Entry.get().format, Entry.get().text) == (format, text)
    told = {"textile_2": "is Textile, which", "wiki": "has the unknown text filter “wiki”"}.get(given)
    assert report.notes == [] if told is None else report.notes[0].startswith(f"line 1 “One”: {told}")


def test_html_without_convert_breaks_stays_as_it_is(run: Import) -> None:
    run(block("<p>a\nb</p>\n\nc", convert_breaks="-"))
    assert Entry.get().text == "<p>a\nb</p>\n\nc"


@pytest.mark.parametrize(
    ("given", "status"),
    [("Publish", "published"), ("publish", "published"), ("-", "published"), ("Draft", "draft"), ("Review", "draft"),
     ("Future", "scheduled"), ("Unpublish", "draft"), ("Lost", "draft")],
)  # fmt: skip
def test_statuses(run: Import, given: str, status: str) -> None:
    report = run(block(status=given))
    assert Entry.get().status == status
    assert report.kinds == {("entry", status, "added"): 1}
    assert bool(report.notes) == (given == "Lost")


def test_spam_is_not_imported(run: Import) -> None:
    assert reasons(run(block(status="Junk"))) == ["is marked as spam there"]


@pytest.mark.parametrize(("given", "allowed"), [("0", False), ("1", True), ("2", False), ("-", True)])
def test_whether_comments_are_allowed(run: Import, given: str, allowed: bool) -> None:
    run(block(allow_comments=given))
    assert Entry.get().allow_comments is allowed


def test_missing_titles_and_basenames(run: Import) -> None:
    report = run(
        block("<p>These are the first words of it</p>", title="-")
        + block("Twin") + block("Other twin") + block("", title="", basename="a_name", date="01/01/2001 10:00")
        + block(basename="2013/01/02/123456", title="Hatena")
    )  # fmt: skip
    assert report.added == 5
    assert [(row.title, row.slug) for row in Entry.select().order_by(Entry.id)] == [
        ("These are the first words", "these-are-the-first-words"), ("One", "one"), ("One", "one-2"),
        ("a_name", "a_name"), ("Hatena", "123456"),
    ]  # fmt: skip
    assert run().changed_nothing
    assert run(block("Twin") + block("Other twin, edited")).changed == 1
    assert [row.text for row in Entry.select().where(Entry.slug == "one-2")] == ["Other twin, edited"]


def test_typepad(run: Import) -> None:
    text = (
        "AUTHOR: Ida\nAUTHOR EMAIL: ida@x.example\nTITLE: Hello\nSTATUS: Publish\nALLOW COMMENTS: 2\n"
        "CONVERT BREAKS: wysiwyg\nALLOW PINGS: 0\nBASENAME: hello\nCATEGORY: Books\nCATEGORY: Film\n\n"
        "UNIQUE URL: {}\nDATE: 05/06/2012 09:10:11 PM\n-----\nBODY:\n<p>Hi</p>\n-----\nEXTENDED BODY:\n\n-----\n"
        "EXCERPT:\n\n-----\nKEYWORDS:\n\n-----\nCOMMENT:\nAUTHOR: Eve\nEMAIL: \nIP: 192.0.2.1\nURL: \n"
        "DATE: 05/07/2012 09:10:11 AM\n<p>Nice.</p><p>Really.</p>\n-----\n--------\n"
    )
    run(text.format("https://blog.example/2012/05/hello.html"))
    row = Entry.get()
    assert (row.address, row.allow_comments, row.text, json.loads(row.extra)) == (
        "2012/05/hello.html", False, "<p>Hi</p>", {},
    )  # fmt: skip
    assert Comment.get().text == "Nice.\n\nReally."
    assert Category.get(Category.id == EntryCategory.get(EntryCategory.is_primary).category_id).name == "Books"
    assert "ida@x.example" not in row.extra
    run(text.format("https://ida.typepad.example/2012/05/hello.html").replace("hello\n", "other\n"))
    other = Entry.get(Entry.slug == "other")
    assert (other.address, json.loads(other.extra)) == (
        None, {"unique_url": "https://ida.typepad.example/2012/05/hello.html"},
    )  # fmt: skip


def test_japanese_services(run: Import) -> None:
    hatena = block(
        "<p>本文</p>", basename="2019/08/09/101112", title="題名", status="Publish", category="日記",
        image="https://img.example/a.jpg", date="08/09/2019 10:11:12",
    )  # fmt: skip
    fc2 = with_parts(
        block("本文<br />", title="秘密", date="08/09/2019 10:11:13", path="blog-entry-1.html"),
        comment_part("名無し", "公開", more="URL: \nSECRET: 0\nPASS: 9a8b\n"),
        comment_part("誰か", "非公開", more="SECRET: 1\nPASS: 7c\n"),
    )  # fmt: skip
    report = run(hatena + fc2)
    assert report.added == 2
    first, second = Entry.select().order_by(Entry.id)
    assert (first.slug, json.loads(first.extra)) == ("101112", {"image": "https://img.example/a.jpg"})
    assert (second.slug, json.loads(second.extra)) == ("秘密", {"path": "blog-entry-1.html"})
    rows = Comment.select(Comment.author_name, Comment.text, Comment.status).order_by(Comment.id)
    assert list(rows.tuples()) == [("名無し", "公開", "approved"), ("誰か", "非公開", "pending")]


def test_squarespace_begins_with_an_end_mark(run: Import) -> None:
    assert run("--------\n\n" + block().removesuffix("-----\n--------\n")).added == 1


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "shift_jis", "euc_jp", "utf-16"])
def test_encodings_that_are_named(run: Import, encoding: str) -> None:
    title = "Crème brûlée" if encoding in ("cp1252", "latin-1") else "移行の話"
    run(block(title=title).encode(encoding), encoding=encoding)
    assert Entry.get().title == title


@pytest.mark.parametrize("encoding", ["cp1252", "shift_jis", "euc_jp"])
def test_another_encoding_is_refused_with_its_name(run: Import, file: Path, encoding: str) -> None:
    text = "Très déçu à l'été" if encoding == "cp1252" else "ブログの引っ越しをしました。"
    with pytest.raises(ContentError, match=rf"is not UTF-8 \(see line 15\); .*--encoding .*{encoding}"):
        run((block() + block(text, basename="x")).encode(encoding))
    assert not Entry.select().exists()
    assert is_export(file)


@pytest.mark.parametrize("text", [block(), "\ufeff" + block(), block().replace("\n", "\r\n"), block().rstrip("\n")])
def test_byte_order_marks_and_line_ends(run: Import, file: Path, text: str) -> None:
    assert run(text).notes == []
    assert (Entry.get().title, Entry.get().text) == ("One", "Text")
    assert is_export(file)


@pytest.mark.parametrize(
    "content",
    [b"", b"---\ntitle: One\n---\nText", b"<?xml version='1.0'?>\n<rss>", b"PK\x03\x04" + bytes(100), b"TITLE: One\n",
     b"Dear all: hello\n-----\n", b"HTTP: x\n-----\nBODY:\n"],
)  # fmt: skip
def test_files_of_other_formats_are_refused(run: Import, file: Path, content: bytes) -> None:
    with pytest.raises(ContentError, match=r"is not in Movable Type's format|is not UTF-8"):
        run(content)
    assert not is_export(file)
    assert not Change.select().where(Change.subject != "site").exists()


def test_missing_files_and_unknown_encodings_are_refused(config: Config, file: Path) -> None:
    with pytest.raises(ContentError, match="does not exist; name an export file"):
        import_file(config, "blog", file)
    assert not is_export(file)
    with pytest.raises(ContentError, match="is not a file"):
        import_file(config, "blog", file.parent)
    file.write_text(block())
    with pytest.raises(ContentError, match="“klingon” is not an encoding"):
        import_file(config, "blog", file, encoding="klingon")
    with pytest.raises(ContentError, match="is not written in euc_jp"):
        file.write_bytes(block("é").encode("latin-1"))
        import_file(config, "blog", file, encoding="euc_jp")
    with pytest.raises(ConfigError):
        import_file(config, "other", file)


def test_a_malformed_block_is_a_line_of_the_report(run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.importing.movabletype.blocks.SIZE_LIMIT", 500)
    assert SIZE_LIMIT > 500
    report = run(
        block(title="A") + "what is this\n-----\n--------\n" + block("long " * 200, title="Long") + block(title="B")
        + "\n\n--------\n" + block(title="C") + block(title="C", basename="c") * 2
    )  # fmt: skip
    assert [row.title for row in Entry.select().order_by(Entry.id)] == ["A", "B", "C"]
    assert report.files == 7
    assert [(what, reason.split(";")[0]) for what, reason in report.skipped] == [
        ("line 9", "does not begin with a line such as “TITLE: …”"),
        ("line 12", "is more than 500 characters long"),
        ("line 39 “C”", "has the basename and date of an earlier block"),
        ("line 48 “C”", "has the basename and date of an earlier block"),
    ]


def test_a_file_that_was_cut_off(run: Import) -> None:
    report = run(block(title="A") + block(title="B").removesuffix("-----\n--------\n"))
    assert report.added == 2
    assert report.notes == ["line 9 “B” has no end mark; see whether the file was cut off"]


def test_lines_of_dashes_that_belong_to_a_text(run: Import) -> None:
    run(
        block("a\n-----\nb\n\n-----\n\nNOTE:\nc\n--------\nd").removesuffix("-----\n--------\n") + "--------\n"
        + with_parts(block(title="Two"), comment_part(text="first\n-----\nsecond"))
    )  # fmt: skip
    assert [row.text for row in Entry.select().order_by(Entry.id)] == [
        "a\n-----\nb\n\n-----\n\nNOTE:\nc\n--------\nd", "Text",
    ]  # fmt: skip
    assert Comment.get().text == "first\n-----\nsecond"


def test_the_oldest_exports(run: Import) -> None:
    run("TITLE: Old\nDATE: 01/01/2001 10:00:00\nSTART BODY:\nsome\nTEXT: x\nEND BODY:\n-----\n--------\n")
    assert Entry.get().text == "<p>some<br />\nTEXT: x</p>"


def test_several_bodies(run: Import) -> None:
    run(with_parts(block("a"), "BODY:\nb\n-----\nEXTENDED BODY:\nc\n-----\n") + with_parts(
        block("", title="Two"), "EXTENDED BODY:\nonly\n-----\n"))  # fmt: skip
    first, second = Entry.select().order_by(Entry.id)
    assert (first.text, first.excerpt) == ("a\n\nb\n\n<!-- more -->\n\nc", "a\n\nb")
    assert second.text == "only"


def test_comments_that_are_changed_or_not_imported(run: Import) -> None:
    report = run(
        with_parts(
            block(), comment_part(name=""), comment_part(text=""), comment_part(date="when"),
            comment_part(text="x" * 20_001), comment_part(more="URL: ftp://x\n"),
            "COMMENT:\nno date\n-----\n", comment_part(name="n" * 200, text="a < b & c <3 &eacute;"),
            comment_part(text="<blockquote>said\nso</blockquote><ul><li>one</li><li>two</li></ul>"),
        )
    )  # fmt: skip
    assert report.comments == {"added": 4, "not imported": 4}
    assert len(report.notes) == 4
    assert any("comment 2 of line 1 “One”: is empty" in note for note in report.notes)
    rows = Comment.select(Comment.author_name, Comment.text, Comment.author_url).order_by(Comment.id)
    assert list(rows.tuples()) == [
        ("Anonymous", "Hello", ""), ("Eve", "Hello", ""), ("n" * 120, "a < b & c <3 é", ""),
        ("Eve", "> said\n> so\n\n- one\n- two", ""),
    ]  # fmt: skip


def test_no_entry_adds_comments_to_an_existing_entry(run: Import) -> None:
    run(block(basename="a"))
    extra = with_parts(
        block(no_entry="1"), comment_part(), "PING:\nURL: https://x.example/\nDATE: 01/01/2006\nHm\n-----\n"
    )
    report = run(extra + with_parts(block(no_entry="1", date="01/01/1999"), comment_part()), source="more")
    assert (report.changed, report.comments, report.pings) == (1, {"added": 1}, {"added": 1})
    assert reasons(report) == ["is NO ENTRY, and no entry here has its date; import the entries first"]
    assert (Entry.get().text, Comment.get().entry_id, Ping.get().text) == ("Text", Entry.get().id, "Hm")
    assert run(source="more").changed_nothing


def test_a_second_import_changes_nothing(database: Config, file: Path) -> None:
    file.write_text(
        FULL
        + with_parts(block(basename="b"), comment_part(), comment_part(), comment_part(text=""))
        + block(title="No date", date="-")
    )
    first = import_file(database, "blog", file)
    assert (first.added, len(first.skipped), first.comments, first.pings) == (
        2, 1, {"added": 3, "not imported": 1}, {"added": 1},
    )  # fmt: skip
    Change.delete().execute()
    before = list(Entry.select().order_by(Entry.id).dicts())
    second = import_file(database, "blog", file)
    assert (second.changed_nothing, second.unchanged, second.accounted_for, second.files) == (True, 2, 3, 3)
    assert (second.comments, second.pings) == ({"unchanged": 3, "not imported": 1}, {"unchanged": 1})
    assert not Change.select().exists()
    assert list(Entry.select().order_by(Entry.id).dicts()) == before


def test_the_second_import_writes_no_row(config: Config, run: Import) -> None:
    run(FULL + block())
    before = db.execute("SELECT total_changes()").fetchone()
    run()
    assert db.execute("SELECT total_changes()").fetchone() == before


def test_what_changed_in_the_file(run: Import) -> None:
    run(FULL + block(basename="b") + block(basename="c", title="C"))
    comments.add(Entry.get(Entry.slug == "the_first"), "Local", "said here")
    Comment.update(status="spam").where(Comment.author_name == "Eve").execute()
    Change.delete().execute()
    ids = {row.slug: row.id for row in Entry.select()}
    report = run(
        with_parts(FULL.replace("One line", "A line"), comment_part("New", "more")) + block(basename="c", title="C")
        + block(basename="d", title="D")
    )  # fmt: skip
    assert (report.changed, report.unchanged, report.added, report.removed) == (1, 1, 1, 0)
    assert report.comments == {"added": 1, "unchanged": 1}
    assert report.notes == [
        "1 of an earlier import are not in the file and stay: “One”; import with --remove to delete them"
    ]
    assert {row.slug: row.id for row in Entry.select() if row.slug in ids} == ids
    rows = Comment.select(Comment.author_name, Comment.status).order_by(Comment.id)
    assert list(rows.tuples()) == [("Eve", "spam"), ("Local", "approved"), ("New", "approved")]
    assert {change.event for change in Change.select()} == {"entry edited", "entry added", "comment added"}
    report = run(remove=True)
    assert (report.removed, [row.slug for row in Entry.select().order_by(Entry.id)]) == (1, ["the_first", "c", "d"])


def test_other_sources_are_left_alone(run: Import) -> None:
    run(block(basename="a"), source="first")
    report = run(block(basename="a", title="Other") + block(basename="b"), source="second", remove=True)
    assert reasons(report) == ["“Other” has the name “a” on 2005-03-04, as “One” has; give one of them another"]
    assert (report.added, Entry.select().count()) == (1, 2)


def test_more_than_a_batch_is_streamed(config: Config, run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.importing.movabletype.importer.BATCH_SIZE", 3)
    text = "".join(block(title=f"Nr {n}", date=f"03/04/2005 06:07:{n:02}") for n in range(8)) + block(title="Nr 2",
        date="03/04/2005 06:07:02")  # fmt: skip
    done: list[tuple[int, int]] = []
    held: list[int] = []
    save = entries.save

    def saved(*args: Any, **more: Any) -> Any:
        held.append(Entry.select().count())
        return save(*args, **more)

    monkeypatch.setattr(entries, "save", saved)
    report = run(text, progress=lambda *numbers: done.append(numbers))
    assert (report.added, done) == (9, [(3, 9), (6, 9), (9, 9)])
    assert held == list(range(9))
    assert [row.slug for row in Entry.select().order_by(Entry.id).offset(8)] == ["nr-2-2"]
    assert run().changed_nothing


def test_memory_does_not_grow_with_the_file(config: Config, file: Path) -> None:
    import tracemalloc

    def peak(entries_of_it: int) -> int:
        with file.open("w") as out:
            for n in range(entries_of_it):
                out.write(block("x" * 10_000, title=f"Nr {n}", basename=f"nr-{n}"))
        import_file(config, "blog", file, source="same", progress=lambda *_: None)
        tracemalloc.start()
        import_file(config, "blog", file, source="same")
        _, found = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return found

    small = peak(250)
    assert peak(750) < small * 1.3


def test_long_lines_are_parsed_in_linear_time(run: Import) -> None:
    lines = ["A" + "_a" * 5000 + "!", "A" + " " * 50_000 + "x", "-----" + " " * 50_000 + "x", "A " * 20_000]
    run(with_parts(block("\n-----\n".join(lines), tags='"' * 5001), comment_part(text="\n".join(lines)[:19_000])))
    assert Entry.get().text == "\n-----\n".join(lines)


def test_it_publishes(tmp_path: Path) -> None:
    manifest = '[[archive]]\ntype = "entry"\ntemplate = "entry.html"\npath = "{year}/{month}/{slug}/index.html"\n'
    with local_site(tmp_path, manifest) as shop:
        (tmp_path / "mt.txt").write_text(FULL + block(title="Draft", status="Draft"))
        import_file(shop.config, "blog", tmp_path / "mt.txt")
        shop.run()
        assert shop.paths() == ["2002/01/the_first/index.html"]
        assert shop.text("2002/01/the_first/index.html").startswith("The first|<p>One line<br />")


def test_deleting_much_at_once_needs_permission(make_config: Callable[..., Config], file: Path) -> None:
    config = make_config(deletions={"share": 0.3, "least": 3})
    opened = db.connect(config)
    blocks = [block(title=f"Nr {n}") for n in range(4)] + [block("twin", title="Nr 0")]
    file.write_text("".join(blocks))
    import_file(config, "blog", file)
    file.write_text(blocks[0] + blocks[4] + block(title="New"))
    with pytest.raises(ContentError, match=r"3 of 5 entries from .* would be removed at once"):
        import_file(config, "blog", file, remove=True)
    assert Entry.select().count() == 5
    report = import_file(config, "blog", file, remove=True, allow_removals=True)
    assert (report.removed, report.added, report.unchanged) == (3, 1, 2)
    opened.close()


def test_addresses_that_are_not_unique(run: Import) -> None:
    text = block(unique_url="https://x.example/") + block(unique_url="https://x.example/", title="Two", basename="two")
    assert run(text).added == 2
    assert run().changed_nothing
    assert run(text.replace("Text", "Other")).changed == 2


@pytest.mark.parametrize(
    "now", [block(date="soon"), "garbage\n-----\n--------\n", block(title="Cut").rsplit("-----", 1)[0]]
)
def test_nothing_is_removed_while_a_block_cannot_be_read(run: Import, now: str) -> None:
    run(block() + block(title="Two"))
    report = run(block(title="Two") + now, remove=True)
    assert (report.removed, Entry.select().where(Entry.title == "One").count()) == (0, 1)
    assert report.notes[-1].endswith("stay: “One”; mend what could not be read and import again")
