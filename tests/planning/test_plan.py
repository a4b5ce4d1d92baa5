"""Plans: what is put on the queue, what is refused, and that nothing is when nothing changed."""

from __future__ import annotations

from appliance import db
from appliance.content import entries
from appliance.content.models import Entry
from appliance.queue import store
from tests.local_site import LocalSite, archive, index
from tests.planning.conftest import OpenSite

SMALL = index("index.html") + archive("entry", "{slug}.html", "entry.html") + archive("page", "{folder}/{slug}.html")


def waiting(shop: LocalSite) -> list[str]:
    return [key for (key,) in db.execute("SELECT key FROM job WHERE state = 'pending' ORDER BY key").fetchall()]


def test_nothing_changed_is_nothing_to_do(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    (first,) = shop.run()
    assert first.enqueue_results["added"] == first.artifact_count == 2
    (second,) = shop.publish()
    assert sum(second.enqueue_results.values()) == 0
    assert second.artifact_count == 2


def test_asking_twice_is_folded(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    shop.publish()
    (again,) = shop.publish(everything=True)
    assert (again.enqueue_results["coalesced"], again.enqueue_results["added"]) == (2, 0)
    assert waiting(shop) == ["index.html", "one.html"]


def test_patterns_choose_by_path(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    for title in ("One", "Two"):
        shop.save(title)
    shop.run()
    shop.publish(patterns=["o*.html"])
    assert waiting(shop) == ["one.html"]
    (none,) = shop.publish(patterns=["nothing/*"])
    assert sum(none.enqueue_results.values()) == 0


def test_patterns_do_not_swallow_changes(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    one = shop.save("One")
    shop.run()
    shop.save("One", entry=one, text="new")
    shop.publish(patterns=["index.html"])
    shop.drain()
    assert "new" not in shop.text("one.html")
    assert store.count_unknown_kinds([]) == {"plan": 1}, "they still wait to be planned"
    shop.run()
    assert "new" in shop.text("one.html")


def test_a_theme_that_was_edited_is_planned_again(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    shop.run()
    (shop.folder / "theme" / "entry.html").write_text("new: {{ entry.title }}")
    (plan,) = shop.run()
    assert plan.enqueue_results["added"] == 1, "only the page that uses it"
    assert shop.text("one.html") == "new: One"
    manifest = shop.folder / "theme" / "theme.toml"
    manifest.write_text(manifest.read_text().replace('"{slug}.html"', '"posts/{slug}.html"'))
    shop.run()
    assert sorted(shop.tree()) == ["index.html", "posts/one.html"]


def test_what_is_withdrawn_is_deleted(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    one, two = shop.save("One"), shop.save("Two")
    shop.run()
    shop.save("One", entry=one, status="draft")
    entries.delete(two)
    shop.publish()
    assert waiting(shop) == ["index.html", "one.html", "two.html"]
    shop.drain()
    assert list(shop.tree()) == ["index.html"]
    assert [(path, op) for path, op, _ in shop.journal()][-3:].count(("one.html", "delete")) == 1
    (plan,) = shop.publish(everything=True)
    assert (plan.artifact_count, plan.enqueue_results["added"]) == (1, 1)


def test_the_pages_of_changed_entries_come_first(open_site: OpenSite) -> None:
    shop = open_site(archive("entry", "{slug}.html", "entry.html"))
    made = [shop.save(f"e{n}") for n in range(5)]
    shop.run()
    shop.save("e3", entry=made[3], text="new")
    shop.publish()
    (first,) = db.execute("SELECT key FROM job WHERE state = 'pending' ORDER BY rank, id LIMIT 1").fetchone()
    assert first == "e3.html"


def conflicts(shop: LocalSite) -> str:
    return "\n".join(fault for plan in shop.publish() for fault in plan.faults)


def test_a_file_that_waits_for_a_folder_to_go_is_not_asked_for_again_and_again(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.upload("docs", b"a file")
    shop.run()
    shop.save("Guide", kind="page", folder="docs")
    assert conflicts(shop)
    shop.drain()
    assert sorted(shop.tree()) == ["docs/guide.html", "index.html"]
    (again,) = shop.publish()
    assert (again.enqueue_results.total(), len(again.faults)) == (0, 1)


def test_a_slug_that_would_leave_the_docroot(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.save("Bad", slug="../../etc/passwd")
    shop.save("Worse", slug=".htaccess", address="a/../../b.html")
    shop.save("Good")
    told = conflicts(shop)
    assert "the entry “Bad” would be published as “../../etc/passwd.html”, but it would leave the docroot" in told
    assert "the entry “Worse” would be published as" in told
    shop.drain()
    assert sorted(shop.tree()) == ["good.html", "index.html"]
    assert not (shop.folder / "etc").exists()


def test_a_file_where_another_needs_a_folder(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.upload("docs", b"a file")
    shop.save("Guide", kind="page", folder="docs")
    told = conflicts(shop)
    assert "the asset “docs” would be the file “docs”, but the page “Guide” needs a folder of that name" in told
    shop.drain()
    assert sorted(shop.tree()) == ["docs/guide.html", "index.html"]


TWO = [{"name": "main"}, {"name": "sub", "folder": "sub", "url": "https://blog.example/sub/"}]


def test_two_sites_in_nested_folders(open_site: OpenSite) -> None:
    shop = open_site(SMALL, sites=TWO)
    sub = type(shop.site).get(name="sub")
    shop.save("Start")
    shop.save("Start", site=sub)
    shop.run()
    assert sorted(shop.tree()) == ["index.html", "start.html", "sub/index.html", "sub/start.html"]


def test_one_site_cannot_take_the_files_of_another(open_site: OpenSite) -> None:
    shop = open_site(SMALL, sites=TWO)
    sub = type(shop.site).get(name="sub")
    shop.save("Theirs", slug="page", site=sub)
    shop.run()
    shop.save("Mine", address="sub/page.html")
    shop.save("Blunt", slug="blunt", address="sub/page.html/index.html")
    told = conflicts(shop)
    assert "the entry “Mine” and the entry “Theirs” would both be published as “sub/page.html”" in told
    assert "“Blunt”" in told
    shop.drain()
    assert "Theirs" in shop.text("sub/page.html")
    assert shop.failed() == {}


def test_what_one_site_gives_up_another_takes(open_site: OpenSite) -> None:
    shop = open_site(SMALL, sites=TWO)
    sub = type(shop.site).get(name="sub")
    theirs = shop.save("Theirs", slug="page", site=sub)
    shop.run()
    shop.save("Mine", address="sub/page.html")
    assert conflicts(shop)
    entries.delete(theirs)
    shop.run()
    assert "Mine" in shop.text("sub/page.html")
    versions = [version for path, _, version in shop.journal() if path == "sub/page.html"]
    assert versions == sorted(set(versions))


def test_what_is_due_is_published_and_what_has_expired_withdrawn(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.save("Due", "2020-01-01", status="scheduled")
    shop.save("Over", "2020-01-01", unpublish_at=1_600_000_000)
    shop.save("Later", "2999-01-01", status="scheduled")
    shop.run()
    assert sorted(shop.tree()) == ["due.html", "index.html"]
    assert {e.title: e.status for e in Entry.select()} == {"Due": "published", "Over": "draft", "Later": "scheduled"}


def test_a_former_address_that_is_the_present_one_again_redirects_nobody(open_site: OpenSite) -> None:
    shop = open_site(SMALL + '[redirect]\ntemplate = "redirect.html"\n')
    shop.save("One", aliases=["one.html", "earlier.html"])
    shop.save("Two", aliases=["index.html"])
    (plan,) = shop.publish()
    assert shop.paths() == ["earlier.html", "index.html", "one.html", "two.html"]
    (fault,) = plan.faults
    assert "“index.html”" in fault
