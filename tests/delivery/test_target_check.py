"""The setup check: every way a target can be set up wrong has its sentence, and nothing of the probe stays."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import clock
from appliance.delivery.diagnostics import check_targets, judgements, target_check
from appliance.delivery.diagnostics.check_targets import InspectionAccount
from appliance.delivery.diagnostics.probe import CommandRunner, Probe
from appliance.delivery.diagnostics.target_check import CheckResult
from appliance.delivery.targets import Target
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder
from appliance.demo.frontend import FrontEnd, make_key
from tests.leftovers import none_left

from .conftest import Publisher

FrontEnds = Callable[..., list[FrontEnd]]

SHELL = 'sh -c "$SSH_ORIGINAL_COMMAND"'
pytestmark = pytest.mark.conformance("A8")


def rrsync(publisher: Publisher) -> str:
    return f"rrsync -wo -munge '{publisher.folder}/front 0/docroot'"


def of(publisher: Publisher, front: FrontEnd, access: str = "module", **settings: object) -> Target:
    return publisher.target(front.settings().model_copy(update={"access": access, **settings}))


def check(target: Target, **how: object) -> CheckResult:
    (checked,) = target_check.check([target], **how)  # type: ignore[arg-type]
    return checked


def wrong(checked: CheckResult) -> dict[str, str]:
    return {check.aspect: check.said for check in checked.checks if check.passed is False}


def unseen(checked: CheckResult) -> list[str]:
    return [check.aspect for check in checked.checks if check.passed is None]


def let_in(front: FrontEnd, key: Path) -> None:
    """Another key, with a shell, as an administrator has."""
    make_key(key)
    with (front.folder / "authorized_keys").open("a") as file:
        file.write(key.with_name(key.name + ".pub").read_text())


def test_a_confined_key_passes_and_unseen_checks_are_named(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    checked = check(of(publisher, front))
    assert checked.passed, wrong(checked)
    assert unseen(checked) == ["path", "rename", "space"]
    assert list(front.docroot.iterdir()) == []


def test_rrsync_is_seen_from_the_inside_by_another_account(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1, forced=rrsync(publisher))
    admin = publisher.folder / "admin"
    let_in(front, admin)
    target = of(publisher, front, "rrsync")
    user = (target.host or "").partition("@")[0]
    checked = check(target, account=InspectionAccount(user, admin))
    assert checked.passed, wrong(checked)
    assert unseen(checked) == []
    said = {one.aspect: one.said for one in checked.checks}
    assert said["path"] == str(front.docroot.resolve()) and said["mode"].endswith(" 644")
    refused = check(target, account=InspectionAccount(user, publisher.delivery.ssh_key))
    assert "has no shell for this key" in wrong(refused)["access"]
    assert list(front.docroot.iterdir()) == []


def test_a_shell_sees_everything(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1, forced=SHELL)
    told: list[str] = []
    checked = check(of(publisher, front, "shell"), log=told.append)
    assert checked.passed, wrong(checked)
    assert unseen(checked) == []
    assert any("--delay-updates" in line and "exit status 0" in line for line in told)


def test_a_folder_on_this_host(publisher: Publisher) -> None:
    target = publisher.local("copy")
    assert "there is no folder" in wrong(check(target))["path"]
    target.folder.mkdir()
    assert check(target).passed
    assert list(target.folder.iterdir()) == []


def test_targets_are_checked_in_parallel_and_reported_in_order(publisher: Publisher, front_ends: FrontEnds) -> None:
    fronts = front_ends(2)
    fronts[0].stop()
    done: list[str] = []
    checked = target_check.check(publisher.targets, on_result=lambda one: done.append(one.target.name))
    assert [one.passed for one in checked] == [False, True]
    assert done == ["front0", "front1"]
    assert "start sshd" in wrong(checked[0])["reachable"]


@pytest.mark.conformance("A7")
def test_a_host_key_that_is_not_pinned_is_shown_and_not_learned(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    pinned = publisher.folder / "known hosts"
    pinned.write_text("")
    said = wrong(check(of(publisher, front)))["host key"]
    print_of = subprocess.run(
        ["ssh-keygen", "-lf", front.folder / "host_key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert said.endswith(f"add this line to {pinned}: {front.known_host.strip()}")
    assert print_of in said and "ssh_host_ed25519_key.pub" in said
    assert pinned.read_text() == ""
    pinned.write_text(said.rpartition(": ")[2] + "\n")  # as it tells people to
    assert check(of(publisher, front)).passed


def test_a_host_key_that_changed_is_another_matter(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    make_key(publisher.folder / "other")
    kind, key = (publisher.folder / "other.pub").read_text().split()[:2]
    (publisher.folder / "known hosts").write_text(f"[127.0.0.1]:{front.ssh_port} {kind} {key}\n")
    said = wrong(check(of(publisher, front)))["host key"]
    assert "somebody may be intercepting" in said and said.endswith(front.known_host.strip())


def test_a_key_that_is_refused(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    make_key(publisher.folder / "other")
    checked = check(check_targets.with_keys(of(publisher, front), publisher.folder / "other", None))
    assert list(wrong(checked)) == ["key"] and "authorized_keys" in wrong(checked)["key"]


def test_a_key_confined_in_another_way_than_configured(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    admin = publisher.folder / "admin"
    let_in(front, admin)
    module = of(publisher, front)
    cases = {
        'its access is "module" and not "shell"': of(publisher, front, "shell"),
        'its access is "module" and not "rrsync"': of(publisher, front, "rrsync"),
        "the key may run any command there": check_targets.with_keys(module, admin, None),
    }
    for sentence, checked in zip(cases, target_check.check(list(cases.values())), strict=True):
        assert sentence in wrong(checked)["access"]


def test_a_front_end_that_runs_something_else(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1, forced="echo away; exit 3")
    assert "no shell, rrsync or rsync daemon answers this key (away)" in wrong(check(of(publisher, front)))["access"]


def test_a_front_end_that_hangs_is_given_up(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1, forced="sleep 60")
    with none_left():
        checked = check(of(publisher, front), limit=1.0)
    assert not checked.passed and checked.seconds < 8
    assert "within the 1 s" in next(iter(wrong(checked).values()))


def test_a_docroot_that_cannot_be_written(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    config = front.folder / "rsyncd.conf"
    config.write_text(config.read_text().replace("read only = no", "read only = yes"))
    assert list(wrong(check(of(publisher, front)))) == ["writable"]


@pytest.fixture
def small(publisher: Publisher) -> Iterator[Path]:
    """A file system of a mebibyte, where this user may mount one."""
    folder = publisher.folder / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a small file system takes root and a kernel that lets it")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full_or_almost(publisher: Publisher, small: Path) -> None:
    target = publisher.local("any")
    target = replace(target, settings=target.settings.model_copy(update={"address": str(small)}))
    assert "make room" in wrong(check(target))["space"]
    (small / "fill").write_bytes(b"x" * ((1 << 20) - 8192))
    assert next(iter(wrong(check(target)))) == "writable"
    assert [path.name for path in small.iterdir()] == ["fill"]


def test_options_that_break_a_promise(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    admin = publisher.folder / "admin"
    let_in(front, admin)
    cases = [
        ("module", "--no-times", "arrived"),
        ("shell", "--chmod=F600", "mode"),
        ("shell", "--temp-dir=/tmp", "rename"),
        ("shell", "--no-times", "arrived"),
    ]
    chosen = [of(publisher, front, access, rsync_options=[option]) for access, option, _ in cases]
    chosen = [check_targets.with_keys(t, admin if t.settings.access == "shell" else None, None) for t in chosen]
    for (access, option, aspect), checked in zip(cases, target_check.check(chosen), strict=True):
        assert aspect in wrong(checked), (access, option, wrong(checked))
    assert list(front.docroot.iterdir()) == []


def test_clock_drift_is_found_with_a_write_only_key(
    publisher: Publisher, front_ends: FrontEnds, tmp_path: Path
) -> None:
    (front,) = front_ends(1)
    target = of(publisher, front)
    private = SshFolder(publisher.delivery)
    connection = SshConnection(target, private, 0)
    folder = tmp_path / "probe"
    folder.mkdir()
    probe = Probe(target, connection, CommandRunner(target, 20, lambda _: None), folder)
    probe.write(probe.clock_file, b"x", 0)
    connection.warm()
    probe.push(probe.clock_file, "--no-times")
    now = clock.now()
    # As if this host's clock were so far ahead, or behind.
    told = {off: judgements.judge_clock(probe, None, (now + off, now + off)) for off in (1, 30, -1800, 200_000)}
    probe.remove()
    connection.close()
    private.remove()
    assert [passed for passed, _ in told.values()] == [True, False, False, False]
    for off, words in {30: "less than a minute", -1800: "less than an hour", 200_000: "more than a day"}.items():
        assert words in told[off][1] and "NTP" in told[off][1]
