import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.content import markup
from appliance.content.excerpts import SUMMARY_LENGTH


class Found:
    """Finds `a.md`, knows one template tag, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def address(self, reference: str) -> str | None:
        self.asked.append(reference)
        return "appliance:entry/7" if reference == "a.md" else None

    def tag(self, text: str) -> str | None:
        self.asked.append(text)
        return {"{{< ref >}}": "appliance:entry/8", "{{< figure >}}": "<figure></figure>"}.get(text)


def test_github_flavour() -> None:
    html = markup.render_text(
        "# A *b* c\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n~~x~~ www.example.org [^1]\n\n- [x] done\n\n"
        "> [!NOTE]\n> hi\n\n[^1]: note\n\n## Two {#second}\n"
    )
    for part in (
        '<h1 id="a-b-c">A <em>b</em> c</h1>', "<table>", "<del>x</del>", 'href="http://www.example.org"',
        'type="checkbox"', "markdown-alert-note", 'id="fn-1"', '<h2 id="second">Two</h2>',
    ):  # fmt: skip
        assert part in html


def test_code_is_highlighted_and_unknown_languages_are_plain() -> None:
    html = markup.render_text('```rust,ignore\nlet x = "<&";\n```\n\n```nosuch\n<b>\n```\n')
    assert '<div class="highlight"><pre tabindex="0"><code class="language-rust"><span class="kd">let' in html
    assert "&lt;&amp;" in html
    assert '<code class="language-nosuch">&lt;b&gt;\n</code>' in html


def test_references_resolve_and_others_stay() -> None:
    found = Found()
    html = markup.render_text(
        "[x](a.md) ![y](b%20c.png) <a href='a.md'>raw</a> [z](https://e.org/?a=1&b=2)", resolver=found
    )
    assert html.count('"appliance:entry/7"') == 2
    assert "b c.png" in found.asked
    assert 'src="b%20c.png"' in html
    assert 'href="https://e.org/?a=1&amp;b=2"' in html


def test_fragments_written_for_other_systems_find_their_heading() -> None:
    html = markup.render_text(
        "[a](#zcheck-cfg) [b](#rust-s-book) [c](#async-rust-crab) [d](#nowhere) [e](#exact) <a id='exact'></a>\n\n"
        "# `-Zcheck-cfg`\n\n# Rust's Book\n\n# Async Rust 🦀\n"
    )
    ids = [part.split('"')[0] for part in html.split('<h1 id="')[1:]]
    links = [part.split('"')[0] for part in html.split('href="#')[1:]]
    assert links == [*ids, "nowhere", "exact"]


def test_template_tags_mean_nothing_in_code() -> None:
    found = Found()
    html = markup.render_text(
        "`{{< ref >}}` [x]({{< ref >}}#part) {{ other *x* }}\n\n{{< figure >}}\n\n```\n{{< ref >}} {% raw %}\n```\n",
        resolver=found,
    )
    assert "<code>{{&lt; ref &gt;}}</code>" in html
    assert '<a href="appliance:entry/8#part">x</a>' in html
    assert "{{ other *x* }}" in html
    assert "\n<figure></figure>\n" in html
    assert "{{&lt; ref &gt;}} {% raw %}\n</code>" in html
    assert "aside" not in html


@pytest.mark.parametrize("mark", ["<!--more-->", "<!-- more -->"])
def test_excerpt_ends_at_the_mark(mark: str) -> None:
    rendered = markup.render(f"# T\n\nOne.[^1]\n\nTwo.\n\n{mark}\n\nThree.\n\n[^1]: note")
    assert rendered.excerpt == "<h1>T</h1>\n<p>One.</p>\n<p>Two.</p>"
    assert "more" not in rendered.html
    assert rendered.summary == "One. Two."


def test_excerpt_is_never_cut_inside_an_element() -> None:
    assert markup.render("One\n\n- a\n\n  <!-- more -->\n\n- b\n").excerpt == "<p>One</p>"
    assert markup.render("Only <!-- more --> this\n\nNext\n").excerpt == "<p>Only  this</p>"
    assert markup.render("<div>\n\nIn\n\n</div>\n\nFirst.\n\nSecond.\n").excerpt == "<p>First.</p>\n<p>Second.</p>"


def test_summary_ends_at_a_word() -> None:
    summary = markup.render("word " * 100).summary
    assert len(summary) <= SUMMARY_LENGTH
    assert summary.endswith("word…")


def test_own_excerpt_and_summary_win() -> None:
    rendered = markup.render("Text", excerpt="*Mine*", summary="Plain & simple")
    assert (rendered.excerpt, rendered.summary) == ("<p><em>Mine</em></p>", "Plain & simple")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Big", "<p>Big</p>"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
        ("![a](x.png)", "<p>a</p>"),
        ("[x](javascript:y)", "<p>x</p>"),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("[x](https://e.org)", '<p><a href="https://e.org" rel="nofollow ugc noopener">x</a></p>'),
    ],
)
def test_comments_are_small_and_safe(text: str, html: str) -> None:
    assert markup.render_comment(text) == html


@given(st.text(alphabet="<>a\"'= pscript:/!()[]`*#\n-&;{%}"))
def test_no_comment_holds_a_script_or_an_event(text: str) -> None:
    tree = html5lib.parseFragment(markup.render_comment(text), namespaceHTMLElements=False)
    for element in tree.iter():
        assert element.tag not in ("script", "img", "style", "iframe", "h1", "input")
        assert not [name for name in element.attrib if name.startswith("on")]
        assert not element.attrib.get("href", "").lower().startswith("javascript")


@given(st.text(alphabet="<>ab/p!- \n*`#{}%\"'[]()"))
def test_any_text_renders_with_a_resolver(text: str) -> None:
    rendered = markup.render(text, resolver=Found())
    assert "asideqz" not in rendered.html + rendered.excerpt + rendered.summary


HARMLESS = """## Two {#second}

