"""Whatever changes content is killed after each of its statements in turn; workers alone publish what was saved."""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from appliance import db, editorial, plan_job, publishing, pull_job
from appliance.config import Config, QueueSettings
from appliance.content import sites
from appliance.content.models import Change, Entry
from appliance.importing import sources
from appliance.importing.formats import import_content
from appliance.queue import store
from appliance.queue.enqueue import Cause
from appliance.queue.handlers import registry
from appliance.queue.worker import Worker
from tests.importing.wxr import item, write
from tests.local_site import LocalSite, archive, index, local_site
from tests.test_crash_sweep import Killer, Still

MANIFEST = index("index.html") + archive("entry", "{slug}/index.html") + archive("tag", "tag/{tag}.html")
COMMENTS = {"entry.html": "{{ entry.title }}|{{ entry.html }}{% for c in entry.comments %}{{ c.html }}{% endfor %}\n"}
#: Seconds after which every hold is over, but for what was saved to be published later.
_WHILE = 60.0


class Verb(NamedTuple):
    """Something that changes content, and what it needs to be there; both are told how often they were called."""

    act: Callable[[Config, Any, int], object]
    prepare: Callable[[LocalSite, int], Any] = lambda _shop, _step: None


def one(shop: LocalSite, step: int) -> Entry:
    return shop.save(f"Number {step}", tags=[f"tag{step}"], allow_comments=True)


def draft(shop: LocalSite, step: int) -> Entry:
    return shop.save(f"Number {step}", status="draft")


def scheduled(shop: LocalSite, step: int) -> Entry:
    entry = shop.save(f"Number {step}", status="draft")
    db.execute("UPDATE entry SET status = 'scheduled', published_at = 5 WHERE id = ?", [entry.id])
    return entry


def talked(status: str) -> Callable[[LocalSite, int], int]:
    def prepare(shop: LocalSite, step: int) -> int:
        said = {"author": "Ida", "status": status, "later": True}
        return int(editorial.add_comment(shop.config, "", one(shop, step), f"said {step}", **said).subject.id)  # type: ignore[arg-type]

    return prepare


def picture(shop: LocalSite, step: int) -> Path:
    file = shop.folder / f"file{step}.txt"
    file.write_text(f"step {step}")
    return file


def uploaded(shop: LocalSite, step: int) -> str:
    return str(editorial.upload_asset(shop.config, "", picture(shop, step), later=True).subject.path)


def tagged(shop: LocalSite, step: int) -> str:
    one(shop, step)
    shop.save(f"Other {step}", tags=["shared"])
    return f"tag{step}"


def folder(shop: LocalSite, step: int) -> Path:
    place = shop.folder / "posts"
    place.mkdir(exist_ok=True)
    # Two names by turns, one of which is always to be removed: with ever new ones the work grows faster than the steps.
    for name in ("a", "b", f"only{step % 2}"):
        (place / f"{name}.md").write_text(f"---\ntitle: Of {name}\ntags: [t{step}]\n---\nstep {step}\n")
    (place / f"only{(step + 1) % 2}.md").unlink(missing_ok=True)
    (place / "plain.txt").write_text(f"step {step}")
    return place


def wordpress(shop: LocalSite, step: int) -> Path:
    file = shop.folder / "export.xml"
    write(file, *(item(n, f"Post {n}", f"step {step}") for n in (1, 2)))
    return file


def movable_type(shop: LocalSite, step: int) -> Path:
    file = shop.folder / "export.txt"
    parts = (f"TITLE: Old {n}\nDATE: 01/0{n}/2006 10:00:00 AM\n-----\nBODY:\nstep {step}\n-----\n" for n in (1, 2))
    file.write_text("--------\n".join(parts) + "--------\n")
    return file


def other_settings(shop: LocalSite, step: int) -> Config:
    (site,) = shop.config.sites
    return shop.config.model_copy(update={"sites": [site.model_copy(update={"title": f"Title {step}"})]})


def open_it(_config: Config, other: Config, _step: int) -> None:
    """What opening an installation does, on the connection whose statements are counted."""
    sites.sync(other)


def pull(config: Config, _place: Path, _step: int) -> None:
    pull_job.pull(config, sources.find_sources(config)[0])


