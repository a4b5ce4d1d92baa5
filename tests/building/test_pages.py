"""What templates see: the values of each context, and that they follow every change."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from io import BytesIO

import pytest
from PIL import Image

from appliance import db
from appliance.content import comments, entries, terms
from appliance.content.models import Author, Comment
from tests.building.conftest import OpenSite
from tests.local_site import EVERY_ARCHIVE, LocalSite, archive, index

ENTRIES = archive("entry", "{year}/{slug}/index.html")
PAGES = archive("page", "{folder}/{slug}/index.html")
TERMS = "".join(archive(kind, EVERY_ARCHIVE[kind]) for kind in ("category", "author", "tag"))


def shown(shop: LocalSite, path: str) -> str:
    shop.run()
    return shop.text(path).strip()


def picture(width: int = 60, height: int = 30, form: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, form, **options)
    return out.getvalue()


def test_an_entry(open_site: OpenSite) -> None:
    form = (
        "{{ page_url }} {{ page_absolute_url }} {{ entry.url }} {{ entry.absolute_url }} {{ entry.kind }}\n"
        "{{ entry.published | iso }} {{ entry.modified | iso }}\n"
        "{% for a in entry.authors %}{{ a.name }} {{ a.url }} {{ a.website }};{% endfor %}\n\n"
        "{{ entry.category.path }} {{ entry.category.url }}"
        " {% for c in entry.categories %}{{ c.name }};{% endfor %}"
        " {% for t in entry.tags %}{{ t.name }}={{ t.url }};{% endfor %}\n\n"
        "{{ entry.summary }}|{{ entry.extra.colour }}|{{ entry.allow_comments }}\n"
        "{{ entry.html }}"
    )
    shop = open_site(
        ENTRIES + TERMS, {"entry.html": form},
        sites=[{"url": "https://blog.example/sub%20site/", "timezone": "Europe/Berlin"}],
    )  # fmt: skip
    shop.save(
        "Über <all>", "2026-07-01T22:30", slug="über", text="*Hi* & bye", modified_at=1_800_000_000,
        authors=["Bo", "Ada"], categories=[["News", "Local"], ["Art"]], tags=["Zebra", "Ant"],
        extra={"colour": "<red>"}, summary="Short & sweet", allow_comments=False,
    )  # fmt: skip
    db.execute("UPDATE author SET url = 'https://bo.example/' WHERE slug = 'bo'")
    assert shown(shop, "2026/über/index.html").splitlines() == [
        "/sub%20site/2026/%C3%BCber/ https://blog.example/sub%20site/2026/%C3%BCber/ /sub%20site/2026/%C3%BCber/"
        " https://blog.example/sub%20site/2026/%C3%BCber/ entry",
        "2026-07-02T00:30:00+02:00 2027-01-15T09:00:00+01:00",
        "Bo /sub%20site/author/bo/ https://bo.example/;Ada /sub%20site/author/ada/ ;",
        "news/local /sub%20site/category/news/local/ Local;Art; Zebra=/sub%20site/tag/zebra/;Ant=/sub%20site/tag/ant/;",
        "Short &amp; sweet|&lt;red&gt;|False",
        "<p><em>Hi</em> &amp; bye</p>",
    ]


def test_neighbours_follow_every_change(open_site: OpenSite) -> None:
    form = "{{ entry.previous.title if entry.previous }}<{{ entry.title }}<{{ entry.next.url if entry.next }}"
    shop = open_site(ENTRIES + PAGES, {"entry.html": form})
    shop.save("Same B", "2026-01-02")
    middle = shop.save("Same C", "2026-01-02")
    shop.save("Old", "2026-01-01")
    shop.save("Page", "2026-01-02", kind="page")
    shop.run()
    assert shop.text("2026/same-b/index.html").strip() == "Old<Same B</2026/same-c/"
    assert shop.text("2026/same-c/index.html").strip() == "Same B<Same C<"
    assert shop.text("page/index.html").strip() == "<Page<"
    shop.save("Same C", "2025-12-31", entry=middle)
    shop.run()
    assert shop.text("2026/old/index.html").strip() == "Same C<Old</2026/same-b/"
    assert shop.text("2026/same-b/index.html").strip() == "Old<Same B<"
    entries.delete(middle)
    assert shown(shop, "2026/old/index.html") == "<Old</2026/same-b/"


THREADS = (
    "{{ entry.comment_count }}:{% for c in entry.comments recursive %}"
    "{{ c.author }}[{{ c.html | striptags }}{{ loop(c.replies) }}]{% endfor %}"
)


def test_threads_of_comments(open_site: OpenSite) -> None:
    shop = open_site(ENTRIES, {"entry.html": THREADS})
    entry = shop.save("One")
    first = comments.add(entry, "A", "one")
    second = comments.add(entry, "B", "two", parent=first)
    comments.add(entry, "C", "three", parent=second)
    comments.add(entry, "D", "four", parent=first)
    comments.add(entry, "E", "**five**")
    comments.add(entry, "F", "six", status="pending")
    assert shown(shop, "2026/one/index.html") == "5:A[oneB[twoC[three]]D[four]]E[five]"
    comments.set_status(second, "spam")
    assert shown(shop, "2026/one/index.html") == "4:A[oneD[four]]C[three]E[five]"
    comments.delete(first)
    assert shown(shop, "2026/one/index.html") == "3:C[three]D[four]E[five]"


def test_people_may_answer_each_other_a_thousand_times(open_site: OpenSite) -> None:
    shop = open_site(ENTRIES, {"entry.html": THREADS})
    entry = shop.save("One")
    parent: Comment | None = None
    with db.write():
        for number in range(1200):
            parent = Comment.create(
                entry=entry, parent=parent, status="approved", author_name=f"n{number}", text="", html="", created_at=1
            )
    text = shown(shop, "2026/one/index.html")
    assert [text.count(f"n{n}[") for n in range(1200)] == [1] * 1200
    assert text.index("n5[") < text.index("n50[") < text.index("n1199[")


def test_counts_where_listings_show_them(open_site: OpenSite) -> None:
    form = "{% for e in listing.entries %}{{ e.title }} {{ e.comment_count }} {{ e.comments | length }};{% endfor %}"
    shop = open_site(ENTRIES + index("index.html"), {"listing.html": form})
    one = shop.save("One")
    shop.save("Two", "2025-01-01")
    comments.add(one, "A", "text")
    assert shown(shop, "index.html") == "One 1 0;Two 0 0;"
    comments.add(one, "B", "text")
    assert shown(shop, "index.html") == "One 2 0;Two 0 0;"


def test_links_follow_what_they_point_at(open_site: OpenSite) -> None:
    shop = open_site(ENTRIES + TERMS, {"entry.html": "{{ entry.html }}|{{ entry.excerpt }}"})
    target = shop.save("Target", categories=[["News"]])
    category = terms.SiteTerms(shop.site).category_id(["News"])
    text = f'<p><a href="appliance:entry/{target.id}#part">x</a> <a href="appliance:category/{category}">y</a></p>'
    shop.save("Source", format="html", text=text)
    db.execute("UPDATE entry SET late_bound = ? WHERE slug = 'source'", [True])
    assert '"/2026/target/#part"' in shown(shop, "2026/source/index.html")
    assert '"/category/news/"' in shop.text("2026/source/index.html")
    shop.save("Target", slug="moved", entry=target, categories=[["News"]])
    assert '"/2026/moved/#part"' in shown(shop, "2026/source/index.html")
    shop.save("Target", slug="moved", entry=target, status="draft")
    text = shown(shop, "2026/source/index.html")
    assert "appliance:" not in text
    assert 'href="#' in text


def test_pictures_have_their_smaller_copies(open_site: OpenSite) -> None:
    manifest = ENTRIES + '[thumbnails]\nwidths = [10, 20, 100]\nsizes = "50vw"\n'
    shop = open_site(manifest, {"entry.html": "{{ entry.html }}"})
    asset = shop.upload("in/my cat.png", picture())
    plain = shop.upload("vector.svg", b"<svg/>")
    images = (
        f'<img src="appliance:asset/{asset.id}" alt="a">'
        f'<img width="5" src="appliance:asset/{asset.id}" loading="eager"/>'
        f'<img src="appliance:asset/{plain.id}"><a href="appliance:asset/{asset.id}">big</a>'
    )
    shop.save("One", format="html", text=images)
    db.execute("UPDATE entry SET late_bound = ?", [True])
    text = shown(shop, "2026/one/index.html")
    sources = "/in/my%20cat-10w.png 10w, /in/my%20cat-20w.png 20w, /in/my%20cat.png 60w"
    assert f'srcset="{sources}" sizes="50vw"' in text
    assert 'width="60" height="30"' in text
    assert text.count("srcset") == 2
    assert 'loading="eager"' in text
    assert text.count('loading="lazy"') == 1
    assert '<img src="/vector.svg"' in text
    assert '<a href="/in/my%20cat.png">' in text
    with Image.open(shop.docroot / "in/my cat-20w.png") as small:
        assert small.size == (20, 10)
    assert (shop.docroot / "in/my cat.png").read_bytes() == picture()


def test_listings(open_site: OpenSite) -> None:
    form = (
        "{{ listing.type }} {{ listing.page }}/{{ listing.pages }} of {{ listing.total }}"
        " {{ listing.previous_url }} {{ listing.url }} {{ listing.next_url }}"
        " {{ listing.category.name if listing.category }} {{ listing.category.depth if listing.category }}"
        " {{ listing.tag.name if listing.tag }} {{ listing.author.name if listing.author }}"
        " {{ listing.period.start if listing.period }}:"
        "{% for e in listing.entries %}{{ e.title }};{% endfor %}"
    )
    manifest = (
        ENTRIES
        + index("index.html", more="paginate = 1")
        + index("feed.xml", more="entries = 1")
        + index("all.xml", more="entries = 0")
        + archive("category", "c/{category}/", more="paginate = 1")
        + archive("author-monthly", "a/{author}/{year}/{month}/")
        + archive("tag", "t/{tag}/")
    )
    shop = open_site(manifest, {"listing.html": form})
    for number in range(3):
        shop.save(
            f"e{number}", f"2026-01-0{number + 1}", categories=[["News", "Local"]] if number else [["News"]],
            authors=["Ada"], tags=["x"],
        )  # fmt: skip
    shop.run()
    assert shop.text("index.html") == "index 1/3 of 3 None / /page/3/     :e2;"
    assert shop.text("page/3/index.html") == "index 3/3 of 3 / /page/3/ /page/2/     :e1;"
    assert shop.text("page/2/index.html").startswith("index 2/3 of 3 /page/3/ /page/2/ None")
    assert shop.text("page/2/index.html").endswith(":e0;")
    assert shop.text("feed.xml").startswith("index 1/1 of 3 None /feed.xml None")
    assert shop.text("feed.xml").endswith(":e2;")
    assert shop.text("all.xml").endswith(":e2;e1;e0;")
    assert shop.text("c/news/page/3/index.html") == (
        "category 3/3 of 3 /c/news/ /c/news/page/3/ /c/news/page/2/ News 0   :e1;"
    )
    local = "category 1/2 of 2 None /c/news/local/ /c/news/local/page/2/ Local 1"
    assert shop.text("c/news/local/index.html").startswith(local)
    assert shop.text("a/ada/2026/01/index.html").endswith(" Ada 2026-01-01:e2;e1;e0;")
    assert shop.text("t/x/index.html").endswith(" x  :e2;e1;e0;")


def test_listings_of_one_template_keep_their_pages_apart(open_site: OpenSite) -> None:
    manifest = ENTRIES + "".join(
        index(path, more="paginate = 1") + archive("tag", f"{folder}t/{{tag}}/", more="paginate = 1")
        for path, folder in (("index.html", ""), ("again/index.html", "again/"))
    )
    form = "{{ listing.previous_url }} {{ listing.next_url }}"
    shop = open_site(manifest, {"listing.html": form})
    for number in range(3):
        shop.save(f"e{number}", tags=["x"])
    shop.run()
    for folder in ("", "again/", "t/x/", "again/t/x/"):
        assert shop.text(f"{folder}index.html") == f"None /{folder}page/3/"
        assert shop.text(f"{folder}page/3/index.html") == f"/{folder} /{folder}page/2/"
        assert shop.text(f"{folder}page/2/index.html") == f"/{folder}page/3/ None"


SITE = (
    "{{ site.title }}|{{ site.feed_url }}|{{ site.settings.accent }}|"
    "{% for e in site.recent(2) %}{{ e.title }};{% endfor %}|"
    "{% for c in site.categories() %}{{ c.path }}={{ c.count }}@{{ c.depth }};{% endfor %}|"
    "{% for t in site.tags() %}{{ t.name }}={{ t.count }};{% endfor %}|"
    "{% for a in site.authors() %}{{ a.name }}={{ a.count }};{% endfor %}|"
    "{% for p in site.archives('monthly') %}{{ p.start }}={{ p.count }}={{ p.url }};{% endfor %}|"
    "{% for p in site.pages() %}{{ p.title }}={{ p.url }};{% endfor %}"
)


def test_site_variables_follow_every_change(open_site: OpenSite) -> None:
    manifest = (
        '[settings]\naccent = "ocean"\n' + ENTRIES + PAGES + index("index.html", "site.html")
        + index("feed.xml", more="feed = true") + archive("monthly", "{year}/{month}.html")
    )  # fmt: skip
    shop = open_site(manifest, {"site.html": SITE}, sites=[{"settings": {"accent": "brick"}}])
    assert shown(shop, "index.html") == "A Blog|/feed.xml|brick||||||"
    one = shop.save("One", "2026-01-01", categories=[["News", "Local"]], tags=["a", "b"], authors=["Ada"])
    shop.save("About", kind="page")
    shop.save("Deep", kind="page", folder="docs")
    assert shown(shop, "index.html") == (
        "A Blog|/feed.xml|brick|One;|news=1@0;news/local=1@1;|a=1;b=1;|Ada=1;|"
        "2026-01-01=1=/2026/01.html;|About=/about/;"
    )
    shop.save("Two", "2026-02-01", categories=[["News"], ["News-x"]], tags=["b"], authors=["Bo"])
    assert shown(shop, "index.html") == (
        "A Blog|/feed.xml|brick|Two;One;|news=2@0;news/local=1@1;news-x=1@0;|b=2;a=1;|Ada=1;Bo=1;|"
        "2026-02-01=1=/2026/02.html;2026-01-01=1=/2026/01.html;|About=/about/;"
    )
    entries.delete(one)
    with db.write():
        Author.update(name="Bob").where(Author.slug == "bo").execute()
        shop.save("Three", "2026-02-02", authors=["Bo"])
    text = shown(shop, "index.html")
    assert "|Three;Two;|news=1@0;news/local=0@1;news-x=1@0;|b=1;|Bob=2;|2026-02-01=2" in text


def test_redirects_lead_to_the_entry_of_the_day(open_site: OpenSite) -> None:
    shop = open_site(ENTRIES + "[redirect]\n", {"redirect.html": "{{ target_url }} {{ target_absolute_url }}"})
    entry = shop.save("One", aliases=["old/page.html", "older"])
    assert shown(shop, "old/page.html") == "/2026/one/ https://blog.example/2026/one/"
    shop.save("One", entry=entry, slug="new", aliases=["old/page.html"])
    assert shown(shop, "old/page.html") == "/2026/new/ https://blog.example/2026/new/"
    assert not (shop.docroot / "older").exists()


FILTERS = (
    "{{ '2026' }}{% set d = entry.published %}{{ d | date('%-d %B %Y') }}|{{ d | iso }}|"
    '{{ \'<a href="/x" data-href="/y"><img src="//cdn/z" srcset="/a 1w, /b 2w"></a>\' | safe | absolute }}|'
    "{{ 'a\x00b\x0bc<' | xml_text }}|{{ static('style.css') }}|{{ theme.name }} {{ theme.version }}|"
    """{{ '<table><td><pre class="x"><PRE tabindex=-1><precise><code>&lt;pre>'|safe|focusable }}"""
)


def test_filters(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    shop = open_site(
        ENTRIES, {"entry.html": FILTERS, "static/style.css": "body {}"}, sites=[{"url": "https://blog.example/s/"}]
    )
    shop.save("One", "2026-03-09T07:05")
    day, iso, html, text, address, name, reached = shown(shop, "2026/one/index.html").split("|")
    assert day == "20269 March 2026"
    assert iso == "2026-03-09T07:05:00+00:00"
    origin = "https://blog.example"
    assert html == (
        f'<a href="{origin}/x" data-href="/y"><img src="//cdn/z" srcset="{origin}/a 1w, {origin}/b 2w"></a>'
    )
    assert text == "abc&lt;"
    assert address == "/s/theme/style.css?v=" + hashlib.blake2b(b"body {}", digest_size=4).hexdigest()
    assert name == "Trial 1"
    assert reached == ('<table tabindex="0"><td><pre tabindex="0" class="x"><PRE tabindex=-1><precise><code>&lt;pre>')
    assert shop.text("theme/style.css") == "body {}"


def test_xml_is_escaped(open_site: OpenSite) -> None:
    form = "<t>{% for e in listing.entries %}{{ e.title | xml_text }}{% endfor %}</t>"
    shop = open_site(ENTRIES + index("feed.xml", "feed.xml"), {"feed.xml": form})
    shop.save("A < B & \x07", slug="a")
    assert ET.fromstring(shown(shop, "feed.xml")).text == "A < B & "


@pytest.mark.parametrize(
    ("template", "line", "says"),
    [
        ("ok\n{{ entry.nothing }}", 2, "the template failed: “nothing” is not an attribute of an entry;"),
        ("{{ entry.excert }}", 1, "“excert” is not an attribute of an entry (did you mean “excerpt”?); correct it"),
        ("{{ site.titel }}", 1, "“titel” is not an attribute of the site (did you mean “title”?)"),
        ("{{ entry.title.uper }}", 1, "“uper” is not an attribute of a text (did you mean “upper”?)"),
        ("{% set m = {'date': 1} %}{{ m.dat }}", 1, "“dat” is not an attribute of a mapping (did you mean “date”?)"),
        ("{{ none.url }}", 1, "there is nothing to take “url” of: the value before it is none"),
        ("{{ entri.title }}", 1, "“entri” is not defined; correct it"),
        ("\n\n{{ 1 / 0 }}", 3, "division by zero"),
        ("{% if %}", 1, "Expected an expression"),
        ("a\n{{ entry.title | nofilter }}", 2, "nofilter"),
        ("{{ entry.tags | random }}", 1, "random"),
        ("a\n\n{{ static('gone.css') }}", 3, "no static file “gone.css”"),
        ("{% include 'missing.html' %}", 1, "missing.html"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 1, "recursion"),
    ],
)
def test_a_template_that_fails_is_told_with_file_and_line(
    open_site: OpenSite, template: str, line: int, says: str
) -> None:
    shop = open_site(ENTRIES + index("index.html"), {"entry.html": template})
    shop.save("One")
    shop.publish()
    shop.drain()
    told = shop.failed()["2026/one/index.html"]
    assert f"{shop.folder}/theme/entry.html, line {line}: the template failed: " in told
    assert says in told
    assert "while “2026/one/index.html” was built" in told
    assert list(shop.tree()) == ["index.html"], "the other pages are published"
    (shop.folder / "theme" / "entry.html").write_text("mended")
    shop.run()
    assert shop.text("2026/one/index.html") == "mended"


def test_what_cannot_be_loaded_fails_alone(open_site: OpenSite) -> None:
    shop = open_site(ENTRIES)
    bad = shop.save("Bad")
    shop.save("Good")
    db.execute("UPDATE entry SET extra = '{broken' WHERE id = ?", [bad.id])
    shop.publish()
    shop.drain(retries=7)
    assert list(shop.tree()) == ["2026/good/index.html"]
    assert list(shop.failed()) == ["2026/bad/index.html"]
