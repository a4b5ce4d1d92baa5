"""What nests or grows beyond measure is refused in a sentence, and all else takes time in proportion to it."""

import random
import resource
import subprocess
import sys
from collections.abc import Callable

import comrak
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.content import code_highlighting, heading_ids, markup, render_limits
from appliance.content.excerpts import plain_text
from appliance.content.html_elements import make_parsable, unescape
from appliance.errors import ContentError
from tests.scaling import grows_too_fast, repeated

PIECES = [
    ">", "> ", "- ", "* ", "1. ", "  ", "\t", "\n", "\n\n", "[", "](", "]", "a", "b ", "(", ")", "*", "**", "_", "`",
    "``", "```\n", "~~", "|", "|-", "-|-\n", "a|b\n", "===\n", "#", "# ", "## a\n", "# a {#b}\n", "<", "</", "<a ",
    '<a href="', '">', "<!--", "-->", "<div>", "</div>", "<p>", "![", "[^1]", "[^1]: ", "[^a", "[a]: b\n", "&", "&#",
    "&amp;", "http://", "a@b.c", '"', "'", "\\", "> [!NOTE]\n",
    "<h1>", "</h1>",
    "{#x}", "<code>", "{{", "}}", "{%", "x=", "é", "<script", "<b>", "</b>",
    "<li>", "qzset0asideqz", "<img ", "[a](#b)", "<table>", "<sup class=\"footnote-ref\">",
]  # fmt: skip
SHAPES: dict[str, Callable[[int], str]] = {
    **{piece: repeated("", piece, "", "", "") for piece in PIECES},
    "wide table": lambda n: "|a" * (n // 8) + "\n" + "|-" * (n // 8) + "\n" + "a\n" * (n // 4),
    "square table": lambda n: "|a" * 90 + "\n" + "|-" * 90 + "\n" + "a\n" * (n // 2),
    "notes within notes": lambda n: "[^a" * (n // 4) + "]" * (n // 4),
    "notes everywhere": lambda n: "[^1]" * (n // 4) + "\n\n[^1]: a\n",
    "closed by nobody": lambda n: "<li>" * (n // 8) + "</b>" * (n // 8),
    "emphasis": lambda n: "**a " * (n // 8) + "b**" * (n // 8),
    "quotes and lists": lambda n: "> - " * (n // 4) + "a",
    "lazy": lambda n: ">" * 900 + "a\n" + "a\n" * (n // 2),
    "figure": lambda n: ("{{<figure" + " " * 380 + "\n") * (n // 390),
    "one tag": lambda n: "{{<figure " + "a " * (n // 2) + ">}}",
}  # fmt: skip


class Nobody:
    def address(self, reference: str) -> str | None:
        return None

    def tag(self, text: str) -> str | None:
        return None


def entry(text: str) -> int:
    return _length(lambda: markup.render(text, resolver=Nobody()).html, text)


def raw(text: str) -> int:
    return _length(lambda: markup.render(text, format="html").html, text)


def comment(text: str) -> int:
    return _length(lambda: markup.render_comment(text), text)


def _length(make: Callable[[], str], text: str) -> int:
    """Characters of HTML, 0 when the text is refused; checks that they are in proportion."""
    try:
        html = make()
    except ContentError as error:
        assert "nested too deeply" in str(error) or "too large" in str(error)
        return 0
    assert len(html) <= render_limits.OUTPUT + render_limits.OUTPUT_RATIO * len(text) + 1000
    return len(html)


@pytest.mark.parametrize("work", [entry, raw, comment])
def test_every_shape_takes_time_in_proportion(work: Callable[[str], int]) -> None:
    slow = {name: found for name, made in SHAPES.items() if (found := grows_too_fast(work, made, 10_000))}
    assert slow == {}


@pytest.mark.parametrize("work", [entry, raw, comment])
def test_random_shapes_take_time_in_proportion(work: Callable[[str], int]) -> None:
    rng = random.Random(11)

    def some(least: int, most: int) -> str:
        return "".join(rng.choice(PIECES) for _ in range(rng.randint(least, most)))

    for _ in range(60):
        made = repeated(some(0, 3), some(1, 4), some(0, 2), some(0, 2), some(0, 2))
        assert not (found := grows_too_fast(work, made, 4_000)), (found, made(200))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join), st.integers(1, 400))
def test_any_repetition_ends_in_html_or_a_sentence(piece: str, times: int) -> None:
    for work in (entry, raw, comment):
        work(piece * times)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (">" * 40_000, "line 1 starts with more than 1,000 quote and list markers"),
        ("a\n\n" + "> - " * 2_000 + "b", "line 3 starts with"),
        ("<div>" * 8_000, "“<div>” is inside 500 other elements"),
        (SHAPES["wide table"](40_000), "the table at line 2"),
        (SHAPES["square table"](40_000), "cells, most of them empty"),
        (SHAPES["notes within notes"](40_000), "close each one before the next"),
        ("&#" * 600_000, "more than 1,000,000 characters besides letters"),
        (SHAPES["notes everywhere"](40_000), "40,010 characters become"),
    ],
)
def test_texts_beyond_the_limits_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ContentError, match=sentence):
        markup.render(text)


def test_comments_have_narrower_limits() -> None:
    with pytest.raises(ContentError, match="more than 50 quote"):
        markup.render_comment(">" * 20_000)
    assert markup.render_comment("> " * 20 + "a").count("<blockquote>") == 20


def test_ordinary_texts_are_not_refused() -> None:
    rule = "- " * 600 + "\n\n" + "*" * 3000 + "\n\n"
    table = "| a | b | c |\n|---|---|---|\n" + "| 1 | 2 | 3 |\n" * 5_000 + "\n"
    log = "# Changes\n\n" + "".join(f"## {n}.0\n\n### Fixed\n\n- a[^{n}]\n\n" for n in range(3_000))
    notes = "".join(f"[^{n}]: said\n" for n in range(3_000))
    old = "<p>a<br>b<li>c<td>d" * 3_000
    html = markup.render(rule + table + log + notes + old).html
    assert html.count("<h3 id=") == 3_000
    assert 'id="fixed-2999"' in html
    assert html.count("<tr>") == 5_001


def test_memory_stays_in_proportion() -> None:
    """Each of the shapes in a process that may have 400 MB of memory, and the largest text there may be of signs."""
    code = "from tests.content.test_render_limits import *\nfor made in SHAPES.values():\n    entry(made(100_000))\n"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))

    ran = subprocess.run([sys.executable, "-c", code], preexec_fn=limit, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-1000:]


HEADING_PIECES = [
    "a", "B", "é", "ß", "İ", "日本", "🦀", " ", "-", "_", "1", "`c d`", "*em*", "[l](u)", "![alt *x*](u)", "<b>r</b>",
    "&amp;", "&#65;", "[^1]", "\\*", "http://x.y", ".", "'", '"', "<br>", "‿", "²", "①", "\u0301", "{#x}", "\t", "  ",
]  # fmt: skip
HEADING_FORMS = [
    "# {}\n",
    "{}\n===\n",
    "{}\nx\n---\n",
    "> ## {}\n",
    "- ### {}\n\n",
    "{}\n\n",
    "<h2>{}</h2>\n\n",
    "## {} ##\n",
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(HEADING_FORMS), st.lists(st.sampled_from(HEADING_PIECES), max_size=5).map("".join)),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_very_many_headings_get_the_ids_of_the_renderer(lines: list[tuple[str, str]]) -> None:
    text = "".join(form.replace("{}", words) for form, words in lines) + "\n[^1]: note\n"
    rendered = comrak.render_markdown(text, markup._EXTENSIONS, None, markup._RENDERING)
    options = markup._EXTENSIONS_WITHOUT_IDS, markup._RENDERING_WITH_POSITIONS
    assert heading_ids.render_with_ids(text, *options) == markup._ANCHOR.sub("", rendered)


def test_code_in_a_slow_language_stays_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "(?>$<!--" * 20_000
    monkeypatch.setattr(code_highlighting, "_SECONDS", 0.05)
    monkeypatch.setattr(code_highlighting, "_CHARACTERS_PER_SECOND", 10_000_000)
    made = code_highlighting.highlight_code("console", code.replace("<", "&lt;").replace(">", "&gt;"))
    assert "<span" not in made
    assert 'class="language-console"' in made
    assert "<span" in code_highlighting.highlight_code("python", "x = 1\n")


def test_huge_character_references_are_no_error() -> None:
    assert unescape("&#" + "9" * 5_000 + ";&#x" + "f" * 5_000 + ";") == "\ufffd\ufffd"
    assert unescape("&#0000000065;&#x000000041;&amp;") == "AA&"
    assert plain_text("<p>&#" + "9" * 5_000 + ";</p>") == "\ufffd"
    assert markup.render("<div>&#" + "9" * 5_000 + ";</div>").summary == "\ufffd"


def test_a_text_may_contain_a_placeholder() -> None:
    for number in ("0", "7", "9" * 5_000):
        assert "asideqz" in markup.render(
            f"qzset{number}asideqz {{{{ x }}}} `{{{{ y }}}}`", resolver=Nobody()
        ).html or (number == "0")


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_what_begins_no_tag_is_text_to_the_parser(html: str) -> None:
    assert "<!" not in make_parsable(html)
    assert "<" not in make_parsable(html).rpartition(">")[2]