- [x] done

a[^1] `x` <b class="k">y</b> [z](appliance:entry/7)

```python
print(1)
```

[^1]: note

| a | b |
|:-:|---|
| 1 | 2 |

<!-- more -->

> [!NOTE]
> hi
"""


def test_sanitising_keeps_what_markdown_makes() -> None:
    whole, clean = markup.render(HARMLESS), markup.render(HARMLESS, sanitised=True)

    def plain(html: str) -> str:
        return html.replace('=""', "").replace(" />", ">").replace(" disabled", "").replace(" checked", "")

    assert plain(clean.html) == plain(whole.html)
    assert plain(clean.excerpt) == plain(whole.excerpt)
    assert clean.summary == whole.summary
    assert clean.late_bound


@pytest.mark.parametrize(
    "harmful",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        "[x](javascript:alert(1))",
        '<iframe src="https://evil.example/"></iframe>',
        '<form action="https://evil.example/"><input name="p" type="password"></form>',
        '<div style="position:fixed">x</div>',
        "<style>body{display:none}</style>",
        '<svg><script>alert(1)</script></svg>',
        '<object data="x"></object><embed src="x"><base href="https://evil.example/">',
        '<meta http-equiv="refresh" content="0;url=https://evil.example/"><link rel="stylesheet" href="x">',
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    ],
)  # fmt: skip
@pytest.mark.parametrize("format", ["markdown", "html"])
def test_sanitising_leaves_nothing_that_runs(harmful: str, format: str) -> None:
    rendered = markup.render(f"Hello {harmful} there", format=format, excerpt=harmful, sanitised=True)
    for html in (rendered.html, rendered.excerpt):
        tree = html5lib.parse(html, namespaceHTMLElements=False)
        for element in tree.iter():
            assert element.tag not in ("script", "style", "iframe", "form", "object", "embed", "base", "meta", "link")
            assert not any(name.startswith("on") or name == "style" for name in element.attrib)
            assert not any("javascript:" in value for value in element.attrib.values())
            assert element.tag != "input" or element.attrib["type"] == "checkbox"
