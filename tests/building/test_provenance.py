"""Where a published file comes from, by its path or address, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.content import comments, entries, entry_edits
from appliance.content.models import Entry
from appliance.editorial import provenance
from appliance.editorial.provenance import Provenance
from appliance.errors import ContentError
from tests.building.conftest import OpenSite
from tests.building.test_pages import picture
from tests.conftest import empty_database
from tests.local_site import LocalSite, archive, index, local_site

MANIFEST = (
    "[redirect]\n[thumbnails]\nwidths = [20]\n[settings]\ntagline = 'Hi'\n"
    + index("index.html", more="paginate = 2")
    + index("facts.html", "facts.html", 'every = "10m"')
    + archive("entry", "{slug}/index.html")
    + archive("tag", "tag/{tag}/index.html")
)
FILES = {
    "entry.html": "{{ entry.title }}{{ entry.html }}{% if entry.previous %}{{ entry.previous.title }}{% endif %}",
    "facts.html": "{% for e in site.recent(3) %}{{ e.title }}{% endfor %}{{ site.settings.tagline }}{{ site.title }}"
    "{{ static('a.css') }}{{ site.now('1h') }}{% for t in site.tags(5) %}{{ t.name }}{% endfor %}",
    "static/a.css": "a",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST, FILES, **empty_database(request)) as made:
        for n in range(1, 4):
            made.save(f"Post {n}", f"2026-01-0{n}", slug=f"post-{n}", tags=["odd"] if n % 2 else [])
        made.run()
        yield made


def of(shop: LocalSite, named: str) -> Provenance:
    return provenance.find_provenance(shop.config, named)


def test_a_page_says_what_it_is_and_shows(shop: LocalSite) -> None:
    found = of(shop, "post-2/index.html")
    own, before = found.entries
    assert (found.type, found.template, found.about) == ("entry", "entry.html", f"entry {own.id} “Post 2”")
    assert (own.aspects, before.title, before.aspects) == ("", "Post 1", "the title and the address")
    assert found.shared == {"templates": ["entry.html"]}
    assert (found.wanted, found.stale, found.in_place, found.listing) == (True, False, True, None)
    assert found.size == len(shop.tree()["post-2/index.html"])
    assert found.published_at is not None


def test_what_any_page_may_show_is_named_in_words(shop: LocalSite) -> None:
    found = of(shop, "facts.html")
    assert found.shared == {
        "templates": ["facts.html"],
        "files": ["a.css"],
        "settings": ["site.settings.tagline", "site.title"],
        "lists": ["the 3 newest entries: the title", "the 5 most used tags"],
        "times": ["when it is, to 1h"],
    }
    assert found.every == 600


def test_a_page_of_a_listing_says_which_entries(shop: LocalSite) -> None:
    listing = of(shop, "index.html").listing
    assert listing is not None
    assert (listing.page, listing.per_page, listing.total, listing.as_built) == (1, 2, 3, True)
    assert [entry.title for entry in listing.entries] == ["Post 3", "Post 2", "Post 1"]
    shop.save("Post 4", "2026-01-04")
    shop.publish()
    found = of(shop, "index.html")
    assert found.listing is not None
    assert (found.stale, found.listing.as_built) == (True, False)


def test_it_says_what_had_it_built_and_what_waits(shop: LocalSite) -> None:
    first = of(shop, "post-1/index.html")
    assert first.last is not None
    assert first.waiting is None
    assert [trigger.reason for trigger in first.last.chain] == ["site added", "tag added", "entry added"]
    entry_edits.edit(Entry.get(Entry.slug == "post-1"), actor="ada", title="Other")
    assert of(shop, "post-1/index.html").unplanned == 1
    shop.publish()
    found = of(shop, "post-1/index.html")
    assert found.waiting is not None
    assert [(t.reason, t.actor) for t in found.waiting.chain] == [("entry edited", "ada")]
    assert (found.stale, found.unplanned) == (True, 0)
    shop.drain()
    comments.add(Entry.get(Entry.slug == "post-1"), "Bo", "Hello")
    shop.publish()
    shop.drain()
    found = of(shop, "post-1/index.html")
    assert found.last is not None
    assert found.changed is not None
    assert (found.last.job.outcome, found.changed.job.outcome) == ("unchanged", "changed")
    assert found.last.job.id > found.changed.job.id


@pytest.mark.parametrize(
    "named",
    [
        "post-1/index.html", "/post-1/index.html", "post-1", "/post-1/", "https://blog.example/post-1/",
        "https://blog.example/post-1/?from=feed#top", "http://blog.example/post-1/index.html",
    ],
)  # fmt: skip
def test_a_file_goes_by_its_path_and_its_addresses(open_site: OpenSite, named: str) -> None:
    shop = open_site(MANIFEST, FILES)
    shop.save("Post 1", slug="post-1")
    shop.run()
    found = of(shop, named)
    assert (found.path, found.url) == ("post-1/index.html", "https://blog.example/post-1/")


def test_the_address_of_a_site_in_a_folder(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST, FILES, sites=[{"folder": "b", "url": "https://blog.example/news/"}])
    shop.save("Zoë", slug="zoë")
    shop.run()
    for named in ("https://blog.example/news/zo%C3%AB/", "b/zoë", "b/zo%C3%AB/index.html"):
        assert of(shop, named).path == "b/zoë/index.html"
    assert of(shop, "https://blog.example/news").path == "b/index.html"
    assert of(shop, "b/zoë").url == "https://blog.example/news/zo%C3%AB/"


def test_files_and_redirects_say_whose_they_are(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST, FILES)
    shop.upload("cat.png", picture(40))
    entry = shop.save("Post 1", slug="post-1", aliases=["old.html"])
    shop.run()
    entries.delete(shop.save("Post 2", slug="post-2"))
    entry_edits.edit(entry, slug="first")
    shop.run()
    assert of(shop, "cat.png").about == "upload 1 “cat.png”"
    assert of(shop, "cat-20w.png").about == "upload 1 “cat.png”"
    assert of(shop, "theme/a.css").template == "a.css"
    former = f"a former address of entry {entry.id} “Post 1”"
    assert (of(shop, "old.html").about, of(shop, "post-1").about) == (former, former)


def test_a_file_that_went_is_known_for_what_it_was(shop: LocalSite) -> None:
    entries.delete(Entry.get(Entry.slug == "post-1"))
    shop.publish()
    shop.drain()
    found = of(shop, "post-1/index.html")
    assert (found.wanted, found.digest, found.in_place) == (False, None, False)
    assert "which is gone" in found.about


@pytest.mark.parametrize(
    ("named", "like"),
    [
        ("post-1/index.htm", "similar paths are post-1/index.html"),
        ("tag/old/index.html", "similar paths are tag/odd/index.html"),
        ("https://other.example/", "name a path below the docroot, or a whole address"),
        ("%00", "name a path below the docroot"),
    ],
)
def test_an_unknown_path_names_those_like_it(shop: LocalSite, named: str, like: str) -> None:
    with pytest.raises(ContentError) as caught:
        of(shop, named)
    sentence = str(caught.value)
    assert sentence.startswith(f"There is no file “{named}”; ")
    assert like in sentence