VERBS = {
    "add_entry": Verb(
        lambda c, _, n: editorial.add_entry(c, "", f"New {n}", "Hi", tags=["x", f"y{n}"], status="published")
    ),
    "edit_entry": Verb(lambda c, e, n: editorial.edit_entry(c, "", e, text=f"step {n}", tags=[f"z{n}"]), one),
    "publish_entry": Verb(lambda c, e, _: editorial.publish_entry(c, "", e), draft),
    "unpublish_entry": Verb(lambda c, e, _: editorial.unpublish_entry(c, "", e), one),
    "schedule_entry": Verb(lambda c, e, _: editorial.schedule_entry(c, "", e, "2050-01-01"), one),
    "delete_entries": Verb(lambda c, e, _: editorial.delete_entries(c, "", e), one),
    "add_comment": Verb(lambda c, e, n: editorial.add_comment(c, "", e, f"said {n}", author="Ida"), one),
    "edit_comment": Verb(lambda c, m, n: editorial.edit_comment(c, "", m, text=f"else {n}"), talked("approved")),
    "moderate_comments": Verb(lambda c, m, _: editorial.moderate_comments(c, "", [m], "approved"), talked("pending")),
    "delete_comments": Verb(lambda c, m, _: editorial.delete_comments(c, "", m), talked("approved")),
    "upload_asset": Verb(lambda c, f, _: editorial.upload_asset(c, "", f), picture),
    "move_asset": Verb(lambda c, a, n: editorial.move_asset(c, "", a, f"moved/{n}.txt"), uploaded),
    "remove_assets": Verb(lambda c, a, _: editorial.remove_assets(c, "", a), uploaded),
    "rename_term": Verb(lambda c, t, n: editorial.rename_term(c, "", "tag", t, f"Name {n}", slug=f"name-{n}"), tagged),
    "merge_terms": Verb(lambda c, t, _: editorial.merge_terms(c, "", "tag", t, "shared"), tagged),
    "delete_term": Verb(lambda c, t, _: editorial.delete_term(c, "", "tag", t), tagged),
    "the schedule": Verb(lambda c, _e, _: publishing.publish_due(c), scheduled),
    "a folder": Verb(lambda c, place, _: import_content(c, "blog", place), folder),
    "wordpress": Verb(lambda c, file, _: import_content(c, "blog", file), wordpress),
    "movable type": Verb(lambda c, file, _: import_content(c, "blog", file), movable_type),
    "a source": Verb(pull, folder),
    "settings": Verb(open_it, other_settings),
}


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    (tmp_path / "posts").mkdir()
    fed = [{"sources": [{"name": "docs", "folder": str(tmp_path / "posts")}]}]
    with local_site(tmp_path, MANIFEST, COMMENTS, sites=fed, database=database.database) as made:
        made.save("Stays", tags=["shared"])
        made.run()
        yield made


def killed(act: Callable[[], object], last: int) -> bool:
    """Have a child do something and die after step `last`; whether it did not get through."""
    db.disconnect()
    child = os.fork()
    if not child:
        code = 1
        try:
            killer = Killer(last)
            act_on(killer, act)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def act_on(killer: Killer, act: Callable[[], object]) -> None:
    opened = db.open_database(db.opened_config())  # type: ignore[arg-type]
    for name in ("execute_sql", "commit", "rollback"):
        setattr(opened, name, killer.after(getattr(opened, name)))
    act()


def workers(shop: LocalSite) -> None:
    """What workers do of themselves, somewhat later."""
    db.backend().now_at(_WHILE)
    try:
        kinds = registry.kinds(shop.config, slow=False)
        Worker("somebody", kinds, QueueSettings(), Still()).run(once=True)
        for kind in kinds:
            if kind.name == "publish":
                kind.perform.__self__._builder.close()  # type: ignore[attr-defined]
    finally:
        db.backend().now_at(0)


def unplanned() -> list[str]:
    return [change.event for change in Change.select().where(~Change.planned)]


def recorded() -> int:
    """The number of the last change."""
    return int(db.execute("SELECT COALESCE(MAX(id), 0) FROM change").fetchone()[0])


def plannings_waiting() -> int:
    return int(db.execute("SELECT COUNT(*) FROM job WHERE kind = 'plan' AND state = 'pending'").fetchone()[0])


