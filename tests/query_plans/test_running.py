"""What a running installation asks of its database costs no more in a larger one: each plan is looked at.

Tables are filled as in a large installation, on each database. Then the processes of a host, a person at the dashboard
and an edit do what they do all day, and every statement is explained as it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from appliance import audit, db, housekeeping, status
from appliance.accounts import passwords, users
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content import sites
from appliance.content.models import Site
from appliance.delivery import journal
from appliance.delivery.journal import Put
from appliance.errors import ContentError
from appliance.queue import administration, processes, store, totals
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from appliance.running.host import rescue_dead_workers
from appliance.search.query import find
from appliance.web.admin.app import create_app
from tests.conftest import MakeConfig, empty_database
from tests.delivery.test_growth import QUERIES
from tests.query_plans import explained, filled, guard
from tests.query_plans.exceptions import refused
from tests.query_plans.recorded import recording
from tests.queue.test_growth import LOOKS

URL = "https://admin.example.org/"
PASSWORD = "correct horse battery staple"
PAGES = (
    "/", "/audit", "/users", "/targets", "/targets/front1", "/pages?path=posts/7/index.html", "/jobs",
    "/jobs?q=state:pending", "/jobs?q=state:done", "/jobs?q=site:blog+path:1234", "/jobs?q=error:nowhere", "/failures",
    "/jobs/1001", "/jobs/1000", "/comments", "/comments?status=approved", "/processes", "/schedule", "/settings",
)  # fmt: skip
#: Rows of each table on PostgreSQL: enough that its planner prefers an index.
SERVER_ROWS = 12_000


@dataclass
class Installation:
    """A large installation, and what its statements were refused for."""

    config: Config
    found: list[str]


@pytest.fixture(params=["sqlite", "postgresql"])
def large(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Installation]:
    """An installation with long tables, whose statements are judged as they are sent."""
    target = {"name": "front1", "address": "/srv/front1", "other_path": True}
    config = make_config(
        targets=[target], admin={"url": URL, "second_factor": []}, web={"path": "/-/"}, **empty_database(request)
    )
    opened = db.connect(config)
    filled.fill(SERVER_ROWS if config.database_url else explained.ROWS)
    sites.sync(config)
    found: list[str] = []
    with recording(_server_judge(found) if config.database_url else guard.judge(found)):
        yield Installation(config, found)
    opened.close()


def _server_judge(found: list[str]) -> Callable[[str, str, Sequence[Any]], None]:
    judged: set[tuple[str, str]] = set()
    growing = {name for name in db.database.get_tables() if filled.grows(name) and _is_long(name)}

    def judge(sender: str, sql: str, values: Sequence[Any]) -> None:
        if (sender, sql) not in judged:
            judged.add((sender, sql))
            ((plan,),) = db.database.connection().execute(f"EXPLAIN (FORMAT JSON) {sql}", values).fetchall()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            if wrong := refused(sender, explained.server_findings(plan, growing, SERVER_ROWS)):
                found.append(f"{sender}: {'; '.join(wrong)}: {sql}")

    return judge


def _is_long(table: str) -> bool:
    return int(db.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0]) > SERVER_ROWS // 4


def _work_through_the_queue() -> None:
    enqueue("publish", [JobRequest(f"new/{number}") for number in range(30)], ageing=60.0)
    claims = store.claim("here:1", ["publish"], 20, 60.0)
    store.heartbeat(claims, 60.0)
    with db.write():
        journal.append([Put(claim.key, 4_000_000_000, "d", 1) for claim in claims[:5]], "here")
        store.complete(dict.fromkeys(claims[:5], "changed"))
    store.complete(dict.fromkeys(claims[5:10], "unchanged"))
    store.fail(claims[10], FailureDetails("BuildError", "no", ""), retry_after=None)
    store.fail(claims[11], FailureDetails("BuildError", "no", ""), retry_after=60.0)
    store.release(claims[12:])
    store.count_outstanding(["publish"], 30.0, ["UploadElsewhere"])
    store.waiting_after_error("UploadElsewhere")
    totals.read()
    totals.read(["blog"])


def _supervise(config: Config) -> None:
    rescue_dead_workers(config)
    process = processes.RegisteredProcess("worker", config.host_name)
    process.register()
    process.heartbeat()
    process.refresh_request()
    processes.prune()
    processes.list_processes()


def _look(config: Config) -> None:
    status.read_status(config)
    administration.show(1001)
    administration.find(JobFilter(), limit=50)
    find(Site.get(name="blog"), "harbour7")
    audit.list_audit(AuditFilter(actor="user1"))
    audit.read_head()


def _browse(config: Config) -> None:
    passwords.set_password(users.add_user("root", "root@x.example", roles={"*": "admin"}), PASSWORD)
    client = create_app(config).test_client()
    form = {"name": "root", "password": PASSWORD}
    client.post("/sign-in", data=form, base_url=URL, headers={"Sec-Fetch-Site": "same-origin"})
    for page in PAGES:
        answer = client.get(page, base_url=URL)
        assert answer.status_code == 200, (page, answer.status_code)


#: Tasks that go through everything by their nature: a docroot or a target is compared with the journal.
COMPARE = ("verify", "disk")


def _keep_house(config: Config) -> None:
    for task in housekeeping.periodic_tasks(config):
        if not task.name.startswith(COMPARE):
            with suppress(ContentError):  # a plan refuses to delete the artifacts that only fill the table
                task.run()


FLOWS: dict[str, Callable[[Config], object]] = {
    "looks at the queue": lambda _: [look() for name, look in LOOKS.items() if name != "list from the end"],
    "looks at the journal": lambda _: [query() for query in QUERIES.values()],
    "the queue": lambda _: _work_through_the_queue(),
    "a supervisor": _supervise,
    "a command": _look,
    "the dashboard": _browse,
    "housekeeping": _keep_house,
}


def test_no_statement_of_a_running_installation_costs_more_in_a_larger_one(large: Installation) -> None:
    for flow in FLOWS.values():
        flow(large.config)
    assert not large.found, "\n".join(large.found)


def test_a_statement_that_reads_a_whole_table_is_refused(large: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for lost jobs as it once was, which no index fits; and pruning by a condition that none implies."""
    execute = db.execute

    def spoilt(sql: str, parameters: Sequence[Any] = ()) -> Any:
        return execute(sql.replace("state = 'running' AND", "state || '' = 'running' AND"), parameters)

    with monkeypatch.context() as patch:
        patch.setattr(db, "execute", spoilt)
        store.rescue(3)
    assert any("scan job" in one or "walk job" in one for one in large.found), large.found
