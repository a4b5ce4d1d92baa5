"""The schedule, sources and settings as a client without scripts sees them, on each database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from appliance import audit, db, housekeeping, pull_job, settings_report
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.config.shown import ShownSetting
from appliance.content import sites
from appliance.db import grants
from appliance.errors import ContentError
from appliance.importing import sources
from appliance.queue import periodic_history
from appliance.queue.processes import RegisteredProcess
from appliance.queue.recurrence import At, Every
from appliance.settings_report import HostSettings
from appliance.web.admin.app import create_app
from tests.conftest import MakeConfig, empty_database
from tests.statements import statements
from tests.web.test_admin_pages import (  # noqa: F401 - a fixture
    SITES,
    URL,
    Visitor,
    administrator,
    location,
    person,
    quick_hashes,
)

POST = "---\ntitle: A post\ndate: 2024-05-01\n---\nText.\n"
SECRET = "canary-8c1d"


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, make_config: MakeConfig, tmp_path: Path) -> Iterator[Config]:
    """An installation of two hosts on each database in turn, with a source for each of two sites."""
    fed = [{**site, "sources": [{"name": "docs", "folder": str(tmp_path / "posts"), "every": "1h"}]} for site in SITES]
    caches = [{"name": "varnish", "url": "http://cache.example/", "headers": {"Key": SECRET}}]
    settings: dict[str, Any] = {"sites": fed, "admin": {"url": URL}, "host": "pub1", "caches": caches}
    if found := empty_database(request):
        settings |= {**found, "publishing_hosts": ["pub1", "pub2"]}
    (tmp_path / "posts").mkdir()
    made = make_config(**settings)
    opened = db.connect(made)
    sites.sync(made)
    yield made
    opened.close()


@pytest.fixture
def app(config: Config) -> Flask:
    made = create_app(config)
    made.testing = False
    return made


def row_of(text: str, name: str) -> str:
    """The row of a table that begins with a name, without its tags."""
    found = next(row for row in text.split("<tr>") if re.search(rf'scope="row">(?:<[^>]*>)?{re.escape(name)}[ <]', row))
    return " ".join(re.sub(r"<[^>]*>", " ", found.split("</tr>")[0]).split())


def sentence(text: str) -> str:
    return " ".join(re.findall(r'class="sentence">([^<]*)', text)[-1].split())


def pull(config: Config, site: str = "blog") -> None:
    (source,) = sources.find_sources(config, ["docs"], site)
    pull_job.pull(config, source)


def run_all(config: Config) -> None:
    """Run what is due on each publishing host."""
    for host in ("pub1", "pub2"):
        housekeeping.make_schedule(config.model_copy(update={"host": host})).run_due()


def test_tasks_stand_with_their_last_and_next_run(app: Flask, config: Config) -> None:
    visitor, _ = administrator(app)
    RegisteredProcess("schedule", "pub1", pid=1).register()
    text = visitor.get("/schedule").text
    assert "every minute" in row_of(text, "rescue")
    assert "not yet" in row_of(text, "rescue")
    assert "when there is something to do" in row_of(text, "scheduled")
    assert "every hour" in row_of(text, "pull blog/docs")
    if config.publishing_hosts:
        assert "every hour" in row_of(text, "verify pub2"), "also what another host does"
    run_all(config)
    text = visitor.get("/schedule").text
    assert re.search(r"rescue .* every minute done (now|.* ago) pub1:\d+ in ", row_of(text, "rescue"))
    assert sentence(text).endswith("all of which ran as they should.")


def test_what_is_wrong_with_tasks_is_the_sentence(app: Flask, config: Config) -> None:
    visitor, _ = administrator(app)
    run_all(config)
    assert sentence(visitor.get("/schedule").text).startswith("No process runs the schedule")
    # Its due time lies far back, as if nothing had served those that came since.
    db.execute("UPDATE periodic SET due_at = due_at - 7200 WHERE name = 'audit'")
    assert sentence(visitor.get("/schedule").text) == "1 periodic task is late: audit. No process runs them."
    db.execute("UPDATE periodic SET error = 'the disk is full' WHERE name = 'rescue'")
    text = visitor.get("/schedule").text
    assert sentence(text) == "1 periodic task failed at the last run: rescue."
    assert "the disk is full" in row_of(text, "rescue")


def test_a_task_is_run_now_by_whichever_host_has_it(app: Flask, config: Config) -> None:
    visitor, _ = administrator(app)
    schedule = housekeeping.make_schedule(config)
    schedule.run_due()
    name = "verify pub2" if config.publishing_hosts else "audit"
    assert location(visitor.post("/schedule/run", name=name)) == "/schedule?done=task-asked"
    assert "asked for" in row_of(visitor.get("/schedule").text, name)
    assert [run.name for run in schedule.run_due()] == ([] if config.publishing_hosts else ["audit"])
    (recorded,) = audit.list_audit(AuditFilter(action="periodic.run")).rows
    assert (recorded.actor, recorded.subject_id) == ("ada", name)
    assert location(visitor.post("/schedule/run", name="nothing")) == "/schedule?done=task-unknown"


def test_a_run_in_progress_is_shown_and_cannot_be_asked_for(app: Flask, config: Config) -> None:
    visitor, _ = administrator(app)
    housekeeping.make_schedule(config).run_due()
    (now,) = db.execute("UPDATE periodic SET lease_until = ? WHERE name = 'audit' RETURNING 1", [db.now() + 50])
    assert now == (1,)
    row = row_of(visitor.get("/schedule").text, "audit")
    assert "running on pub1:" in row
    assert "Run now" not in row


def test_a_source_is_pulled_now_and_its_report_read(app: Flask, config: Config, tmp_path: Path) -> None:
    visitor, _ = administrator(app)
    assert "never pulled" in row_of(visitor.get("/schedule").text, "docs")
    page = "/sites/blog/sources/docs"
    assert "It has not been pulled yet." in visitor.get(page).text
    assert location(visitor.post(f"{page}/pull")) == f"{page}?done=pull-asked"
    assert "waits for a worker" in visitor.get(page).text
    assert "waits for a worker" in row_of(visitor.get("/schedule").text, "docs")
    (recorded,) = audit.list_audit(AuditFilter(action="source.pull")).rows
    assert (recorded.actor, recorded.site, recorded.subject_id) == ("ada", "blog", "docs")
    db.execute("UPDATE job SET state = 'running', worker = 'pub1:7' WHERE kind = 'pull'")
    assert "being pulled by pub1:7" in visitor.get(page).text
    db.execute("DELETE FROM job")
    (tmp_path / "posts" / "a.md").write_text(POST)
    (tmp_path / "posts" / "b.md").write_text("---\ntitle: [\n---\n")
    pull(config)
    text = visitor.get(page).text
    assert "texts: 1 added" in text
    assert "b.md: " in text, "what was left out, and why"
    (tmp_path / "posts").rename(tmp_path / "gone")
    for _ in range(2):
        with pytest.raises(ContentError):
            pull(config)
    text = visitor.get(page).text
    assert "2 times since" in text
    assert "failed" in row_of(visitor.get("/schedule").text, "docs")
    region = visitor.client.get(page, base_url=URL, headers={"HX-Region": "pulls"})
    assert "<html" not in region.text
    assert "2 times since" in region.text


def test_people_of_one_site_see_its_sources_alone(app: Flask, tmp_path: Path) -> None:
    person("vera", news="viewer")
    viewer = Visitor(app)
    viewer.sign_in("vera")
    text = viewer.get("/schedule").text
    assert "Periodic tasks" not in text
    assert "/sites/news/sources/docs" in text
    assert "/sites/blog/" not in text
    assert str(tmp_path) not in text, "the place is for those who may pull"
    assert str(tmp_path) not in viewer.get("/sites/news/sources/docs").text
    assert "Pull now" not in viewer.get("/sites/news/sources/docs").text
    assert viewer.get("/sites/blog/sources/docs").status_code == 404
    assert viewer.get("/sites/news/sources/other").status_code == 404
    assert viewer.post("/sites/news/sources/docs/pull").status_code == 403
    person("ed", news="editor")
    editor = Visitor(app)
    editor.sign_in("ed")
    assert str(tmp_path / "posts") in editor.get("/schedule").text
    assert location(editor.post("/sites/news/sources/docs/pull")) == "/sites/news/sources/docs?done=pull-asked"


def report(process: str, *settings: ShownSetting, faults: tuple[str, ...] = ()) -> None:
    host, _, pid = process.rpartition(":")
    RegisteredProcess("supervisor", host, pid=int(pid)).register()
    settings_report.write(HostSettings(process, host, f"/etc/{host}.toml", 0.0, settings, faults))


def test_settings_are_those_that_daemons_tell(app: Flask) -> None:
    visitor, _ = administrator(app)
    workers, batch = ShownSetting("queue", "workers", "2", "file"), ShownSetting("queue", "batch", "50", "default")
    report("pub1:1", workers, batch)
    text = visitor.get("/settings").text
    assert sentence(text) == "Nothing is wrong in the settings."
    assert "/etc/pub1.toml on pub1" in text
    assert row_of(text, "workers").endswith("2 the file")
    assert row_of(text, "batch").endswith("50 default")
    assert "The number of worker processes on this host." in text
    report("pub2:1", ShownSetting("queue", "workers", "4", "file", "8"), batch)
    text = visitor.get("/settings").text
    assert sentence(text) == "1 changed setting is used after a restart."
    assert "pub2: 4" in row_of(text, "workers"), "what differs on another host"
    assert "pub2" not in row_of(text, "batch")
    assert "after a restart: 8" in row_of(visitor.get("/settings?of=pub2:1").text, "workers")
    report("pub2:1", workers, faults=("queue.wrkers: unknown key; did you mean workers?",))
    text = visitor.get("/settings").text
    assert sentence(text) == "1 fault in the settings of pub2."
    assert "queue.wrkers: unknown key; did you mean workers?" in text
    assert "/etc/pub2.toml on pub2" in text


def test_settings_are_found_by_key_and_value(app: Flask) -> None:
    visitor, _ = administrator(app)
    text = visitor.get("/settings?text=IDLE").text
    assert row_of(text, "idle_minutes")
    assert "workers" not in text
    assert "No setting has that" in visitor.get("/settings?text=nothing-like-it").text


def test_no_theme_is_read_in_a_request(app: Flask, config: Config) -> None:
    site = 'name = "blog"\ntitle = "x"\nurl = "https://x.example/"\ntheme = "none"\n'
    config.path.write_text(f'docroot = "{config.docroot}"\n[[sites]]\n{site}', "utf-8")
    visitor, _ = administrator(app)
    text = visitor.get("/settings").text
    assert "cannot be read" not in text
    assert "after a restart" in text


def test_without_a_daemon_the_application_tells_its_own_without_secrets(app: Flask, config: Config) -> None:
    visitor, _ = administrator(app)
    text = visitor.get("/settings").text
    assert "since no daemon runs" in text
    assert "headers" in text
    assert SECRET not in text
    assert "cannot be read" in text, "the file that the test's settings name is not there"


def test_the_number_of_statements_does_not_grow(app: Flask, config: Config, tmp_path: Path) -> None:
    visitor, _ = administrator(app)

    def cost(path: str) -> int:
        with statements() as sent:
            assert visitor.get(path).status_code == 200
        return len(sent)

    page = "/sites/blog/sources/docs"
    (tmp_path / "posts" / "first.md").write_text(POST)
    pull(config)
    before = [cost(path) for path in ("/schedule", page, "/settings")]
    for number in range(5):
        (tmp_path / "posts" / f"{number}.md").write_text(POST.replace("A post", f"Post {number}"))
        pull(config)
        pull(config, "news")
        report(f"pub{number}:1", ShownSetting("queue", "workers", "2", "file"))
    housekeeping.make_schedule(config).run_due()
    after = [cost(path) for path in ("/schedule", page, "/settings")]
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
    assert max(before) <= 25


@pytest.fixture
def with_role(config: Config) -> Iterator[None]:
    """The rights in the database are those of the admin application's role alone, where there are roles."""
    if not config.database_url:
        pytest.skip("SQLite has no roles")
    with db.write():
        db.execute(f"CREATE ROLE {grants.ROLE}")
    assert db.grant()
    db.execute(f"SET ROLE {grants.ROLE}")
    yield
    assert db.execute("SELECT current_user").fetchone() == (grants.ROLE,), "a request had another connection"
    db.execute("RESET ROLE")
    with db.write():
        db.execute(f"DROP OWNED BY {grants.ROLE}")
        db.execute(f"DROP ROLE {grants.ROLE}")