#: Verbs that are also swept on PostgreSQL: one for each way into a transaction. All are with APPLIANCE_EXAMPLES.
_FEW = ("add_entry", "add_comment", "merge_terms", "a folder", "settings")
_BOTH = VERBS if os.environ.get("APPLIANCE_EXAMPLES") else _FEW


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "verb"),
    [*(("sqlite", verb) for verb in VERBS), *(("postgresql", verb) for verb in _BOTH)],
    indirect=["database"],
)
def test_what_was_saved_is_published_whenever_its_process_is_killed(shop: LocalSite, verb: str) -> None:
    act, prepare = VERBS[verb]
    step, stride, lost, dead, saved = 0, 1, 0, True, True
    given: Any = None
    while dead:
        step += stride
        if saved:
            given = prepare(shop, step)
            shop.run()
        before = recorded()
        dead = killed(partial(act, shop.config, given, step), step)
        saved = recorded() > before
        if dead and not unplanned():
            continue
        assert plannings_waiting() or not dead, f"killed after step {step}, nobody will plan: {unplanned()}"
        if dead:  # a few of the steps that follow stand for all: nothing is committed until all is planned
            lost, stride = lost + 1, 1 if lost < 3 else 11
        workers(shop)
        assert (unplanned(), store.recent_failures(), store.count_unfinished()) == ([], [], 0)
        (plan,) = shop.publish()
        assert plan.enqueue_results.total() == 0, f"killed after step {step}, workers left something unpublished"
    # What is due is published and planned in one transaction.
    assert lost or verb == "the schedule", "it was never killed between saving and planning"


def test_every_verb_that_publishes_is_swept() -> None:
    functions = {name: getattr(editorial, name) for name in editorial.__all__}
    verbs = {n for n, f in functions.items() if inspect.isfunction(f) and "later" in inspect.signature(f).parameters}
    assert verbs <= set(VERBS)


def test_what_is_saved_for_later_is_published_at_last(shop: LocalSite) -> None:
    editorial.add_entry(shop.config, "", "Later", status="published", later=True)
    assert (len(unplanned()) > 0, plannings_waiting()) == (True, 0)
    assert plan_job.enqueue_forgotten(shop.config, ["blog"]) == 0, "its time has not come"
    db.execute("UPDATE change SET at = at - ? WHERE NOT planned", [plan_job.FORGOTTEN_AFTER + 5])
    assert plan_job.enqueue_forgotten(shop.config, ["blog"]) == 1
    assert plan_job.enqueue_forgotten(shop.config, ["blog"]) == 0, "it is asked for already"
    workers(shop)
    assert "later/index.html" in shop.tree()


def test_a_command_leaves_no_job_behind_that_plans_once_more(shop: LocalSite) -> None:
    done = editorial.add_entry(shop.config, "", "Now", status="published")
    assert done.files == store.count_unfinished() > 0
    assert plannings_waiting() == 0
    assert db.execute("SELECT COUNT(*) FROM job_trigger WHERE job_id NOT IN (SELECT id FROM job)").fetchone()[0] == 0


def test_no_worker_runs_ahead_of_a_command(shop: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def look(*_given: object) -> list[object]:
        found.append(store.claim("somebody", ["plan"], 1, 30.0))
        return []

    monkeypatch.setattr("appliance.publishing.publish", look)
    editorial.add_entry(shop.config, "", "Now", status="published")
    assert found == [[]]


def test_an_import_is_planned_once_it_is_over(shop: LocalSite) -> None:
    def due() -> list[bool]:
        return [at <= db.now() for (at,) in db.execute("SELECT run_at FROM job WHERE kind = 'plan'").fetchall()]

    with plan_job.hold_back_import("blog"):
        shop.save("First")
        assert due() == [False]
        db.execute("UPDATE job SET run_at = run_at - 15")
        shop.save("Second")
        (at,) = db.execute("SELECT run_at FROM job WHERE kind = 'plan'").fetchone()
        assert at > db.now() + plan_job.IMPORT_DELAY - 5, "put off again"
    assert due() == [True]


def test_a_request_folded_into_a_job_that_a_planning_is_about_to_remove_is_not_lost(shop: LocalSite) -> None:
    if not shop.config.database_url:
        pytest.skip("SQLite has one writer at a time")
    shop.save("First")
    folded, commit = threading.Event(), threading.Event()

    def save() -> None:
        with db.write():
            shop.save("Second")
            plan_job.enqueue_plan(shop.config, shop.site, Cause("entry added"))
            folded.set()
            commit.wait(30)
        db.disconnect()

    other = threading.Thread(target=save)
    other.start()
    assert folded.wait(30)
    shop.publish()
    assert unplanned() == []
    commit.set()
    other.join(30)
    assert (len(unplanned()) > 0, plannings_waiting()) == (True, 1)
