"""One text that nobody can read in time or depth is named and left out; the rest of its import goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config import Config, load, toml
from appliance.content.models import Comment, Entry
from appliance.errors import ConfigError, ContentError, ThemeError
from appliance.importing import movabletype, wordpress
from appliance.importing.markdown import frontmatter, metadata
from appliance.importing.markdown.importer import import_folder
from appliance.importing.markdown.layout import Layout
from appliance.importing.markdown.references import ReferenceIndex, ReferenceResolver
from appliance.importing.movabletype import blocks
from appliance.importing.movabletype import comments as movabletype_comments
from appliance.importing.wordpress import comments as wordpress_comments
from appliance.importing.wordpress.post_content import MarkupCounts, content_html
from appliance.planning.theme import Theme
from tests.importing import wxr
from tests.scaling import grows_too_fast, repeated

DEEP = 50_000
FRONT = {
    "yaml brackets": "---\ntitle: " + "[" * DEEP + "\n---\n",
    "yaml pairs": "---\ntitle: " + "[" * DEEP + "]" * DEEP + "\n---\n",
    "yaml braces": "---\ntitle: " + "{a: " * DEEP + "\n---\n",
    "yaml items": "---\ntitle:\n  " + "- " * DEEP + "a\n---\n",
    "yaml keys": "---\ntitle: a\n? " + "? " * DEEP + "a\n---\n",
    "yaml indentation": "---\ntitle: a\n" + "".join(" " * n + "a:\n" for n in range(300)) + "---\n",
    "yaml merges": "---\na: &a {k: v}\n"
    + "".join(f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]}}\n" for n in range(20))
    + "---\n",
    "yaml number": "---\ntitle: " + "1:" * DEEP + "1\n---\n",
    "yaml hexadecimal": "---\ntitle: 0x" + "f" * DEEP + "\n---\n",
    "yaml kind": "---\ntitle: !!bool x\n---\n",
    "yaml nothing": '---\ntitle: !!int ""\n---\n',
    "toml brackets": "+++\ntitle = " + "[" * DEEP + "]" * DEEP + "\n+++\n",
    "toml braces": "+++\ntitle = " + "{a = " * DEEP + "\n+++\n",
    "toml key": "+++\n" + "a." * DEEP + "a = 1\n+++\n",
    "toml quoted key": "+++\n" + '"a" . ' * DEEP + "a = 1\n+++\n",
    "toml table": "+++\n[" + "a." * DEEP + "a]\n+++\n",
    "toml number": "+++\ntitle = " + "9" * DEEP + "\n+++\n",
    "toml hexadecimal": "+++\ntitle = 0x" + "f" * DEEP + "\n+++\n",
    "json brackets": '{"title": ' + "[" * DEEP + "]" * DEEP + "}\n",
    "json braces": '{"title": ' + '{"a": ' * DEEP,
    "quotes": "---\ntitle: a\n---\n" + ">" * 40_000,
    "elements": "---\ntitle: a\n---\n" + "<div>" * 8_000,
}


@pytest.mark.parametrize("name", FRONT)
def test_a_text_beyond_the_limits_is_skipped(config: Config, tmp_path: Path, name: str) -> None:
    root = tmp_path / "source"
    root.mkdir()
    (root / "bad.md").write_text(FRONT[name] + "Text\n")
    (root / "good.md").write_text("---\ntitle: Good\n---\nText\n")
    report = import_folder(config, "blog", root)
    assert [file for file, _ in report.skipped] == ["bad.md"]
    assert Entry.get(Entry.source_path == "good.md").title == "Good"


def test_settings_and_comment_files_have_limits_too(config: Config, tmp_path: Path) -> None:
    deep = "a = " + "[" * DEEP + "]" * DEEP + "\n"
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / "theme.toml").write_text(deep)
    with pytest.raises(ThemeError, match="nested more than 50 deep"):
        Theme.load("theme", tmp_path)
    (tmp_path / "appliance.toml").write_text(deep)
    with pytest.raises(ConfigError, match="nested more than 50 deep"):
        load(tmp_path / "appliance.toml")
    for text in ("comments: " + "[" * DEEP, "comments: [" + "*a, " * 300 + "]"):
        with pytest.raises(ContentError, match="the file is not YAML"):
            frontmatter.read_yaml(text.encode())
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)
    )
    with pytest.raises(ContentError, match="more than"):
        frontmatter.read_yaml(bomb.encode())


def test_front_matter_that_people_write_is_read() -> None:
    tags = "\n".join(f"  - {{name: tag {n}, also: [a, b, {{c: d}}]}}" for n in range(200))
    meta = frontmatter.split(f"---\nbase: &b {{x: 1}}\nmore: {{<<: *b, y: 2}}\ntags:\n{tags}\n---\nText".encode()).meta
    assert meta["more"] == {"x": 1, "y": 2}
    assert len(meta["tags"]) == 200
    read = toml.loads('a.b.c = 1\n[x."y.z"]\nt = """\n' + "... " * 200 + '"""\nv = [[[[1]]]]  # ' + "[" * 99 + "\n")
    assert read["a"] == {"b": {"c": 1}}
    assert read["x"]["y.z"]["v"] == [[[[1]]]]


WORK: dict[str, tuple[Callable[[str], object], list[Callable[[int], str]]]] = {
    "front matter": (
        lambda text: _split(text),
        [
            repeated("---", " ", "x y", "", ""), repeated("Title: x\n", " a\n", "", "", ""),
            repeated("Title: x\n", "a", "", " ", ""), repeated("---\n", "a:\n", "---\n", "", ""),
            repeated("---\n", "- a\n", "---\n", "", ""), repeated("+++\n", "[[a]]\n", "+++\n", "", ""),
            repeated('+++\na = """', ".. ", '"""\n+++\n', "", ""), repeated("+++\n", '"', "", "", "\n+++\n"),
            lambda n: "---\n" + "".join(f"{k * ((1 << 61) - 1)}: a\n" for k in range(n // 24)) + "---\n",
        ],
    ),
    "title from a heading": (
        lambda text: metadata._title({}, text, "x"),
        [
            repeated("# ", "# ", "", " ", "x"), repeated("# ", "[", "", "", ""), repeated("# ", "[a](", "", "", ""),
            repeated("#", " ", "", "", ""), repeated("a", "=", "", "", ""), repeated("", "a\n", "", "= \n", ""),
        ],
    ),
    "authors": (
        lambda text: metadata.authors({"author": text}),
        [repeated("a", " ", "b;", "", ""), repeated("a", " ", "b,", "", "")],
    ),
    "template tags": (
        lambda text: ReferenceResolver(ReferenceIndex(Layout()), "a.md", None).tag(text),
        [
            repeated("{{<figure", " ", "", "", ""), repeated("{{<figure", " ", ">}}", "", ""),
            repeated("{{< figure ", "a", " ", "b ", ">}}"), repeated("{% asset_img ", "a ", "", "", "b.c %}"),
            repeated("{% asset_img ", "a.", "", " ", "%}"), repeated("{%", " ", "", "", ""),
        ],
    ),
    "wordpress": (
        lambda text: content_html(text, MarkupCounts()),
        [
            repeated("<!-- wp:", "a", "", "", ""), repeated("", "<!-- wp:a -->", "", "<!-- /wp:b -->", ""),
            repeated("", "<!-- wp:a ", "", "", ""), repeated("<p", " ", ">", "", ""), repeated("<a", " ", ">", "", ""),
            repeated("", "<div>", "", "</p>", ""), repeated("", "[a ", "", "", ""), repeated("", "<pre>", "", "", ""),
        ],
    ),
    "comments of wordpress": (
        wordpress_comments.to_markdown,
        [
            repeated("", "<!--", "", "", ""), repeated("", "<a ", "", "", ""), repeated("", '<a b="', "", "", ""),
            repeated("", "<blockquote>", "", "a\n", ""), repeated("a", " ", "b", "", ""),
            repeated("", "<![CDATA[", "", "", ""),
            repeated("", "&#", "", "", ""), repeated("", "<?", "", "", ""),
        ],
    ),
    "comments of movable type": (
        movabletype_comments.to_markdown,
        [
            repeated("<b>", "<!--", "", "", ""), repeated("<b>", "<a ", "", "", ""), repeated("<b>", "<!", "", "", ""),
            repeated("", "<blockquote>", "", "a\n", ""), repeated("<b>", "</", "", "", ""),
        ],
    ),
    "blocks of movable type": (
        lambda text: list(blocks.read(text.split("\n"))),
        [
            repeated("TITLE: a\n-----\nBODY:\n", "a\n-----\n", "", "", ""), repeated("TITLE: a\n", "\n", "", "", ""),
            repeated("", "TITLE:", "", " ", ""), repeated("", "--------\n", "", "-----\n", ""),
        ],
    ),
}  # fmt: skip


def _split(text: str) -> None:
    try:
        frontmatter.split(text.encode())
    except ContentError:
        return


@pytest.mark.parametrize("name", WORK)
def test_reading_takes_time_in_proportion(name: str) -> None:
    work, shapes = WORK[name]
    assert [found for made in shapes if (found := grows_too_fast(work, made, 20_000))] == []


def test_movable_type_skips_one_entry_beyond_the_limits(config: Config, tmp_path: Path) -> None:
    def block(title: str, body: str, comment: str) -> str:
        return (
            f"TITLE: {title}\nBASENAME: {title}\nDATE: 03/04/2005 06:07:08\nCONVERT BREAKS: 0\n-----\n"
            f"BODY:\n{body}\n-----\n"
            f"COMMENT:\nAUTHOR: Ida\nDATE: 03/04/2005 06:07:08\n{comment}\n-----\n--------\n"
        )

    file = tmp_path / "export.txt"
    file.write_text(
        block("deep", "<div>" * 8_000, "a") + block("talk", "Text", ">" * 15_000) + block("good", "Text", "Hi")
    )
    report = movabletype.import_file(config, "blog", file)
    assert [reason for _, reason in report.skipped if "nested too deeply" in reason]
    assert {entry.title for entry in Entry.select()} == {"talk", "good"}
    assert [comment.text for comment in Comment.select()] == ["Hi"]
    assert report.comments["not imported"] == 1


def test_wordpress_skips_one_item_beyond_the_limits(config: Config, tmp_path: Path) -> None:
    bad = wxr.item(1, "Deep", "<div>" * 8_000)
    file = wxr.write(tmp_path / "export.xml", bad, wxr.item(2, "Good", "<p>Text</p>"))
    report = wordpress.import_file(config, "blog", file)
    assert [reason for _, reason in report.skipped if "nested too deeply" in reason]
    assert "Good" in {entry.title for entry in Entry.select().where(Entry.status == "published")}
