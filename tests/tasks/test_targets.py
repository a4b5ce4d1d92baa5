"""The tasks about targets, typed as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance import config as settings
from appliance import db
from appliance.delivery import cursors, journal
from appliance.delivery.targets import front_ends
from appliance.installation import open_installation
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from tests.tasks.conftest import Typed

SETTINGS = """\
docroot = "{folder}/www"
[delivery]
temp_path = "/tmp"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
"""
TARGET = """\
[[targets]]
name = "{name}"
address = "{folder}/{name}"
other_path = true
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed) -> Typed:
    """Runs a command line; returns what it printed; its exit status must be that expected."""
    file = tmp_path / "appliance.toml"
    tables = "".join(TARGET.format(name=name, folder=tmp_path) for name in ("front1", "front2"))
    file.write_text(SETTINGS.format(folder=tmp_path) + tables)
    monkeypatch.setenv("APPLIANCE_CONFIG", str(file))
    return command_line


@pytest.fixture
def lagging(typed: Typed) -> None:
    """front1 has confirmed one file of two, in 2,048 bytes and half a second; front2 has failed."""
    config = settings.load()
    with open_installation(config):
        with db.write():
            journal.append([journal.Put(f"{n}.html", 1_700_000_000, "00", 5) for n in (1, 2)], config.host_name)
        front1, front2 = front_ends(config)
        cursors.confirm(front1, config.host_name, 1, files=1, bytes=2048, seconds=0.5)
        cursors.record_failure(front2, config.host_name, "target front2 (/srv/www): no way there;\nsee to the network")


@pytest.mark.usefixtures("lagging")
def test_the_list_fits_a_terminal_and_says_what_went_wrong(typed: Typed) -> None:
    lines = typed("targets.list").splitlines()
    assert lines[0].split() == ["target", "state", "lag", "waiting", "last", "push", "files", "sent", "rate"]
    one, two = (line.split() for line in lines[1:3])
    assert one[:2] == ["front1", "behind"] and one[-5:] == ["1", "2.0", "KiB", "4.0", "KiB/s"]
    assert two[:2] == ["front2", "failing"]
    assert lines[3] == "front2: no way there; see to the network"
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.usefixtures("lagging")
def test_the_list_and_the_status_for_programs(typed: Typed) -> None:
    listed = json.loads(typed("targets.list --json"))
    assert [target["name"] for target in json.loads(typed("status --json"))["targets"]] == ["front1", "front2"]
    one, two = listed
    assert (one["confirmed"], one["waiting"], one["bytes"], one["rate"], one["state"]) == (1, 1, 2048, 4096, "behind")
    assert one["lag"] >= 0 and one["pushed_at"] > 0 and one["error"] is None
    assert (two["confirmed"], two["waiting"], two["state"]) == (0, 2, "failing")


def test_what_keeps_failing_says_when_it_is_tried_again(typed: Typed) -> None:
    config = settings.load()
    with open_installation(config):
        with db.write():
            journal.append([journal.Put("1.html", 1_700_000_000, "00", 5)], config.host_name)
        cursors.record_failure(front_ends(config)[0], config.host_name, "no way there", failures=5, retry_in=30)
    lines = typed("targets.list").splitlines()
    assert lines[1].split()[:2] == ["front1", "failing"]
    assert lines[3].startswith("front1: no way there; failed 5 times in a row, tried again in ")


@pytest.mark.usefixtures("lagging")
def test_a_target_is_paused_and_resumed(typed: Typed) -> None:
    assert "paused" in typed("targets.pause front1")
    assert [target["paused"] for target in json.loads(typed("targets.list --json"))] == [True, False]
    assert typed("targets.list").splitlines()[1].split()[:2] == ["front1", "paused"]
    assert 'appliance_target_paused{target="front1"} 1.0' in typed("status --metrics -")
    typed("targets.resume front1")
    assert not any(target["paused"] for target in json.loads(typed("targets.list --json")))
    for verb in ("pause", "resume", "verify", "resync"):
        assert "there is no target “front3”" in typed(f"targets.{verb} front3", status=2)


def test_a_target_is_compared_and_repaired(typed: Typed, tmp_path: Path) -> None:
    config = settings.load()
    config.docroot.mkdir()
    with open_installation(config):
        typed("publish")
        typed("drain")
    assert "0 differ, 0 are there that nobody published" in typed("targets.verify front1")
    (tmp_path / "front1" / "index.html").write_text("no")
    (tmp_path / "front1" / "x.html").write_text("x")
    told = typed("targets.verify front1", status=2)
    assert "differs: index.html" in told and "not ours: x.html" in told and "targets.resync front1" in told
    assert not json.loads(typed("targets.verify front1 --json", status=2))["right"]
    assert json.loads(typed("targets.verify front2 --json"))["right"]
    assert "to be sent everything again" in typed("targets.resync front1")
    typed("drain")
    assert "0 differ, 0 are there" in typed("targets.verify front1")