@pytest.mark.usefixtures("with_role")
def test_the_role_of_the_application_is_enough(app: Flask) -> None:
    visitor, _ = administrator(app)
    RegisteredProcess("worker", "pub1", pid=5).register()
    for path in ("/processes", "/processes/ask?request=recycle", "/schedule", "/sites/blog/sources/docs", "/settings"):
        assert visitor.get(path).status_code == 200, path
    sent = visitor.post("/processes/act", request="recycle", name="pub1:5", of="pub1:5", role="worker")
    assert location(sent).startswith("/processes?since=")
    assert location(visitor.post("/schedule/run", name="audit")) == "/schedule?done=task-asked"
    assert location(visitor.post("/sites/blog/sources/docs/pull")).endswith("done=pull-asked")


@pytest.mark.parametrize(
    ("rule", "words"),
    [(Every(60), "every minute"), (Every(600), "every 10 minutes"), (Every(10), "every 10 seconds"),
     (Every(7200), "every 2 hours"), (Every(86_400), "every day"), (At("daily", 3, 30), "every day at 03:30 (UTC)"),
     (At("weekly", 3, 5), "Mondays at 03:05 (UTC)"), (At("monthly"), "the 1st of each month at 00:00 (UTC)")],
)  # fmt: skip
def test_rules_are_said_in_words(rule: Every | At, words: str) -> None:
    assert rule.words == words


