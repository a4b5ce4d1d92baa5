"""A site of plain values for trying themes on, and an environment that keeps the contract of templates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from appliance.building.views import CommentRules, CommentView, Link, Listing, Period, Person, Post, Term
from appliance.planning.theme import Theme

ROOT = "/journal/"
URL = "https://www.example.org/journal/"
#: What a site has without a web process.
NO_WEB: dict[str, Any] = {"comment_endpoint": "", "comment_rules": None, "search_endpoint": "", "opensearch_url": ""}
RULES = CommentRules("first", True, 30)
NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)

HTML = Markup("""\
<p>Text with <strong>weight</strong>, <code>code</code> and <a href="/journal/2026/10/other/">a link</a>.
<sup class="footnote-ref"><a href="#fn-1" id="fnref-1" data-footnote-ref>1</a></sup></p>
<h2>A heading</h2>
<p><img src="/journal/a.jpg" srcset="/journal/a-480.jpg 480w, /journal/a.jpg 1600w" sizes="100vw"
width="1600" height="900" alt="Fog over the harbour" loading="lazy"></p>
<div class="highlight"><pre><code>
<span class="k">def</span> <span class="nf">tide</span><span class="p">():</span>
    <span class="k">return</span> <span class="mf">2.5</span> <span class="c1"># metres</span>
</code></pre></div>
<table><thead><tr><th>Month</th><th align="right">Hours</th></tr></thead>
<tbody><tr><td>May</td><td align="right">212</td></tr></tbody></table>
<div class="markdown-alert markdown-alert-warning">
<p class="markdown-alert-title">Warning</p><p>Ice.</p></div>
<blockquote><p>Quoted.</p></blockquote>
<ul class="contains-task-list">
<li class="task-list-item"><input type="checkbox" disabled="" checked=""> Done</li></ul>
<section class="footnotes" data-footnotes><ol><li id="fn-1"><p>Note.
<a href="#fnref-1" class="footnote-backref" aria-label="Back to reference 1">↩</a></p></li></ol></section>""")

PERSON = Person(1, "Ada <Quill>", "ada", f"{ROOT}author/ada/", "https://ada.example/", Markup("<p>Writes.</p>"), 3)
HOMELESS = Person(2, "Bo", "bo", None, "", Markup(), 1)
NEWS = Term(1, "News & Notes", "news", "news", f"{ROOT}category/news/", Markup("<p>Of the day.</p>"), 7, 0)
LOCAL = Term(2, "Local", "local", "news/local", f"{ROOT}category/news/local/", Markup(), 4, 1)
DEEP = Term(3, "Street", "street", "news/local/street", None, Markup(), 1, 2)
SCIENCE = Term(4, "Science", "science", "science", f"{ROOT}category/science/", Markup(), 2, 0)
TAG = Term(9, "tide", "tide", "tide", f"{ROOT}tag/tide/", Markup(), 5)
RARE = Term(10, "rare", "rare", "rare", None, Markup(), 1)


def remark(number: int, *replies: CommentView) -> CommentView:
    """A comment with its replies."""
    website = "https://reader.example/" if number % 2 else ""
    return CommentView(
        number,
        f"Reader {number}",
        website,
        Markup(f"<p>Remark {number}.</p>"),
        NOON + timedelta(hours=number),
        replies,
    )


THREAD = (remark(1, remark(2, remark(3, remark(4, remark(5, remark(6)))))), remark(7))


def post(number: int = 1, kind: str = "entry", **changes: Any) -> Post:
    """A post with everything in it."""
    address = f"2026/11/post-{number}/"
    values: dict[str, Any] = {
        "id": number, "kind": kind, "title": f"Post {number} & <more>", "slug": f"post-{number}",
        "url": ROOT + address, "absolute_url": URL + address,
        "published": NOON - timedelta(days=number), "modified": NOON + timedelta(days=2 - number),
        "authors": (PERSON, HOMELESS), "category": LOCAL, "categories": (LOCAL, SCIENCE), "tags": (TAG, RARE),
        "html": HTML, "excerpt": Markup("<p>Text with <strong>weight</strong>.</p>"),
        "summary": 'Text with "weight" & more.',
        "allow_comments": True, "comment_count": 7, "comments": THREAD,
        "previous": Link(1, "Before <it>", f"{ROOT}2026/10/before/"),
        "next": Link(1, "After", f"{ROOT}2026/12/after/"),
    }  # fmt: skip
    return Post(**{**values, **changes})


def bare(number: int = 1, kind: str = "entry") -> Post:
    """A post with as little in it as there can be."""
    return post(
        number, kind, authors=(), category=None, categories=(), tags=(), html=Markup(), excerpt=Markup(),
        summary="", allow_comments=False, comment_count=0, comments=(), previous=None, next=None,
        modified=NOON - timedelta(days=number),
    )  # fmt: skip


def listing(type: str = "index", count: int = 5, **changes: Any) -> Listing:
    """A listing of so many posts."""
    entries = tuple(post(n) for n in range(1, count + 1))
    values: dict[str, Any] = {"type": type, "entries": entries, "total": count, "url": f"{ROOT}listing/"}
    return Listing(**{**values, **changes})


def site(settings: dict[str, Any], **changes: Any) -> SimpleNamespace:
    """What templates know of the site."""
    periods = [Period("monthly", date(2026, m, 1), f"{ROOT}2026/{m:02}/", m) for m in range(11, 0, -1)]
    periods += [Period("monthly", date(2025, 12, 1), None, 2)]
    values: dict[str, Any] = {
        "title": "The Journal & Co", "url": URL, "root": ROOT, "language": "en",
        "description": "News of a town.",
        "settings": settings, "feed_url": f"{ROOT}feed.xml",
        "comment_endpoint": "/-/journal/comments", "comment_rules": RULES,
        "search_endpoint": "/-/journal/search", "opensearch_url": "/-/journal/opensearch.xml",
        "recent": lambda n: tuple(post(i) for i in range(1, n + 1)),
        "categories": lambda: (NEWS, LOCAL, DEEP, SCIENCE), "tags": lambda n=None: (TAG, RARE)[:n],
        "authors": lambda: (PERSON, HOMELESS), "archives": lambda type: tuple(periods),
        "pages": lambda: (Link(1, "About", f"{ROOT}about/"), Link(2, "Contact", f"{ROOT}contact/")),
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


def environment(theme: Theme) -> Environment:
    """Jinja with the filters and globals every theme is promised."""
    env = Environment(
        loader=FileSystemLoader(theme.folder),
        autoescape=select_autoescape(("html", "xml")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(date=_date, iso=_iso, absolute=_absolute, xml_text=_xml_text, focusable=_focusable)
    env.globals.update(
        static=_static(theme.folder),
        theme=SimpleNamespace(name=theme.manifest.name, version=theme.manifest.version),
    )
    return env


def _static(folder: Path) -> Callable[[str], str]:
    def static(name: str) -> str:
        digest = hashlib.blake2b((folder / "static" / name).read_bytes(), digest_size=4).hexdigest()
        return f"{ROOT}theme/{name}?v={digest}"

    return static


def _date(value: date, fmt: str) -> str:
    return value.strftime(fmt)


def _iso(value: datetime) -> str:
    return value.isoformat(timespec="seconds")


def _absolute(html: Markup) -> Markup:
    return Markup(re.sub(r'((?:href|src)=")/(?!/)', r"\1https://www.example.org/", str(html)))


def _focusable(html: Markup) -> Markup:
    return Markup(re.sub("<(table|pre)(?=[ >])", r'<\1 tabindex="0"', str(html)))


def _xml_text(text: str) -> str:
    return type(text)(re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text))
