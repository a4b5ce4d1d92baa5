"""A plan of a whole site in short transactions: bounded, with other writers between them, and taken up again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path

import pytest

from appliance import db, plan_job
from appliance.building.builder import Builder
from appliance.building.loaders import find_artifacts
from appliance.content.models import Entry
from appliance.errors import ContentError, PlanTaken
from appliance.planning import steps
from appliance.planning.steps import ROWS, ShortSteps
from tests.acceptance.truth import World, world
from tests.local_site import LocalSite, archive, index, tree, write_theme
from tests.planning.conftest import OpenSite
from tests.test_crash_sweep import Killer

MANIFEST = (
    archive("entry", "{slug}.html")
    + index("index.html", more="paginate = 5")
    + archive("monthly", "{year}/{month}/index.html")
)


@contextmanager
def after_each_step(act: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Call `act` with the number of each step, once it is committed."""
    write, numbers = ShortSteps.write, count(1)

    @contextmanager
    def watched(self: ShortSteps) -> Iterator[None]:
        with write(self):
            yield
        act(next(numbers))

    with monkeypatch.context() as patched:
        patched.setattr(ShortSteps, "write", watched)
        yield


def open_plans() -> int:
    return int(db.execute("SELECT COUNT(*) FROM open_plan").fetchone()[0])


def retitled(shop: LocalSite, title: str) -> None:
    """Have the whole site planned next."""
    db.execute("UPDATE planned SET site_digest = ?", [title])


