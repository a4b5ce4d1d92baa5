"""Looks at pages on real front ends: what is there, compared with what was published."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import db, target_job
from appliance.actor import Actor, acting
from appliance.audit import AuditFilter, list_audit
from appliance.config import Config
from appliance.delivery import page_look
from appliance.delivery.journal import Delete
from appliance.delivery.page_look import PlaceLook
from appliance.delivery.transports.factory import TransportFactory
from appliance.demo.frontend import FrontEnd
from appliance.errors import DeliveryError
from tests.conftest import MakeConfig

from .conftest import ORIGIN, Publisher

PAGE = "2026/11/first/index.html"


@pytest.fixture
def config(publisher: Publisher, front_ends: Callable[..., list[FrontEnd]], make_config: MakeConfig) -> Config:
    """A publishing host with two front ends."""
    targets = [front_end.settings() for front_end in front_ends(2)]
    made = make_config(docroot=str(publisher.docroot), host=ORIGIN)
    return made.model_copy(update={"targets": targets, "delivery": publisher.delivery})


def pushed(publisher: Publisher, config: Config, text: str = "first") -> None:
    change = publisher.put(PAGE, text)
    with TransportFactory() as transports:
        for target in publisher.targets:
            transports.open(target).push([change])


def found(looks: list[PlaceLook]) -> dict[str, str]:
    return {one.target: one.found for one in looks}


def there(publisher: Publisher, number: int) -> Path:
    return publisher.front_ends[number].docroot / PAGE


def test_everything_is_where_it_was_sent(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    looks = page_look.look(config, PAGE)
    assert found(looks) == {"host:publisher": "same", "front0": "same", "front1": "same"}
    assert {one.target: one for one in looks} == page_look.read(PAGE)
    assert page_look.read("other") == {}


def test_what_was_changed_or_removed_there_is_told(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    status = there(publisher, 0).stat()
    there(publisher, 0).write_text("tsrif")  # as long as it was, and as old
    os.utime(there(publisher, 0), ns=(status.st_atime_ns, status.st_mtime_ns))
    there(publisher, 1).unlink()
    before = there(publisher, 0).read_bytes()
    assert found(page_look.look(config, PAGE)) == {
        "host:publisher": "same",
        "front0": "different",
        "front1": "absent",
    }
    assert there(publisher, 0).read_bytes() == before
    assert not there(publisher, 1).exists()


def test_a_later_look_replaces_what_an_earlier_one_found(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    page_look.look(config, PAGE)
    publisher.put(PAGE, "second")
    assert found(page_look.look(config, PAGE)) == {
        "host:publisher": "same",
        "front0": "different",
        "front1": "different",
    }
    assert found(list(page_look.read(PAGE).values()))["front0"] == "different"


def test_a_front_end_that_does_not_answer_holds_up_no_other(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    publisher.front_ends[0].stop()
    looks = {one.target: one for one in page_look.look(config, PAGE)}
    assert looks["front1"].found == "same"
    assert (looks["front0"].found, looks["front1"].error) == ("unknown", None)
    assert "nothing listens there; start sshd on the front end or correct the port" in str(looks["front0"].error)


def test_a_deleted_page_ought_to_be_gone(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    publisher.delete(PAGE)
    with TransportFactory() as transports:
        transports.open(publisher.targets[1]).push([Delete(PAGE, publisher.version)])
    assert found(page_look.look(config, PAGE)) == {"host:publisher": "same", "front0": "different", "front1": "same"}


def test_nothing_compares_with_a_docroot_that_is_wrong_itself(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    status = (publisher.docroot / PAGE).stat()
    (publisher.docroot / PAGE).write_text("tsrif")
    os.utime(publisher.docroot / PAGE, ns=(status.st_atime_ns, status.st_mtime_ns))
    looks = {one.target: one for one in page_look.look(config, PAGE)}
    assert found(list(looks.values())) == {"host:publisher": "different", "front0": "unknown", "front1": "unknown"}
    assert "does not have what was published" in str(looks["front0"].error)
    (publisher.docroot / PAGE).unlink()
    assert page_look.look(config, PAGE)[0].found == "absent"


def test_what_is_kept_is_never_sent(publisher: Publisher, config: Config) -> None:
    pushed(publisher, config)
    kept = config.model_copy(update={"delivery": publisher.delivery.model_copy(update={"keep": ["/2026/"]})})
    assert found(page_look.look(kept, PAGE)) == {"host:publisher": "same", "front0": "kept", "front1": "kept"}


def test_a_path_that_was_never_published_is_refused(publisher: Publisher, config: Config) -> None:
    for act in (page_look.look, target_job.request_look):
        with pytest.raises(DeliveryError, match="nothing was ever published at “nowhere”"):
            act(config, "nowhere")
    assert target_job.newest_look("nowhere") is None


def test_a_request_is_a_job_and_a_row_of_the_audit(publisher: Publisher, config: Config) -> None:
    publisher.put(PAGE, "first")
    with acting(Actor("ada", "browser")):
        target_job.request_look(config, PAGE)
        target_job.request_look(config, PAGE)
    job = target_job.newest_look(PAGE)
    assert job is not None
    assert (job.kind, job.key, job.state, job.triggers) == ("look-at-page", PAGE, "pending", 2)
    rows = list_audit(AuditFilter(subject="page", subject_id=PAGE)).rows
    assert [(row.actor, row.action) for row in rows] == [("ada", "target.look")] * 2


def test_what_was_found_is_forgotten_after_a_day(
    publisher: Publisher, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(publisher, config)
    page_look.look(config, PAGE)
    later = db.now() + 86_401
    monkeypatch.setattr("time.time", lambda: later)
    assert page_look.read(PAGE) == {}
    publisher.put("b.html", "b")
    page_look.look(config, "b.html")
    assert db.execute("SELECT DISTINCT path FROM page_look").fetchall() == [("b.html",)]
