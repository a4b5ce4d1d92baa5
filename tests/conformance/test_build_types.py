"""When a template's files are built: through the queue, at once, by hand, never."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db, editorial
from appliance.errors import ThemeError
from appliance.planning.theme import Theme
from appliance.queue import store
from tests.local_site import LocalSite, archive, index, local_site, write_theme

NAMES = ("queue", "now", "hand", "never")
MANIFEST = "".join(index(f"{name}.html", more=f'build = "{name}"') for name in NAMES) + archive(
    "entry", "posts/{slug}.html"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST) as made:
        made.save("One")
        made.run()
        yield made


def second(shop: LocalSite) -> None:
    """Save and publish another entry as people do, without any worker."""
    done = editorial.add_entry(shop.config, "", "Two", status="published", date="2026-11-02")
    assert done.faults == ()


def waiting() -> list[str]:
    return [key for (key,) in db.execute("SELECT key FROM job WHERE state = 'pending' ORDER BY key").fetchall()]


@pytest.mark.conformance("B12")
def test_through_the_queue_waits_for_a_worker(shop: LocalSite) -> None:
    second(shop)
    assert shop.text("queue.html") == "One;"
    assert "queue.html" in waiting()
    shop.drain()
    assert shop.text("queue.html") == "Two;One;"


@pytest.mark.conformance("B12")
def test_at_once_is_there_when_the_command_returns(shop: LocalSite) -> None:
    before = shop.journal()
    second(shop)
    assert shop.text("now.html") == "Two;One;"
    assert [path for path, _, _ in shop.journal()[len(before) :]] == ["now.html"]


@pytest.mark.conformance("B12")
def test_by_hand_is_built_only_when_it_is_asked_for_by_path(shop: LocalSite) -> None:
    assert "hand.html" not in shop.tree()
    shop.run(everything=True)
    assert "hand.html" not in shop.tree()
    shop.run(patterns=["hand.*"])
    assert shop.text("hand.html") == "One;"
    second(shop)
    shop.drain()
    assert shop.text("hand.html") == "One;"
    (plan,) = shop.publish(everything=True, force=True, explain=True)
    assert plan.manual_paths == ["hand.html"]
    shop.run(patterns=["hand.html"])
    assert shop.text("hand.html") == "Two;One;"


@pytest.mark.conformance("B12")
def test_by_hand_goes_with_its_template_all_the_same(shop: LocalSite) -> None:
    shop.run(patterns=["hand.html"])
    write_theme(shop.folder / "theme", MANIFEST.replace("hand.html", "other.html"), {})
    shop.run()
    assert "hand.html" not in shop.tree()


@pytest.mark.conformance("B12")
def test_never_has_no_file_and_takes_the_one_it_had(shop: LocalSite) -> None:
    shop.run(patterns=["*"])
    assert set(shop.tree()) == {"queue.html", "now.html", "hand.html", "posts/one.html"}
    write_theme(shop.folder / "theme", MANIFEST.replace('"queue"', '"never"'), {})
    shop.run()
    assert set(shop.tree()) == {"now.html", "hand.html", "posts/one.html"}


@pytest.mark.conformance("B12")
def test_at_once_that_fails_is_told_and_kept_on_the_queue(shop: LocalSite) -> None:
    (shop.folder / "theme" / "listing.html").write_text("{{ listing.entries[0].nothing.more }}", "utf-8")
    shop.publish()
    assert [key for _, key, _ in store.recent_failures()] == ["now.html"]
    assert shop.text("now.html") == "One;"


@pytest.mark.conformance("B12")
def test_another_word_is_refused(tmp_path: Path) -> None:
    write_theme(tmp_path / "odd", index("a.html", more='build = "later"'), {"listing.html": ""})
    with pytest.raises(ThemeError, match="build"):
        Theme.load(str(tmp_path / "odd"), tmp_path)