def longest_step(shop: LocalSite, posts: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The most rows that one step of a plan of the whole site wrote."""
    for number in range(posts):
        shop.save(f"Post {number}", f"2026-{1 + number % 12:02}-01", slug=f"post-{number}", tags=["a"])
    seen = [db.database.obj.connection().total_changes]
    with after_each_step(lambda _: seen.append(db.database.obj.connection().total_changes), monkeypatch):
        shop.publish()
    return max(after - before for before, after in pairwise(seen))


def test_a_step_writes_the_same_at_any_size(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_site(MANIFEST)
    if not hasattr(db.database.obj.connection(), "total_changes"):
        pytest.skip("rows are counted by SQLite")
    assert longest_step(shop, 2 * ROWS + 50, monkeypatch) <= 4 * ROWS


def test_others_write_between_two_steps_and_no_page_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """After each step in turn somebody edits; what exists is never deleted, and the next plan has the edit."""
    edits: list[Callable[[World], None]] = [
        lambda w: w.edit(0, "slug", 3), lambda w: w.edit(1, "address", 1), lambda w: w.edit(1, "address", 0),
        lambda w: w.edit(2, "status", 0), lambda w: w.edit(2, "status", 1), lambda w: w.edit(3, "kind", 1),
        lambda w: w.edit(3, "kind", 0), lambda w: w.edit(0, "published_at", 4), lambda w: w.edit(0, "categories", 2),
        lambda w: w.add(9, 1, "published", "entry"), lambda w: w.delete(1), lambda w: w.term("tag", 0, "slug", 4),
    ]  # fmt: skip
    with world(None) as made:
        made.begin(5)
        made.settle()
        for turn in range(len(edits) * 3):
            edit = edits[turn % len(edits)]
            retitled(made.shop, f"turn {turn}")
            kept = {entry.slug for entry in Entry.select().where(Entry.status == "published")}
            last = db.execute("SELECT MAX(id) FROM publication").fetchone()[0]
            with after_each_step(lambda n, t=turn, e=edit: e(made) if n == 1 + t // 2 else None, monkeypatch):
                made.publish()
            made.shop.drain(retries=4)
            made.settle()
            assert open_plans() == 0
            assert db.execute("SELECT COUNT(*) FROM change WHERE NOT planned").fetchone() == (0,)
            assert made.shop.tree() == made.rebuilt(), turn
            assert kept
            assert last


def test_pages_of_an_entry_that_two_steps_miss_are_kept(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with an address of their own are written before those with a name; an entry may become the other kind."""
    shop = open_site(MANIFEST)
    entry = shop.save("One", slug="one")
    shop.save("Two", slug="two")
    shop.run()
    retitled(shop, "again")
    fixed = [0]

    def give_an_address(_number: int) -> None:
        seen = db.execute("SELECT COUNT(*) FROM artifact WHERE type = 'index' AND plan = 2").fetchone()[0]
        if seen and not fixed[0]:
            fixed[0] = 1
            shop.save("One", slug="one", entry=entry, address="one.html")

    with after_each_step(give_an_address, monkeypatch):
        shop.publish()
    assert fixed == [1]
    assert db.execute("SELECT wanted FROM artifact WHERE path = 'one.html'").fetchone()[0]
    shop.run()
    deleted = db.execute("SELECT path FROM publication WHERE op = 'delete'").fetchall()
    assert deleted == []
    assert {"one.html", "two.html"} <= set(shop.tree())


def shown_by(builder: Builder) -> dict[str, bytes]:
    """What all listings and entries show, as a builder makes them now."""
    rows = db.execute("SELECT path FROM artifact WHERE wanted AND type IN ('index', 'monthly', 'entry')").fetchall()
    with db.snapshot():
        builds = builder.load(find_artifacts([path for (path,) in rows]).values())
    return {path: bytes(content) for path, build in builds.items() if isinstance(content := build().content, bytes)}


def test_a_build_between_two_steps_reads_what_is_there(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that keeps posts and lists from one batch to the next builds what one that keeps nothing does."""
    listing = "{% for e in listing.entries %}{{ e.url }} {{ e.category.url }}{% endfor %} {{ listing.total }}"
    shop = open_site(MANIFEST + archive("category", "{category}.html", "listing.html"), {"listing.html": listing})
    for number in range(7):
        shop.save(f"Post {number}", slug=f"post-{number}", categories=[["News"]])
    shop.run()
    for number, entry in enumerate(Entry.select().order_by(Entry.id)):
        shop.save(f"Post {number}", slug=f"moved-{number}", entry=entry, categories=[["News"]])
    retitled(shop, "again")
    kept = Builder(shop.config)
    shown_by(kept)
    different: list[int] = []
    seen = []

    def compare(number: int) -> None:
        anew = shown_by(Builder(shop.config))
        seen.append(anew)
        if shown_by(kept) != anew:
            different.append(number)

    with after_each_step(compare, monkeypatch):
        shop.publish()
    assert seen[0] != seen[-1]
    assert different == []


def test_builds_between_steps_end_well(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is built while a plan is open and more comes in, nothing fails, and what is published last is right."""
    feed = "{{ listing.entries|map(attribute='modified')|max|iso }}"
    shop = open_site(MANIFEST + index("feed.xml", "feed.xml", "entries = 3"), {"feed.xml": feed})
    for number in range(3):
        shop.save(f"Post {number}", f"2026-01-0{number + 1}", slug=f"post-{number}")
    names = count(1)

    def save_and_build(number: int) -> None:
        if number <= 20:
            name = next(names)
            shop.save(f"Late {name}", f"{2027 + name // 28}-02-{1 + name % 28:02}", slug=f"late-{name}")
        db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
        shop.drain()
        assert shop.failed() == {}

    for _ in range(3):
        with after_each_step(save_and_build, monkeypatch):
            shop.publish(everything=True)
    shop.publish()
    shop.drain(retries=4)
    assert shop.failed() == {}
    whole = shop.tree()
    shop.run(everything=True, force=True)
    assert shop.tree() == whole


def killed(shop: LocalSite, last: int) -> bool:
    """Have a child plan until its step `last`; returns whether it was killed."""
    db.disconnect()
    child = os.fork()
    if not child:
        code = 1
        try:
            db.open_database(shop.config)
            killer = Killer(last)
            opened = db.database.obj
            for name in ("execute_sql", "commit"):
                setattr(opened, name, killer.after(getattr(opened, name)))
            shop.publish(allow_removals=True)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.slow
def test_a_plan_that_is_killed_after_any_statement_is_taken_up_again() -> None:
    with world(None) as made:
        made.begin(4)
        made.settle()
        for step in count(1, 3):
            made.edit(0, "slug", step % 5)
            made.edit(1, "status", step % 2)
            made.edit(2, "address", step % 3)
            retitled(made.shop, f"step {step}")
            dead = killed(made.shop, step)
            made.publish()
            made.shop.drain(retries=4)
            assert open_plans() == 0
            assert db.execute("SELECT COUNT(*) FROM change WHERE NOT planned").fetchone() == (0,)
            assert made.shop.tree() == made.rebuilt(), step
            if not dead:
                break
        assert step > 100


def test_a_plan_whose_process_died_is_planned_by_a_worker(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    shop.save("One", slug="one")
    shop.run()
    ShortSteps(shop.site)
    db.execute("UPDATE open_plan SET holder = 'elsewhere:1:1'")
    assert plan_job.enqueue_forgotten(shop.config, ["blog"]) == 0, "its lease has not run out"
    db.execute("UPDATE open_plan SET at = at - ?", [steps.LEASE + 1])
    assert plan_job.enqueue_forgotten(shop.config, ["blog"]) == 1


def test_a_process_that_was_too_slow_writes_nothing_more(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    slow = ShortSteps(shop.site)
    db.execute("UPDATE open_plan SET at = at - ?", [steps.LEASE + 1])
    other = ShortSteps(shop.site)
    assert (other.is_resumed, other.number) == (True, slow.number)
    with pytest.raises(PlanTaken), slow.write():
        raise AssertionError("it must not come to this")
    with other.write():
        other.close()
    assert open_plans() == 0


def test_what_is_refused_is_neither_enqueued_nor_unwanted(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    for number in range(60):
        shop.save(f"Post {number}", slug=f"post-{number}")
    shop.run()
    before = tree(shop.docroot)
    write_theme(shop.folder / "theme", index("index.html"), {})
    with pytest.raises(ContentError, match="of the site blog would be"):
        shop.publish()
    assert db.execute("SELECT COUNT(*) FROM artifact WHERE NOT wanted").fetchone() == (0,)
    assert db.execute("SELECT COUNT(*) FROM job WHERE state = 'pending' AND kind = 'publish'").fetchone() == (0,)
    write_theme(shop.folder / "theme", MANIFEST, {})
    shop.run()
    assert tree(shop.docroot) == before
    assert Path(shop.docroot / "post-1.html").exists()
