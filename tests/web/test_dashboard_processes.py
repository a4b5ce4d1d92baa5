"""The page of processes as a client without scripts sees it, on each database."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from appliance import audit, db
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.queue import processes
from appliance.queue.processes import ProcessRow, RegisteredProcess
from appliance.queue.replacements import Scope, follow, to_be_replaced
from tests.statements import statements
from tests.web.test_admin_pages import (  # noqa: F401 - fixtures
    Visitor,
    administrator,
    app,
    config,
    location,
    person,
    quick_hashes,
)


def enter(role: str, host: str = "pub1", keeper: str = "", *, pid: int, age: float = 60.0) -> RegisteredProcess:
    process = RegisteredProcess(role, host, keeper, pid=pid)
    process.activity = f"the work of {pid}"
    process.register(age)
    return process


@pytest.fixture
def two_hosts(config: Config) -> None:  # noqa: F811
    for number, host in enumerate(("pub1", "pub2")):
        first = 100 * (number + 1)
        enter("supervisor", host, pid=first)
        for role in ("worker", "worker", "courier"):
            first += 1
            enter(role, host, f"{host}:{100 * (number + 1)}", pid=first)
    enter("admin", "pub1", "pub1:100", pid=109)
    enter("web", "pub2", pid=300)


def requests() -> dict[str, str | None]:
    return {row.name: row.request for row in processes.list_processes() if row.request}


def recorded() -> list[tuple[str, str]]:
    rows = audit.list_audit(AuditFilter(action="process.act")).rows
    return [(row.actor, row.subject_id) for row in rows]


def sentence(text: str) -> str:
    return " ".join(re.findall(r'class="sentence">([^<]*)', text)[-1].split())


@pytest.mark.usefixtures("two_hosts")
def test_processes_stand_by_host_with_all_that_is_known(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    text = visitor.get("/processes").text
    assert [name for name in re.findall(r'<h2 id="host-\d+">([^<]*)', text) if name != config.host_name] == [
        "pub1",
        "pub2",
    ]
    row = text[text.index("the work of 101") - 300 :][:900]
    assert "running" in row
    assert re.search(r"\d+ MiB", row)
    assert "1 min ago" in row
    assert 'data-label="Supervisor">100<' in row
    db.execute("UPDATE process SET jobs = 1234 WHERE name IN ('pub1:101', 'pub1:109')")
    text = visitor.get("/processes").text
    assert re.findall(r'<a href="(/jobs[^"]*)">1,234', text) == ["/jobs?q=worker%3A%22pub1%3A101%22"]


@pytest.mark.usefixtures("two_hosts")
def test_the_sentence_names_what_is_worst(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    assert sentence(visitor.get("/processes").text) == f"No process runs on {config.host_name}."
    enter("supervisor", config.host_name, pid=1)
    assert sentence(visitor.get("/processes").text) == "11 processes on 3 hosts, all running."
    processes.request("pub1:100", "pause")
    assert sentence(visitor.get("/processes").text) == "4 of 11 processes are paused.", "its own but the admin worker"
    db.execute("UPDATE process SET beat_at = beat_at - 22 WHERE name = 'pub2:201'")
    text = visitor.get("/processes").text
    assert sentence(text) == "1 process is silent: pub2:201."
    assert re.search(r"silent for 2\d s", text)
    db.execute("DELETE FROM process WHERE role IN ('worker', 'supervisor')")
    enter("courier", config.host_name, pid=2)
    assert sentence(visitor.get("/processes").text) == "No worker runs, so nothing is published."


@pytest.mark.usefixtures("two_hosts")
def test_one_process_is_paused_and_resumed(app: Flask) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    sent = {"name": "pub1:101", "of": "pub1:101", "role": "worker"}
    assert location(visitor.post("/processes/act", request="pause", **sent)) == "/processes?done=process-paused"
    assert requests() == {"pub1:101": "pause"}
    assert location(visitor.post("/processes/act", request="resume", **sent)) == "/processes?done=process-resumed"
    assert requests() == {}
    assert recorded() == [("ada", "pub1:101"), ("ada", "pub1:101")]
    gone = visitor.post("/processes/act", request="pause", name="pub1:999", of="pub1:999", role="worker")
    assert location(gone) == "/processes?done=process-gone"
    web = visitor.post("/processes/act", request="pause", name="pub2:300", of="pub2:300", role="web")
    assert location(web) == "/processes?done=process-gone"
    assert requests() == {}


@pytest.mark.usefixtures("two_hosts")
def test_one_that_is_paused_with_its_supervisor_is_not_resumed_by_itself(app: Flask) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    processes.request("pub1:100", "pause")
    text = visitor.get("/processes").text
    assert text.count("paused with its supervisor") == 3
    assert text.count('value="resume"') == 1, "only the supervisor's"


@pytest.mark.usefixtures("two_hosts")
def test_a_host_is_recycled_after_a_question(app: Flask) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    question = visitor.get("/processes/ask?request=recycle&host=pub1").text
    assert "<h1>Recycle 4 processes on pub1?</h1>" in question
    assert re.findall(r'name="name" value="([^"]*)"', question) == ["pub1:100"], "its supervisor does it one by one"
    assert requests() == {}, "asking changes nothing"
    sent = location(visitor.post("/processes/act", request="recycle", host="pub1", name="pub1:100"))
    assert requests() == {"pub1:100": "recycle"}
    address = urlsplit(sent)
    assert (address.path, parse_qs(address.query)["n"], parse_qs(address.query)["host"]) == (
        "/processes", ["4"], ["pub1"],
    )  # fmt: skip
    text = visitor.get(sent).text
    assert "0 of 4 processes are replaced." in text
    assert "worker pub1:101, the work of 101" in text
    replace("pub1:101", "worker", 111)
    assert "1 of 4 processes are replaced." in visitor.get(sent).text
    for number, role in ((102, "worker"), (103, "courier"), (109, "admin")):
        replace(f"pub1:{number}", role, number + 10)
    text = visitor.get(sent).text
    assert "All 4 processes are replaced." in text
    assert "courier <b>pub1:113</b>" in text


def replace(name: str, role: str, pid: int) -> None:
    processes.deregister(name)
    enter(role, "pub1", "pub1:100", pid=pid, age=0.0)


@pytest.mark.usefixtures("two_hosts")
def test_the_new_process_of_one_is_awaited(app: Flask) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    sent = visitor.post("/processes/act", request="recycle", name="pub1:102", of="pub1:102", role="worker")
    address = location(sent)
    assert "The process is being replaced." in visitor.get(address).text
    processes.deregister("pub1:102")
    assert "a fresh one starts" in visitor.get(address).text
    enter("worker", "pub2", "pub2:200", pid=290, age=0.0)
    assert "The process is being replaced." in visitor.get(address).text, "that one is on another host"
    enter("worker", "pub1", "pub1:100", pid=190, age=0.0)
    text = visitor.get(address).text
    assert "The process is replaced." in text
    assert "worker <b>pub1:190</b>" in text
    region = visitor.client.get(
        address, base_url="https://admin.example", headers={"HX-Region": "replaced"}
    )  # a script asks for the inside alone
    assert "The process is replaced." in region.text
    assert "<html" not in region.text
    again = {"HX-Region": "replaced", "If-None-Match": region.headers["ETag"]}
    assert visitor.client.get(address, base_url="https://admin.example", headers=again).status_code == 304


@pytest.mark.usefixtures("two_hosts")
def test_everything_is_paused_and_only_the_paused_resumed(app: Flask) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    question = visitor.get("/processes/ask?request=pause").text
    names = re.findall(r'name="name" value="([^"]*)"', question)
    assert len(names) == 8, "those that answer cannot pause"
    visitor.post("/processes/act", request="pause", name=names)
    assert len(requests()) == 8
    processes.request("pub2:300", "recycle")
    question = visitor.get("/processes/ask?request=resume&host=pub2").text
    names = re.findall(r'name="name" value="([^"]*)"', question)
    assert names == ["pub2:200", "pub2:201", "pub2:202", "pub2:203"]
    visitor.post("/processes/act", request="resume", host="pub2", name=names)
    assert requests() == {**dict.fromkeys(("pub1:100", "pub1:101", "pub1:102", "pub1:103"), "pause"),
                          "pub2:300": "recycle"}  # fmt: skip


@pytest.mark.parametrize("query", ["request=explode", "request=recycle&of=pub1", "request=", "request=pause&of=a b:1"])
def test_what_makes_no_sense_is_refused(app: Flask, query: str) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    assert visitor.get(f"/processes/ask?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["since=nan&n=3", "since=inf&n=inf", "since=1&n=2", "since=x", "n=5", "since=-5&n=-1"]
)
def test_an_address_that_names_no_recycling_shows_the_list_alone(app: Flask, query: str) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    answer = visitor.get(f"/processes?{query}")
    assert answer.status_code == 200
    assert "replaced" not in answer.text


@pytest.mark.usefixtures("two_hosts")
def test_who_may_only_look_finds_no_buttons(app: Flask) -> None:  # noqa: F811
    person("vera", **{"*": "viewer"})
    visitor = Visitor(app)
    visitor.sign_in("vera")
    text = visitor.get("/processes").text
    assert "the work of 101" in text
    assert "/processes/act" not in text
    assert "/processes/ask" not in text
    assert visitor.post("/processes/act", request="pause", name="pub1:101").status_code == 403
    assert requests() == {}


def test_the_number_of_statements_does_not_grow(app: Flask) -> None:  # noqa: F811
    visitor, _ = administrator(app)

    def cost(path: str = "/processes") -> int:
        with statements() as sent:
            assert visitor.get(path).status_code == 200
        return len(sent)

    enter("supervisor", pid=1)
    few = cost()
    for number in range(2, 300):
        enter("worker", f"pub{number % 40}", f"pub{number % 40}:1", pid=number)
    assert cost() == few <= 9
    assert cost("/processes/ask?request=recycle") <= few


def row(name: str, role: str = "worker", keeper: str = "pub1:1", started_at: float = 0.0) -> ProcessRow:
    host, _, pid = name.rpartition(":")
    return ProcessRow(name, host, int(pid), role, keeper, "", 0, 0, started_at, 0.0, None)


def test_a_process_that_keeps_its_id_is_replaced_when_it_starts_anew() -> None:
    scope = Scope("pub1", 7, "web")
    before, after = row("pub1:7", "web", "", 10.0), row("pub1:7", "web", "", 20.5)
    assert not follow(scope, 20.0, 1, [before]).is_over
    assert not follow(scope, 20.0, 1, []).is_over
    assert follow(scope, 20.0, 1, [after]).is_over


def test_a_supervisor_replaces_its_own_and_stays() -> None:
    rows = [row("pub1:1", "supervisor", ""), row("pub1:2"), row("pub1:3", keeper="pub1:9"), row("pub2:2", keeper="x")]
    assert [each.name for each in to_be_replaced(Scope("pub1", 1, "supervisor"), rows)] == ["pub1:2"]
    assert [each.name for each in to_be_replaced(Scope("pub1"), rows)] == ["pub1:2", "pub1:3"]
    assert len(to_be_replaced(Scope(), rows)) == 3
