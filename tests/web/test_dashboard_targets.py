"""The pages about targets, and of where a page is, as a client without scripts sees them, on each database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance import audit, db, target_job
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content import sites
from appliance.delivery import cursors, journal, lag_history, page_look, progress, target_state
from appliance.delivery.journal import Delete, Put
from appliance.delivery.targets import Target, front_ends
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.web.admin.app import create_app
from tests.conftest import MakeConfig, empty_database
from tests.statements import count_statements
from tests.web.test_admin_pages import (  # noqa: F401 - fixtures
    SITES,
    URL,
    Visitor,
    administrator,
    app,
    location,
    person,
    quick_hashes,
)

PAGE = "blog/2026/11/first/index.html"
#: The longest a page of the dashboard may take the database, those of signing in included.
MOST_QUERIES = 45


def make_settings(count: int) -> dict[str, Any]:
    fronts = [
        {"name": f"www{number}", "address": f"publish@www{number}:/srv/www", "other_path": True}
        for number in range(1, count + 1)
    ]
    return {"sites": SITES, "admin": {"url": URL}, "host": "pub1", "targets": fronts}


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Config]:
    """An installation with three front ends and an admin application on each database in turn."""
    settings = make_settings(3)
    settings |= empty_database(request)
    made = make_config(**settings)
    opened = db.connect(made)
    sites.sync(made)
    yield made
    opened.close()


def publish(path: str = PAGE, version: int = 1) -> int:
    with db.write():
        journal.append([Put(path, version, f"{version:064x}", 4300)], "pub1")
    return journal.newest("pub1")


def confirm(config: Config, *names: str) -> None:
    for target in front_ends(config):
        if target.name in names:
            cursors.confirm(target, "pub1", journal.newest("pub1"), files=9, bytes=41_984, seconds=0.5)


def target(config: Config, name: str) -> Target:
    return next(one for one in front_ends(config) if one.name == name)


def fail(config: Config, name: str, failures: int = 4) -> None:
    message = f"{target(config, name)}: nothing listens there; start sshd on the front end or correct the port"
    cursors.record_failure(target(config, name), "pub1", message, failures=failures, retry_in=9)


def sentence(text: str) -> str:
    return " ".join(re.findall(r'class="sentence">([^<]*)', text)[-1].split())


def words(text: str) -> str:
    """The text of a page without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def row(text: str, name: str) -> str:
    """The words of the row about a target or a place."""
    found = next(one for one in re.findall(r"<tr id=.*?</tr>", text, re.DOTALL) if re.search(f">{name}[ <]", one))
    return words(found)


def ask_to_look(visitor: Visitor, path: str = PAGE) -> TestResponse:
    """Send the form of the page."""
    return visitor.client.post(
        "/pages/look", data={"path": path}, base_url=URL, headers={"Sec-Fetch-Site": "same-origin"}
    )


def recorded() -> list[tuple[str, str, str]]:
    return [(one.actor, one.action, one.subject_id) for one in audit.list_audit(AuditFilter(action="target.")).rows]


