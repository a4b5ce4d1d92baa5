"""Asking for a site to be planned: what comes in floods is planned by a worker, and folds."""

from __future__ import annotations

from pathlib import Path

from appliance import db, editorial, plan_job, publishing, running
from appliance.content import comments
from appliance.queue import administration, store
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import Cause
from tests.local_site import ENTRY, LocalSite, archive, local_site

FILES = {"entry.html": ENTRY + "{% for c in entry.comments %}{{ c.author }}{% endfor %}"}
READER = Cause("comment added", "reader")


def asks(shop: LocalSite) -> list[tuple[str, int]]:
    return db.execute("SELECT state, triggers FROM job WHERE kind = 'plan' ORDER BY id").fetchall()


def test_many_who_ask_are_one_planning_by_a_worker(tmp_path: Path) -> None:
    with local_site(tmp_path, archive("entry", "{slug}/index.html"), FILES) as shop:
        entry = shop.save("Post", slug="post")
        shop.run()
        for name in ("Ada", "Grace", "Alan"):
            with db.write():
                comments.add(entry, name, "Hello")
                publishing.enqueue_plan(shop.config, shop.site, READER)
        assert asks(shop) == [("pending", 3)]
        drained = running.drain(shop.config, workers=1)
        assert (drained.exit_code, drained.publications) == (0, 1)
        assert asks(shop) == [("done", 3)]
        assert "AdaGraceAlan" in shop.text("post/index.html")


def test_who_asks_while_it_is_planned_is_planned_after_that(tmp_path: Path) -> None:
    with local_site(tmp_path, archive("entry", "{slug}/index.html"), FILES) as shop:
        publishing.enqueue_plan(shop.config, shop.site, READER)
        (claim,) = store.claim("somebody", ["plan"], 1, 30.0)
        publishing.enqueue_plan(shop.config, shop.site, READER)
        assert asks(shop) == [("running", 1), ("pending", 1)]
        store.complete({claim: "changed"})
        assert running.drain(shop.config, workers=1).exit_code == 0
        assert asks(shop) == [("done", 1), ("done", 1)]


def test_a_theme_that_cannot_work_fails_the_planning_at_once(tmp_path: Path) -> None:
    with local_site(tmp_path, archive("entry", "{slug}/index.html"), FILES) as shop:
        publishing.enqueue_plan(shop.config, shop.site, READER)
        (tmp_path / "theme" / "theme.toml").write_text("not = [toml", "utf-8")
        drained = running.drain(shop.config, workers=1)
        assert drained.exit_code == 1
        ((key, sentence),) = drained.failed
        assert key == "blog"
        assert "theme.toml: is not TOML" in sentence


def test_what_a_request_saves_for_later_is_planned_by_a_worker_at_once(tmp_path: Path) -> None:
    with local_site(tmp_path, archive("entry", "{slug}/index.html"), FILES) as shop:
        shop.run()
        editorial.add_entry(shop.config, "blog", "Early", status="published", later=True)
        assert not [state for state, _ in asks(shop) if state == "pending"]
        with plan_job.leave_to_workers():
            editorial.add_entry(shop.config, "blog", "Post", status="published", later=True)
        assert [state for state, _ in asks(shop)] == ["pending"]
        running.drain(shop.config, workers=1)
        assert shop.text("post/index.html")


def test_a_site_is_rebuilt_by_a_worker_when_somebody_asks(tmp_path: Path) -> None:
    with local_site(tmp_path, archive("entry", "{slug}/index.html"), FILES) as shop:
        shop.save("Post", slug="post")
        shop.run()
        before = {row.id for row in administration.find(JobFilter(kinds=["publish"]), limit=100)}
        publishing.request_publication(shop.config, "blog", rebuild=True)
        assert running.drain(shop.config, workers=1).exit_code == 0
        after = {
            row.key for row in administration.find(JobFilter(kinds=["publish"]), limit=100) if row.id not in before
        }
        assert "post/index.html" in after
