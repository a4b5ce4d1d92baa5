"""A least interval between two builds, and why a job exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import clock, db
from appliance.content.changes import record
from appliance.errors import ThemeError
from appliance.planning.theme import Theme
from appliance.queue import store
from appliance.queue.triggers import chain_of
from tests.local_site import LocalSite, archive, index, write_theme
from tests.planning.conftest import OpenSite

SLOW_FRONT = index("index.html", more='every = "10m"') + archive("entry", "{slug}.html")


def later(seconds: float) -> None:
    """Let the database's clock run ahead."""
    db.backend().now_at(seconds)


def test_a_template_is_built_at_most_once_an_interval(open_site: OpenSite) -> None:
    shop = open_site(SLOW_FRONT)
    shop.save("One")
    shop.run()
    shop.save("Two")
    shop.publish()
    shop.drain()
    assert (shop.text("index.html"), shop.text("two.html")) == ("One;", "Two|")
    assert (store.count_unfinished(), store.count_outstanding()) == (1, 0)
    shop.save("Three")
    shop.publish()
    later(598)
    shop.drain()
    assert shop.text("index.html") == "One;"
    later(602)
    assert store.count_outstanding() == 1
    shop.drain()
    assert sorted(shop.text("index.html").strip().split(";")) == ["", "One", "Three", "Two"]
    assert store.count_unfinished() == 0


def test_asking_by_path_does_not_wait(open_site: OpenSite) -> None:
    shop = open_site(SLOW_FRONT)
    shop.save("One")
    shop.run()
    shop.save("Two")
    shop.publish()
    shop.run(patterns=["index.html"])
    assert shop.text("index.html") in ("One;Two;", "Two;One;")


def test_what_is_withdrawn_goes_at_once(open_site: OpenSite) -> None:
    shop = open_site(archive("entry", "{slug}.html", more='every = "1d"'))
    one = shop.save("One")
    shop.run()
    shop.save("One", entry=one, status="draft")
    shop.run()
    assert shop.tree() == {}


def test_a_retry_is_waited_for(open_site: OpenSite) -> None:
    shop = open_site(SLOW_FRONT)
    shop.publish()
    (claim,) = store.claim("w", ["publish"], 1, 30.0)
    store.fail(claim, store.FailureDetails("OSError", "no", ""), retry_after=2.0)
    assert store.count_outstanding() == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1.5h", 5400), ("2 d", 172800), (" 5m ", 300)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert clock.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-3m", "10 minutes", "1h30m", "١m"])
def test_what_is_no_length_of_time(tmp_path: Path, text: str) -> None:
    write_theme(tmp_path / "theme", index("index.html", more=f'every = "{text}"'), {"listing.html": ""})
    with pytest.raises(ThemeError) as caught:
        Theme.load("theme", tmp_path)
    assert "every" in str(caught.value)
    assert f"“{text}” is no length of time; write a number and s, m, h or d, such as 10m" in str(caught.value)


def chain(shop: LocalSite, key: str) -> list[tuple[str, str, int | None, int]]:
    (job,) = db.execute("SELECT id FROM job WHERE key = ? AND state = 'pending'", [key]).fetchone()
    return [(t.reason, t.actor, t.change_id, t.times) for t in chain_of(job)]


def test_a_job_knows_what_happened_and_who_did_it(open_site: OpenSite) -> None:
    shop = open_site(SLOW_FRONT)
    one = shop.save("One")
    shop.run()
    start = db.execute("SELECT MAX(id) FROM change").fetchone()[0]
    for actor in ("ada", "ada", "ben"):
        record(shop.site, "entry edited", "entry", one.id, one.id, actor=actor)
    shop.publish()
    assert chain(shop, "index.html") == [("entry edited", "ada", start + 2, 2), ("entry edited", "ben", start + 3, 1)]
    record(shop.site, "entry edited", "entry", one.id, one.id, actor="ada")
    shop.publish()
    assert chain(shop, "index.html") == [("entry edited", "ben", start + 3, 1), ("entry edited", "ada", start + 4, 3)]
    triggers, reason = db.execute(
        "SELECT triggers, reason FROM job WHERE state = 'pending' AND key = 'index.html'"
    ).fetchone()
    assert (triggers, reason) == (4, "entry edited")


def test_a_burst_of_changes_is_counted_in_few_rows(open_site: OpenSite) -> None:
    shop = open_site(SLOW_FRONT)
    one = shop.save("One")
    shop.run()
    for number in range(30):
        record(shop.site, "entry edited", "entry", one.id, one.id, actor=f"editor {number}")
    shop.publish()
    why = chain(shop, "index.html")
    assert [actor for _, actor, _, _ in why] == ["", *(f"editor {n}" for n in range(26, 30))]
    assert (why[0][0], why[0][3]) == ("other changes", 26)
    assert db.execute("SELECT triggers FROM job WHERE key = 'index.html' AND state = 'pending'").fetchone() == (30,)