def test_the_list_says_how_all_targets_are_and_names_those_with_trouble(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    confirm(config, "www1", "www2", "www3")
    text = visitor.get("/targets").text
    assert sentence(text) == "All 3 targets show everything that is published."
    assert "level" in row(text, "www1")
    assert "9 files, 41 KiB" in row(text, "www1")
    assert "82 KiB/s" in row(text, "www1")
    publish(version=2)
    confirm(config, "www1")
    assert sentence(visitor.get("/targets").text) == "2 of 3 targets are being sent what they lack."
    db.execute("UPDATE publication SET at = at - 180")
    text = visitor.get("/targets").text
    assert sentence(text) == "2 of 3 targets lag behind: www2, www3."
    assert "3 min" in row(text, "www2")
    target_state.pause("www3")
    assert sentence(visitor.get("/targets").text) == "1 of 3 targets is paused: www3."
    fail(config, "www2")
    text = visitor.get("/targets").text
    assert sentence(text) == "1 of 3 targets fails: www2."
    assert "failing Nothing listens there; start sshd on the front end or correct the port. Tried again in" in row(
        text, "www2"
    )


def test_the_highest_lag_of_the_last_hour_stays_after_it_is_over(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    db.execute("UPDATE publication SET at = at - 720")
    lag_history.sample(config)
    confirm(config, "www1")
    text = visitor.get("/targets").text
    assert re.search(r"level 12 min \w", row(text, "www1"))
    assert re.search(r"behind 12 min 12 min 1 ", row(text, "www2"))


def test_one_target_is_told_with_everything_about_it(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    publish("blog/index.html")
    with db.write():
        journal.append([Delete("blog/gone/index.html", 7)], "pub1")
    fail(config, "www1")
    text = visitor.get("/targets/www1").text
    assert sentence(text).startswith("It cannot be sent anything: it lacks 3 files, the oldest for ")
    assert "Nothing listens there; start sshd on the front end or correct the port." in text
    assert "4 pushes failed in a row, so it is tried only now and then." in words(text)
    assert "Next try in" in words(text)
    assert "publish@www1:/srv/www" in text
    assert "open: it is tried only now and then" in text
    waiting = text[text.index('id="target-waiting"') :]
    assert re.findall(r'class="path"[^>]*>([^<]*)</a>( <span class="soft">to be removed</span>)?', waiting) == [
        (PAGE, ""),
        ("blog/index.html", ""),
        ("blog/gone/index.html", ' <span class="soft">to be removed</span>'),
    ]
    assert visitor.get("/targets/www9").status_code == 404


def test_a_target_is_paused_and_resumed(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    assert location(visitor.post("/targets/www1/pause")) == "/targets/www1?done=target-paused"
    assert target_state.paused_names() == {"www1"}
    text = visitor.get("/targets/www1?done=target-paused").text
    assert "The target is paused: nothing is sent to it until somebody resumes it." in text
    assert 'action="/targets/www1/resume"' in text
    assert re.search(r"ada paused it browser", words(text))
    assert location(visitor.post("/targets/www1/resume", **{"return": "/targets"})) == "/targets?done=target-resumed"
    assert target_state.paused_names() == set()
    assert recorded() == [("ada", "target.act", "www1")] * 2
    elsewhere = visitor.post("/targets/www1/pause", **{"return": "//elsewhere.example/"})
    assert location(elsewhere) == "/targets/www1?done=target-paused"
    assert visitor.post("/targets/www9/pause").status_code == 404


def test_check_and_verification_are_done_by_a_worker_and_watched(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    confirm(config, "www1", "www2", "www3")
    assert location(visitor.post("/targets/www1/check")) == "/targets/www1?done=target-check"
    assert location(visitor.post("/targets/www1/verify")) == "/targets/www1?done=target-verify"
    text = visitor.get("/targets/www1").text
    assert "Check: asked for" in words(text)
    assert "Verification: asked for" in words(text)
    assert 'id="target-now" data-live="2"' in text
    assert 'id="target-now" data-live="5"' in visitor.get("/targets/www2").text
    db.execute("UPDATE job SET state = 'running', claimed_at = created_at")
    progress.note("www1", 12_000, 45_000)
    assert "comparing files: 12,000 of 45,000." in words(visitor.get("/targets/www1").text)
    progress.end("www1")
    db.execute(
        "UPDATE job SET state = 'failed', finished_at = created_at, error_message ="
        " 'target www1 (publish@www1:/srv/www): it does not answer; check that the host is up' WHERE kind = ?",
        [target_job.CHECK],
    )
    db.execute(
        "UPDATE job SET state = 'done', outcome = 'changed', finished_at = created_at WHERE kind = ?",
        [target_job.VERIFY],
    )
    text = words(visitor.get("/targets/www1").text)
    assert "It does not answer; check that the host is up." in text
    assert "something differs, or is there that nobody published. Resync sends everything again" in text
    assert recorded() == [("ada", "target.verify", "www1"), ("ada", "target.check", "www1")]


@pytest.mark.parametrize("allowed", ["", "yes"])
def test_a_resync_is_asked_about_first_and_watched(app: Flask, config: Config, allowed: str) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    confirm(config, "www1", "www2", "www3")
    target_state.update_control("www1", verified_at=db.now(), differing=3, extra=2)
    asked = visitor.get("/targets/www1/resync")
    assert "3 files differed, 2 were there that nobody published" in words(asked.text)
    assert target_state.read_control("www1").repair_at is None
    assert location(visitor.post("/targets/www1/resync", allow_removals=allowed)) == "/targets/www1?done=target-resync"
    control = target_state.read_control("www1")
    assert control.repair_at is not None
    assert (control.clear_strangers, control.allow_removals) == (True, allowed == "yes")
    text = visitor.get("/targets/www1").text
    assert "It is being repaired" in sentence(text)
    assert "Resync: sending, 1 file to go." in words(text)
    assert "ada had everything sent again" in words(text)
    confirm(config, "www1")
    progress.note("www1", 1, 2)
    assert "everything is sent; comparing files: 1 of 2." in words(visitor.get("/targets/www1").text)


def test_the_line_of_the_lag_has_a_table_and_breaks_where_nobody_measured(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    assert "No sample was taken yet." in visitor.get("/targets/www1").text
    now = db.now()
    lags = {50: 30.0, 49: 90.0, 20: 240.0}
    for ago, lag in {**lags, 300: 5400.0}.items():
        db.execute(
            "INSERT INTO lag_sample (target, at, lag, waiting, paused, failing) VALUES ('www1', ?, ?, 1, ?, ?)",
            [now - ago * 60, lag, False, False],
        )
    text = visitor.get("/targets/www1").text
    assert "Last hour: lag in seconds" in text
    assert re.findall(r'data-n="([^"]*)"', text) == ["30.0", "90.0", "", "240.0", "0.0"]
    assert re.search(r'span=hour" aria-current="page"', text)
    day = visitor.get("/targets/www1?span=day").text
    assert "Last day: lag in minutes, the highest of every 15 minutes" in day
    assert re.search(r'span=day" aria-current="page"', day)
    shown = re.findall(r'data-n="([^"]*)"', day)
    assert (shown[0], shown[-1]) == ("90.0", "0.0")
    assert "1.5" in shown and "4.0" in shown and "" in shown


def test_who_may_only_read_sees_neither_buttons_nor_addresses(app: Flask, config: Config) -> None:  # noqa: F811
    publish()
    fail(config, "www1")
    enqueue("publish", [JobRequest(PAGE, scope="blog")], ageing=60.0)
    (job,) = db.execute("SELECT MAX(id) FROM job").fetchone()
    person("eva", **{"*": "editor"})
    visitor = Visitor(app)
    visitor.sign_in("eva")
    for path in ("/", "/targets", "/targets/www1", f"/pages?path={PAGE}", f"/jobs/{job}"):
        text = visitor.get(path).text
        assert "nothing listens" in text.lower(), path
        assert not re.search(r'action="/(targets|pages/look)', text), path
        assert "publish@www1" not in text
    for path in ("/targets/www1/pause", "/targets/www1/resync", "/targets/www1/verify"):
        assert visitor.post(path).status_code == 403
    assert ask_to_look(visitor).status_code == 403
    assert visitor.get("/targets/www1/resync").status_code == 403
    assert recorded() == []
    person("otto", blog="admin")
    other = Visitor(app)
    other.sign_in("otto")
    assert other.get("/targets").status_code in (303, 403)


def test_a_page_is_found_on_every_docroot(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish(version=1)
    confirm(config, "www1", "www2", "www3")
    publish(version=2)
    confirm(config, "www1")
    target_state.pause("www3")
    fail(config, "www2")
    text = visitor.get("/pages?path=https://blog.example/2026/11/first/").text
    assert sentence(text) == "2 of 4 docroots do not have the latest version: www2, www3."
    assert "the latest version" in row(text, "pub1")
    assert "publishing host" in row(text, "pub1")
    assert "the latest version" in row(text, "www1")
    assert "an earlier version" in row(text, "www2")
    assert "Nothing listens there; start sshd" in row(text, "www2")
    assert "Paused: nothing is sent there." in row(text, "www3")
    assert 'href="https://blog.example/2026/11/first/"' in text
    target_state.resume("www3")
    confirm(config, "www2", "www3")
    assert sentence(visitor.get(f"/pages?path={PAGE}").text) == "Every docroot has the latest version."
    with db.write():
        journal.append([Delete(PAGE, 3)], "pub1")
    confirm(config, "www1", "www2", "www3")
    assert sentence(visitor.get(f"/pages?path={PAGE}").text) == "It is deleted, and gone from every docroot."


def test_what_was_never_published_is_told_with_what_begins_alike(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    assert visitor.get("/pages").status_code == 200
    answer = visitor.get("/pages?path=blog/2026/11/fir")
    assert answer.status_code == 404
    assert "Nothing was ever published at “blog/2026/11/fir”. These begin alike:" in words(answer.text)
    assert f">{PAGE}<" in answer.text
    assert visitor.get("/pages?path=a%00").status_code == 400
    evil = visitor.get("/pages?path=%3Cscript%3E%07")
    assert evil.status_code == 404
    assert "<script>" not in evil.text.split("<main")[1]
    assert location(ask_to_look(visitor, "nowhere")) == "/pages?path=nowhere"
    assert target_job.newest_look("nowhere") is None


def test_a_look_is_asked_for_and_what_it_finds_is_told(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    number = publish()
    confirm(config, "www1", "www2", "www3")
    sent = ask_to_look(visitor)
    assert location(sent) == "/pages?path=blog%2F2026%2F11%2Ffirst%2Findex.html&done=page-look"
    text = visitor.get(f"/pages?path={PAGE}").text
    assert "Looking asked for" in words(text)
    assert 'id="places" data-live="2"' in text
    latest = page_look.latest_version(PAGE)
    assert latest is not None
    for name, seen, error in (
        ("host:pub1", "same", None),
        ("www1", "same", None),
        ("www2", "absent", None),
        ("www3", "unknown", f"{target(config, 'www3')}: it does not answer; check that the host is up"),
    ):
        db.execute(
            "INSERT INTO page_look (path, target, found, publication, error, host, at)"
            " VALUES (?, ?, ?, ?, ?, 'pub1', ?)",
            [PAGE, name, seen, number, error, db.now()],
        )
    db.execute("UPDATE job SET state = 'done', outcome = 'changed', finished_at = created_at")
    text = visitor.get(f"/pages?path={PAGE}").text
    assert sentence(text) == "What was confirmed is not what is there: www2."
    assert "the same, byte for byte" in row(text, "pub1")
    assert "no file" in row(text, "www2")
    assert "Verify or resync www2 to put it right." in row(text, "www2")
    assert "could not be seen" in row(text, "www3")
    assert "It does not answer; check that the host is up." in row(text, "www3")
    assert recorded() == [("ada", "target.look", PAGE)]
    publish(version=2)
    confirm(config, "www1", "www2", "www3")
    text = visitor.get(f"/pages?path={PAGE}").text
    assert sentence(text) == "Every docroot has the latest version."
    assert "looked before the latest version" in row(text, "www2")


def test_regions_are_answered_alone_and_only_when_they_changed(app: Flask, config: Config) -> None:  # noqa: F811
    visitor, _ = administrator(app)
    publish()
    confirm(config, "www1", "www2", "www3")
    for path, regions in {
        "/targets": ["targets"],
        "/targets/www1": ["target-now", "target-lag", "target-waiting"],
        f"/pages?path={PAGE}": ["places"],
    }.items():
        for region in regions:
            asked = {"HX-Region": region}
            answer = visitor.client.get(path, base_url=URL, headers=asked)
            assert "<html" not in answer.text
            again = visitor.client.get(path, base_url=URL, headers={**asked, "If-None-Match": answer.headers["ETag"]})
            assert again.status_code == 304, (path, region)


def test_more_targets_take_no_more_queries(make_config: MakeConfig, config: Config) -> None:
    counts = []
    for count in (2, 32):
        settings = {**make_settings(count), **({"database": config.database} if config.database_url else {})}
        larger = make_config(**settings)
        for number, one in enumerate(front_ends(larger)):
            publish(version=count * 100 + number)
            cursors.confirm(one, "pub1", journal.newest("pub1"))
        publish(version=count * 200)
        lag_history.sample(larger)
        db.execute("DELETE FROM account")
        visitor, _ = administrator(create_app(larger))
        paths = ("/targets", "/targets/www1", "/targets/www1?span=day", f"/pages?path={PAGE}", "/pages?path=blog/x")
        counts.append([count_statements(partial(visitor.get, path)) for path in paths])
    assert counts[0] == counts[1]
    assert max(counts[1]) <= MOST_QUERIES