def test_every_task_is_described(make_config: MakeConfig, tmp_path: Path) -> None:
    """With everything that has tasks of its own."""
    config = make_config(
        admin={"url": URL, "preview_url": "https://preview.example"}, web={"path": "/-/"},
        targets=[{"name": "front", "address": str(tmp_path / "front"), "other_path": True}],
        webhooks=[{"name": "chat", "url": "https://hooks.example/", "events": ["target.behind"], "secret_file": "/x"}],
    )  # fmt: skip
    tasks = [task.name for task in housekeeping.make_shown_schedule(config).tasks]
    assert {"webhooks", "search", "previews", "verify-targets", "statistics"} <= set(tasks)
    assert [name for name in tasks if not housekeeping.describe(name)] == []


def test_a_task_has_a_page_with_its_last_runs(app: Flask, config: Config) -> None:
    visitor, _ = administrator(app)
    assert '<a href="/schedule/task?name=pull+blog%2Fdocs">' in visitor.get("/schedule").text
    assert "No run of it is recorded yet." in visitor.get("/schedule/task?name=rescue").text
    run_all(config)
    periodic_history.record("rescue", db.now() - 3, "pub1:7", error="<b>the disk is full</b>")
    text = visitor.get("/schedule/task?name=rescue").text
    assert "&lt;b&gt;the disk is full" in text
    assert "pub1:7" in text
    assert re.search(r'class="n nowrap">3(.\d)? s<', text)
    back = "/schedule/task?name=rescue"
    assert location(visitor.post("/schedule/run", name="rescue", back=back)) == f"{back}&done=task-asked"
    assert location(visitor.post("/schedule/run", name="rescue", back="//evil.example")) == "/schedule?done=task-asked"
    assert visitor.get("/schedule/task?name=nothing").status_code == 404
