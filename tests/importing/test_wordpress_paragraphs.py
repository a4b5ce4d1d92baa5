import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.content.excerpts import plain_text
from appliance.importing.wordpress.comments import to_markdown
from appliance.importing.wordpress.paragraphs import paragraphs
from appliance.importing.wordpress.post_content import MarkupCounts, content_html


@pytest.mark.parametrize(("text", "html"), [
    ("a\nb\n\nc", "<p>a<br />\nb</p>\n<p>c</p>"),
    ("a\r\n\r\nb\rc", "<p>a</p>\n<p>b<br />\nc</p>"),
    ("", ""),
    (" \n\n ", ""),
    ("a<br>\nb<br />\nc", "<p>a<br />\nb<br />\nc</p>"),
    ("one\n<ul>\n\t<li>a</li>\n\t<li>b\n<ul>\n<li>c</li></ul>\n</li>\n</ul>\ntail",
     "<p>one</p>\n<ul>\n<li>a</li>\n<li>b\n<ul>\n<li>c</li></ul></li></ul>\n<p>tail</p>"),
    ("<div>a</div>\n\nx", "<div>a</div>\n<p>x</p>"),
    ("<div>a\n\nb</div>", "<div>\n<p>a</p>\n<p>b</p></div>"),
    ("<blockquote>q\nr\n\ns</blockquote>", "<blockquote>\n<p>q<br />\nr</p>\n<p>s</p></blockquote>"),
    ("<p class=\"x\">a\nb</p>c", "<p class=\"x\">a<br />\nb</p>\n<p>c</p>"),
    ("<p>a\n\nb", "<p>a</p>\n<p>b</p>"),
    ("<p>open\n\n<div>b</div>", "<p>open</p>\n<div>b</div>"),
    ("a</p>\n\nb", "<p>a</p>\n<p>b</p>"),
    ("<h2>a</h2>b", "<h2>a</h2>\n<p>b</p>"),
    ("<table>\n<tr>\n<td>a\nb</td><td>\n\nc\n\n</td></tr></table>",
     "<table>\n<tr>\n<td>a<br />\nb</td>\n<td>\n<p>c</p></td></tr></table>"),
    ("<pre>a\n\n  b</pre>c", "<pre>a\n\n  b</pre>\n<p>c</p>"),
    ("x\n<script>\n\nf(1 < 2)\n</script>\ny", "<p>x</p>\n<script>\n\nf(1 < 2)\n</script>\n<p>y</p>"),
    ("<style>a\n\n{}</style>", "<style>a\n\n{}</style>"),
    ("see <svg>\n\n<g/></svg> here", "<p>see <svg>\n\n<g/></svg> here</p>"),
    ("<a\nhref=\"x\">y</a>", "<p><a href=\"x\">y</a></p>"),
    ("t\n<!--more-->\nu", "<p>t</p>\n<!--more-->\n<p>u</p>"),
    ("v <!--more--> w", "<p>v <!--more--> w</p>"),
    ("5 < 6\nand 7 > 3", "<p>5 < 6<br />\nand 7 > 3</p>"),
    ("a\n<hr>\nb", "<p>a</p>\n<hr>\n<p>b</p>"),
    ("[gallery]\n\nz", "<p>[gallery]</p>\n<p>z</p>"),
])  # fmt: skip
def test_paragraphs(text: str, html: str) -> None:
    assert paragraphs(text) == html


PIECES = st.sampled_from(
    ["word", " ", "\n", "\n\n", "<b>", "</b>", "<p>", "</p>", "<div>", "</div>", "<li>", "</li>", "<ul>", "</ul>",
     "<pre>", "</pre>", "<!--more-->", "<br />", "<td>", "<", ">", "&amp;"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_word_is_lost_and_paragraphs_are_closed(text: str) -> None:
    made = paragraphs(text)
    assert plain_text(made).split().count("word") <= text.count("word")
    assert made.count("word") == text.count("word")
    assert made.count("<p>") == made.count("</p>") or "<pre>" in made


@pytest.mark.parametrize("piece", [
    "<div>", "</div>", "<p>", "<li>", "\n\n", "<!--", "<!-- wp:a ", "<a ", "[a x=", "[", "<svg", "<pre>x</pre>",
    "<p>a\n\n", "<blockquote>a\n", "&", "<img srcset=", " ",
])  # fmt: skip
def test_hostile_texts_take_no_time(piece: str) -> None:
    began = time.process_time()
    content_html(piece * 20_000, MarkupCounts())
    assert time.process_time() - began < 2


@pytest.mark.parametrize(("html", "text"), [
    ("Just *words* and_more", r"Just \*words\* and\_more"),
    ("<strong>Bold</strong> <em>it</em> <s>no</s>", "**Bold** *it* ~~no~~"),
    ('See <a href="https://a.example/b_c" onclick="x">this</a>', "See [this](https://a.example/b_c)"),
    ('<a href="javascript:x">this</a>', "this"),
    ("Plain https://a.example/b_c here", "Plain https://a.example/b_c here"),
    ("One &lt;b&gt; &amp; two", "One <b> & two"),
    ("a\n\n\n  \nb<br>c", "a\n\nb\nc"),
    ("<blockquote>said\nso</blockquote>I agree", "> said\n> so\n\nI agree"),
    ("<code>x * y</code>", "`x * y`"),
    ("<pre>a\n  *b*</pre>", "```\na\n  *b*\n```"),
    ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
    ("# no heading\n1. no list\n- none", "\\# no heading\n1\\. no list\n\\- none"),
    ("<h1>Big</h1>", "Big"),
    ('<img src="x" alt="A cat">', "A cat"),
    ("<b>open", "**open"),
])  # fmt: skip
def test_remarks(html: str, text: str) -> None:
    assert to_markdown(html) == text