def test_a_shared_docroot_is_marked(typed: Typed, tmp_path: Path) -> None:
    assert "shared is not set" in typed("docroot.init", status=3)
    file = tmp_path / "appliance.toml"
    file.write_text('shared = "blog"\n' + SETTINGS.format(folder=tmp_path))
    assert "The jobs wait on the queue: the docroot" in typed("publish")
    assert "has no marker" in typed("drain", status=3)
    assert "nothing is published for now: the docroot" in typed("status")
    assert "has no marker" in json.loads(typed("status --json"))["away"]
    assert "appliance_docroot_usable 0.0" in typed("status --metrics -")
    assert "(shared as “blog”): failed: the docroot" in typed("targets.check", status=2)
    assert "is the docroot of “blog”" in typed("docroot.init --anyway")
    assert "(shared as “blog”): passed" in typed("targets.check")
    assert json.loads(typed("status --json"))["away"] is None
    assert "appliance_docroot_usable 1.0" in typed("status --metrics -")
    typed("drain")
    assert (tmp_path / "www" / "index.html").exists()


def test_a_check_of_all_and_of_one(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "front1").mkdir()
    told = typed("targets.check", status=2).splitlines()
    assert told[0].startswith(f"front1 ({tmp_path}/front1): passed ")
    assert told[1].startswith(f"front2 ({tmp_path}/front2): failed: there is no folder {tmp_path}/front2")
    assert told[2] == "1 of 2 targets failed."
    assert "passed" in typed("targets.check front1")
    assert "exit status 0" in typed("targets.check front1 --verbose")


def test_a_check_for_programs(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "front1").mkdir()
    one, two = json.loads(typed("targets.check --json", status=2))
    assert (one["passed"], two["passed"]) == (True, False)
    assert [check["aspect"] for check in two["checks"] if not check["passed"]] == ["path"]


def test_an_address_that_is_not_configured(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    assert "passed" in typed(f"targets.check {tmp_path}/new --other-path")
    assert "no target of" in typed("targets.check frint1.invalid --timeout 5", status=2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param("{}/new", "use the same path on every host", marks=pytest.mark.conformance("A9")),
        pytest.param("a@b:srv/www", "has a relative path", marks=pytest.mark.conformance("A3")),
        ("a@b:/srv/www --access modul --other-path", 'must be shell, rrsync or module, not "modul"'),
        ("a@b:/srv/www --port 70000", "must be 65535 or less"),
        ("front1 --port 2222", "--port is for an address that is not configured"),
        ("front1 --key /no/such/key", "--key: there is no file /no/such/key"),
        ("front1 --timeout 0", "--timeout 0 is out of range"),
        ("-oProxyCommand=x:/srv/www", "No idea what"),
    ],
)
def test_what_makes_no_sense_is_refused(typed: Typed, tmp_path: Path, words: str, sentence: str) -> None:
    told = typed(f"targets.check {words.format(tmp_path)}", status=1 if words.startswith("-o") else 3)
    assert sentence in told


@pytest.mark.usefixtures("lagging")
def test_a_target_that_left_the_settings_is_forgotten(typed: Typed, tmp_path: Path) -> None:
    refused = typed("targets.forget front1", status=2)
    assert "front1: " in refused and "still names this target; take it out there first" in refused
    file = tmp_path / "appliance.toml"
    file.write_text(SETTINGS.format(folder=tmp_path) + TARGET.format(name="front2", folder=tmp_path))
    assert typed("targets.forget front1") == "front1: 2 rows forgotten\n"
    assert typed("targets.forget front1") == "front1: nothing was stored about it\n"
    file.write_text(file.read_text() + TARGET.format(name="front1", folder=tmp_path))
    states = {state["name"]: state for state in json.loads(typed("targets.list --json"))}
    assert (states["front1"]["confirmed"], states["front1"]["waiting"]) == (0, 2), "one of that name begins anew"
    assert states["front2"]["error"], "the others are as they were"


def test_what_a_publishing_host_that_is_gone_was_doing_is_free_for_others(typed: Typed) -> None:
    with open_installation(settings.load()):
        enqueue("publish", [JobRequest("a"), JobRequest("b")], ageing=60.0)
        assert (
            len(store.claim("pub1:7", ["publish"], 1, 600.0)) == len(store.claim("pub2:7", ["publish"], 1, 600.0)) == 1
        )
    assert (
        typed("targets.forget host:pub1")
        == "host:pub1: nothing was stored about it; 1 of its jobs are free for others\n"
    )
    with open_installation(settings.load()):
        assert store.holder_names() == ["pub2:7"]
