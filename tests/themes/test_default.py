"""The default theme: valid, accessible and self-contained whatever it is given, light and dark."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import date, datetime
from itertools import pairwise, product
from typing import cast

import html5lib
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from pygments.token import STANDARD_TYPES

from appliance.building.views import CommentRules, Listing, Period
from appliance.content import contact_details
from appliance.planning.theme import Theme
from tests.themes import samples
from tests.themes.samples import ROOT, URL, bare, listing, post

Render = Callable[..., str]
ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def archive(type: str, **changes: object) -> Listing:
    period = {
        "daily": date(2026, 11, 9),
        "weekly": date(2026, 11, 9),
        "monthly": date(2026, 11, 1),
        "yearly": date(2026, 1, 1),
    }
    base, _, span = type.rpartition("-")
    base, span = (base, span) if span in period else (span, "")
    values: dict[str, object] = {
        "category": samples.NEWS if base == "category" else None,
        "tag": samples.TAG if base == "tag" else None,
        "author": samples.PERSON if base == "author" else None,
        "period": Period(span, period[span], None, 5) if span else None,
    }
    return listing(type, **{**values, **changes})


ARCHIVES = [
    *("daily", "weekly", "monthly", "yearly", "category", "tag", "author"),
    *(f"{base}-{span}" for base, span in product(("category", "author"), ("daily", "weekly", "monthly", "yearly"))),
]
MIDDLE = {
    "page": 2,
    "pages": 3,
    "total": 15,
    "previous_url": f"{ROOT}listing/",
    "next_url": f"{ROOT}listing/page/3/",
}
PAGES = {
    "home": ("index.html", {"listing": listing()}),
    "home-2": ("index.html", {"listing": listing(**MIDDLE)}),
    "home-of-one": ("index.html", {"listing": listing(count=1)}),
    "home-empty": ("index.html", {"listing": listing(count=0)}),
    "entry": ("entry.html", {"entry": post()}),
    "entry-bare": ("entry.html", {"entry": bare()}),
    "page": ("page.html", {"entry": post(kind="page")}),
    "page-bare": ("page.html", {"entry": bare(kind="page")}),
    **{type: ("archive.html", {"listing": archive(type)}) for type in ARCHIVES},
    "category-2": ("archive.html", {"listing": archive("category", **MIDDLE)}),
    "category-empty": ("archive.html", {"listing": archive("category", entries=(), total=0)}),
    "archives": ("archives.html", {}),
    "404": ("404.html", {}),
    "redirect": (
        "redirect.html",
        {"target_url": f"{ROOT}new/?a=1&b=2", "target_absolute_url": f"{URL}new/?a=1&b=2"},
    ),
}  # fmt: skip


@pytest.fixture(params=PAGES, scope="module")
def page(request: pytest.FixtureRequest, render: Render) -> tuple[str, str]:
    template, values = PAGES[request.param]
    return request.param, render(template, **values)


@pytest.fixture(scope="module")
def css(theme: Theme) -> str:
    return (theme.folder / "static" / "style.css").read_text("utf-8")


def test_every_template_of_the_theme_is_tried(theme: Theme) -> None:
    templates = {f.name for f in theme.folder.iterdir() if f.suffix != ".toml" and f.is_file()}
    tried = {template for template, _ in PAGES.values()} | {"feed.xml", "sitemap.xml", "robots.txt"}
    assert {t for t in templates if not t.startswith("_")} - {"base.html"} == tried


def test_pages_are_valid_html(page: tuple[str, str]) -> None:
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(page[1])
    assert not parser.errors


def test_pages_fetch_nothing_from_elsewhere_and_need_no_inline_code(page: tuple[str, str], theme: Theme) -> None:
    _, text = page
    fetched = re.findall(r'<(?:script|img|iframe|source|video|audio)\b[^>]*?\bsrc="([^"]*)"', text)
    fetched += re.findall(r'<link rel="(?:stylesheet|icon|preload)"[^>]*?href="([^"]*)"', text)
    assert fetched
    assert all(address.startswith(ROOT) for address in fetched), fetched
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text)
    for file in (theme.folder / "static").iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", file.read_text("utf-8")), file.name


def test_pages_have_landmarks_one_heading_and_unique_ids(page: tuple[str, str]) -> None:
    name, text = page
    assert len(re.findall(r"<h1\b", text)) == 1
    assert len(re.findall(r"<main\b", text)) == 1
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    if name == "redirect":
        return
    assert 'href="#content">Skip' in text
    assert 'id="content"' in text
    for landmark in (
        '<header class="masthead">',
        '<nav class="site-nav" aria-label="Site">',
        '<footer class="site-footer">',
    ):
        assert text.count(landmark) == 1
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids
    for labelled in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', text):
        assert labelled in ids


def test_headings_never_skip_a_level(page: tuple[str, str]) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])\b", page[1])]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels


def test_pages_say_what_they_are(page: tuple[str, str]) -> None:
    name, text = page
    assert re.search(r"<html lang=\"en\"", text)
    title = re.search(r"<title>(.*?)</title>", text)
    assert title
    assert "The Journal &amp; Co" in title[1]
    assert 'name="viewport"' in text
    for moment in re.findall(r'<time[^>]*datetime="([^"]+)"', text):
        assert datetime.fromisoformat(moment).tzinfo
    assert text.count('rel="canonical"') == (name != "404")
    assert ("noindex" in text) == (name in ("404", "redirect"))
    if name != "redirect":
        assert f'type="application/atom+xml" title="The Journal &amp; Co" href="{ROOT}feed.xml"' in text


def test_text_of_others_is_escaped(page: tuple[str, str]) -> None:
    assert not re.search("<(?:more|Quill|it)>", page[1])


def test_entry_is_described_for_others(render: Render) -> None:
    text = render("entry.html", entry=post())
    for name, value in {
        "og:type": "article", "og:title": "Post 1 &amp; &lt;more&gt;", "og:url": f"{URL}2026/11/post-1/",
        "og:site_name": "The Journal &amp; Co", "og:description": "Text with &#34;weight&#34; &amp; more.",
        "article:published_time": "2026-11-19T12:30:00+00:00",
    }.items():  # fmt: skip
        assert f'<meta property="{name}" content="{value}">' in text
    assert '<meta name="description" content="Text with &#34;weight&#34; &amp; more.">' in text
    assert f'<link rel="canonical" href="{URL}2026/11/post-1/">' in text
    assert "Updated" in text
    assert "Updated" not in render("entry.html", entry=bare())


def test_current_place_is_marked(render: Render) -> None:
    about = render("page.html", entry=post(kind="page"), page_url=f"{ROOT}about/")
    assert re.findall(r'href="([^"]+)"[^>]* aria-current="page"', about) == [f"{ROOT}about/"]
    home = render("index.html", listing=listing(), page_url=ROOT)
    assert re.findall(r'href="([^"]+)"[^>]* aria-current="page"', home) == [ROOT]


@pytest.mark.parametrize(
    ("type", "heading", "kind"),
    [
        ("daily", "9 November 2026", "Archive"), ("weekly", "Week of 9 November 2026", "Archive"),
        ("monthly", "November 2026", "Archive"), ("yearly", "2026", "Archive"),
        ("category", "News &amp; Notes", "Category"),
        ("tag", "tide", "Tag"), ("author", "Ada &lt;Quill&gt;", "Author"),
        ("category-yearly", "News &amp; Notes, 2026", "Category"),
        ("author-weekly", "Ada &lt;Quill&gt;, Week of 9 November 2026", "Author"),
    ],
)  # fmt: skip
def test_archive_says_what_it_lists(render: Render, type: str, heading: str, kind: str) -> None:
    text = render("archive.html", listing=archive(type))
    assert f'<h1 class="listing-title">{heading}</h1>' in text
    assert f'<p class="eyebrow">{kind}</p>' in text


@pytest.mark.parametrize(("template", "type"), [("index.html", "index"), ("archive.html", "category")])
def test_pages_of_a_listing_name_their_neighbours(render: Render, template: str, type: str) -> None:
    text = render(template, listing=archive(type, **MIDDLE) if type != "index" else listing(**MIDDLE))
    for rel, address in (("prev", f"{ROOT}listing/"), ("next", f"{ROOT}listing/page/3/")):
        assert f'<link rel="{rel}" href="{address}">' in text
        assert re.search(f'<a href="{address}" rel="{rel}">', text)
    assert "Page 2" not in text and "of 3" not in text and " 15 " not in text, "a number that changes with others"
    assert 'rel="next"' not in render(template, listing=listing(type, category=samples.NEWS))


def test_an_entry_shows_nothing_that_changes_with_other_entries(render: Render, theme: Theme) -> None:
    def refuse(*_: object) -> object:
        raise AssertionError("an entry's page asked for a list of the site")

    frozen = samples.site(
        theme.manifest.settings,
        recent=refuse,
        categories=refuse,
        tags=refuse,
        authors=refuse,
        archives=refuse,
    )
    for template in ("entry.html", "page.html"):
        assert "<article" in render(template, site=frozen, entry=post())


def test_home_lists_categories_tags_and_months(render: Render, theme: Theme) -> None:
    text = render("index.html", listing=listing())
    assert 'aria-label="About this site"' in text
    assert f'{ROOT}category/news/local/">Local</a> <span class="number">4' in text
    assert text.count('class="lead"') == 1
    plain = samples.site({**theme.manifest.settings, "show_sidebar": False})
    assert "About this site" not in render("index.html", site=plain, listing=listing())
    assert "About this site" not in render("index.html", listing=listing(**MIDDLE))


def test_settings_are_heeded(render: Render, theme: Theme) -> None:
    nav = [{"title": "Events", "url": "events/"}, {"title": "Town", "url": "https://town.example/"}]
    given = {
        "accent": "plum",
        "tagline": "By the sea",
        "logo": "logo.svg",
        "nav": nav,
        "footer": "© A",
        "show_comments": False,
    }
    text = render("entry.html", site=samples.site(theme.settings(given)), entry=post())
    assert 'data-accent="plum"' in text
    assert '<p class="tagline">By the sea</p>' in text
    assert f'<img src="{ROOT}logo.svg" alt="The Journal &amp; Co">' in text
    assert re.findall(r'<li><a href="([^"]+)">(?:Events|Town)', text) == [
        f"{ROOT}events/",
        "https://town.example/",
    ]
    assert "<p>© A</p>" in text
    assert "comment" not in text.lower()


def test_comments_are_threads_with_anchors(render: Render) -> None:
    tree = html5lib.parse(render("entry.html", entry=post()), namespaceHTMLElements=False)
    nested = tree.findall(".//ol[@class='thread']/li/ol/li/ol/li/ol/li/ol/li/ol/li/article")
    assert [a.get("id") for a in nested] == ["comment-6"]
    assert [a.get("id") for a in tree.findall(".//ol[@class='thread']/li/article")] == [
        "comment-1",
        "comment-7",
    ]
    assert {a.get("id"): a.get("data-parent") for a in tree.iterfind(".//a[@class='reply']")} == {
        f"reply-{n}": str(n) for n in range(1, 8)
    }


def test_comment_form_has_its_fields_labelled(render: Render) -> None:
    form = comment_form(render("entry.html", entry=post(41)))
    assert (form.get("method"), form.get("action")) == ("post", "/-/journal/comments")
    assert form.get("data-token") == "/-/journal/comments/form?entry=41"
    inputs = [f for f in form.iter() if f.tag in ("input", "textarea")]
    fields = {f.get("name"): f for f in inputs if f.get("name")}
    sent = {"entry", "parent", "token", "name", "email", "website", "topic", "text", "notify"}
    assert set(fields) == sent
    assert [fields[name].get("value") for name in ("entry", "parent", "token")] == ["41", "", ""]
    labels = {label.get("for") for label in form.iter("label")}
    assert labels == {f.get("id") for f in inputs if f.get("type") != "hidden"}
    assert fields["topic"].get("tabindex") == "-1"
    assert [(b.get("name"), b.get("value")) for b in form.iter("button")] == [("action", "post"), ("action", "preview")]


def comment_form(text: str) -> ET.Element:
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    form = tree.find(".//form[@class='comment-form']")
    assert form is not None
    return cast(ET.Element, form)


def test_form_is_as_large_as_what_is_taken(render: Render) -> None:
    fields = {f.get("name"): f.get("maxlength") for f in comment_form(render("entry.html", entry=post())).iter()}
    assert [fields[name] for name in ("name", "email", "website", "text")] == [
        str(limit)
        for limit in (
            contact_details.NAME_LIMIT,
            contact_details.EMAIL_LIMIT,
            contact_details.URL_LIMIT,
            contact_details.TEXT_LIMIT,
        )
    ]


def test_a_reply_needs_no_script(render: Render) -> None:
    tree = html5lib.parse(render("entry.html", entry=post(41)), namespaceHTMLElements=False)
    links = {a.get("href") for a in tree.iterfind(".//a[@class='reply']")}
    assert links == {f"/-/journal/comments?entry=41&parent={n}" for n in range(1, 8)}


@pytest.mark.parametrize(
    ("moderation", "said"),
    [("none", ""), ("first", "Your first comment appears once it has"), ("all", "Comments appear once they have")],
)
def test_form_says_what_waits_for_approval(render: Render, theme: Theme, moderation: str, said: str) -> None:
    rules = CommentRules(moderation, False, 0)
    text = render("page.html", site=samples.site(theme.manifest.settings, comment_rules=rules), entry=post(kind="page"))
    assert said in text
    assert ("been approved" in text) == bool(said)
    assert 'name="notify"' not in text, "nobody can be told of replies here"
    assert "delete" not in text.lower(), "nothing can be deleted here"


def test_a_form_that_posts_elsewhere_asks_nothing_of_our_web_process(render: Render, theme: Theme) -> None:
    elsewhere = {**samples.NO_WEB, "comment_endpoint": "https://comments.example/post"}
    text = render("entry.html", site=samples.site(theme.manifest.settings, **elsewhere), entry=post())
    assert set(re.findall(r'href="([^"]*)" rel="nofollow" data-parent', text)) == {"#respond"}
    assert re.findall(r"https://comments\.example[^\"]*", text) == ["https://comments.example/post"]
    assert not re.search('data-token|"preview"|notify|own-comment|approved|search', text)


@pytest.mark.parametrize("closed", ["entry", "site"])
def test_no_form_where_no_comment_is_taken(render: Render, theme: Theme, closed: str) -> None:
    site = samples.site(theme.manifest.settings, **(samples.NO_WEB if closed == "site" else {}))
    text = render("entry.html", site=site, entry=post(allow_comments=closed != "entry"))
    assert "comment-form" not in text
    assert "reply" not in text.lower().replace("replies", "")
    assert 'id="comment-3"' in text
    assert "Comments are closed." in text


@pytest.mark.parametrize("name", PAGES)
def test_without_a_web_process_pages_name_nothing_of_it(render: Render, theme: Theme, name: str) -> None:
    site = samples.site(theme.manifest.settings, **samples.NO_WEB)
    template, values = PAGES[name]
    text = render(template, site=site, **values)
    assert not re.search("<form|<script|search|/-/", text)


def test_pages_can_be_searched(page: tuple[str, str]) -> None:
    name, text = page
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    boxes = tree.findall(".//form[@role='search']")
    assert len(boxes) == (name != "redirect")
    for box in boxes:
        assert (box.get("action"), box.get("method", "get")) == ("/-/journal/search", "get")
        assert [i.get("name") for i in box.iter("input")] == ["q"]
    described = '<link rel="search" type="application/opensearchdescription+xml" title="The Journal &amp; Co" '
    assert (described + 'href="/-/journal/opensearch.xml">' in text) == (name != "redirect")


def test_a_page_that_names_what_is_not_there_fails(render: Render) -> None:
    with pytest.raises(UndefinedError):
        render("index.html")


def test_feed_is_atom(render: Render) -> None:
    entries = (
        post(1, html=Markup('<p>\x0bA <a href="/journal/x/">link</a> & <img src="/journal/a.jpg"></p>')),
        bare(2),
    )
    feed = ET.fromstring(render("feed.xml", page_url=f"{ROOT}feed.xml", listing=listing("feed", entries=entries)))
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}title") == "The Journal & Co"
    assert feed.findtext(f"{ATOM}id") == URL
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"self": f"{URL}feed.xml", "alternate": URL}
    updated = feed.findtext(f"{ATOM}updated")
    assert updated
    assert datetime.fromisoformat(updated) == max(e.modified for e in entries)
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    first, second = feed.findall(f"{ATOM}entry")
    for entry in (first, second):
        for name in ("id", "title", "updated", "published", "content"):
            assert len(entry.findall(ATOM + name)) == 1
    assert first.findtext(f"{ATOM}title") == "Post 1 & <more>"
    content = first.find(f"{ATOM}content")
    assert content is not None
    assert content.get("type") == "html"
    assert (
        content.text == '<p>A <a href="https://www.example.org/journal/x/">link</a>'
        ' & <img src="https://www.example.org/journal/a.jpg"></p>'
    )
    assert [c.get("term") for c in first.findall(f"{ATOM}category")] == [
        "news/local",
        "science",
        "tide",
        "rare",
    ]


def test_feed_of_nothing_is_atom(render: Render) -> None:
    feed = ET.fromstring(render("feed.xml", listing=listing("feed", count=0)))
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated", ""))


def test_sitemap_lists_addresses(render: Render) -> None:
    urls = [(URL, samples.NOON), (f"{URL}a/?b&c", None)]
    tree = ET.fromstring(render("sitemap.xml", urls=urls))
    assert tree.tag == f"{SITEMAP}urlset"
    assert [loc.text for loc in tree.iter(f"{SITEMAP}loc")] == [URL, f"{URL}a/?b&c"]
    assert [moment.text for moment in tree.iter(f"{SITEMAP}lastmod")] == ["2026-11-20T12:30:00+00:00"]
    index = ET.fromstring(render("sitemap.xml", urls=[], sitemaps=urls))
    assert index.tag == f"{SITEMAP}sitemapindex"


def test_robots_names_the_sitemap(render: Render) -> None:
    assert f"Sitemap: {URL}sitemap.xml" in render("robots.txt").splitlines()


def test_robots_are_kept_from_forms_and_searches(render: Render, theme: Theme) -> None:
    forbidden = lambda text: [line for line in text.splitlines() if line.startswith("Disallow")]  # noqa: E731
    assert forbidden(render("robots.txt")) == ["Disallow: /-/journal/comments", "Disallow: /-/journal/search"]
    plain = samples.site(theme.manifest.settings, **samples.NO_WEB)
    assert forbidden(render("robots.txt", site=plain)) == ["Disallow:"]


def test_redirect_leads_on(render: Render) -> None:
    template, values = PAGES["redirect"]
    tree = html5lib.parse(render(template, **values), namespaceHTMLElements=False)
    refresh = next(m for m in tree.iter("meta") if m.get("http-equiv") == "refresh")
    assert refresh.get("content") == f"0; url={values['target_url']}"
    assert next(tree.iter("a")).get("href") == values["target_url"]
    assert (
        next(link.get("href") for link in tree.iter("link") if link.get("rel") == "canonical")
        == values["target_absolute_url"]
    )


def schemes(css: str) -> dict[tuple[str, str], dict[str, str]]:
    """The colours in force, by scheme and accent."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    dark_at, dark = re.search(r"@media \(prefers-color-scheme: dark\) \{(.*?)\n\}", css, re.DOTALL), {}
    assert dark_at
    light_text, dark_text = css[: dark_at.start()], dark_at[1]
    read = lambda text, selector: dict(  # noqa: E731
        pair
        for body in re.findall(re.escape(selector) + r"\s*\{([^}]*)\}", text)
        for pair in re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", body)
    )
    light, dark = read(light_text, ":root"), {**read(light_text, ":root"), **read(dark_text, ":root")}
    found = {("light", "ocean"): light, ("dark", "ocean"): dark}
    for accent in re.findall(r'\[data-accent="(\w+)"\]', light_text):
        selector = f'[data-accent="{accent}"]'
        found["light", accent] = {**light, **read(light_text, selector)}
        found["dark", accent] = {**dark, **read(dark_text, selector)}
    return found


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_text_has_contrast_in_both_schemes_and_every_accent(css: str) -> None:
    found = schemes(css)
    assert len(found) == 10
    assert found["light", "plum"] != found["light", "ocean"]
    assert luminance(found["dark", "ocean"]["paper"]) < 0.02 < 0.9 < luminance(found["light", "ocean"]["paper"])
    faults = []
    for scheme, colours in found.items():
        pairs = [
            *product(
                ("ink", "soft", "accent", "note", "tip", "important", "warning", "caution"),
                ("paper", "raised"),
            )
        ]
        pairs += [(name, "code") for name in colours if name.startswith("code-")]
        pairs += [("on-accent", "accent"), ("ink", "mark"), ("accent", "mark")]
        faults += [(scheme, *pair) for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5]
    assert not faults


def test_contrast_is_computed_as_the_guidelines_say() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_token_of_code_has_a_colour(css: str) -> None:
    plain = {"", "n", "w", "x", "l", "g", "nx", "esc", "g-tr"}
    named = set(re.findall(r"\.([a-z][a-z0-9]{0,2})\b", "".join(re.findall(r":is\(\.highlight, pre\) ([^{]*)\{", css))))
    assert set(STANDARD_TYPES.values()) - plain - named == set()


def test_stylesheet_serves_paper_motion_and_focus(css: str) -> None:
    for needed in (
        "@media print",
        "@media (prefers-color-scheme: dark)",
        "prefers-reduced-motion",
        ":focus-visible",
        "color-scheme: light dark",
    ):
        assert needed in css
    assert css.count("{") == css.count("}")
    used, defined = set(re.findall(r"var\(--([\w-]+)", css)), set(re.findall(r"--([\w-]+):", css))
    assert used <= defined
    assert defined - used == set()
