"""Scenarios are run one after another, timed by step, and pass only if nothing is left of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from invoke import Context, Exit

from devtools import checks, collections, molecule, test_hosts

ROOT = Path(__file__).parents[2]

#: In place of molecule: writes down its words, then does as it is told by the scenario's name.
STUB = """
import pathlib, sys, time
verb, name = sys.argv[1], sys.argv[2].partition("=")[2]
with pathlib.Path("asked").open("a") as asked:
    print(*sys.argv[1:], file=asked)
print(f"INFO     [{name} > create] Executing", flush=True)
print(f"INFO     [{name} > create] \\033[31mExecuted: Successful", flush=True)
if name == "hanging" and verb == "test":
    time.sleep(60)
sys.exit(name == "bad" and verb == "test")
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in molecule._INTERRUPTIONS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with scenarios, where molecule is a stub and podman knows of nothing."""
    for name in ("default", "cluster", "cron", "nfs", "bad", "hanging"):
        folder = tmp_path / "molecule" / name
        folder.mkdir(parents=True)
        (folder / "converge.yml").touch()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "molecule.py").write_text(STUB, "utf-8")
    for module in (checks, molecule, test_hosts):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(test_hosts, "socket_folder", lambda scenario: tmp_path / f"sockets of {scenario}")
    monkeypatch.setattr(test_hosts, "build_image", lambda suite: False)
    monkeypatch.setattr(test_hosts, "leftovers", lambda scenarios: [])
    monkeypatch.setattr(test_hosts, "count_running", lambda scenario: 0)
    monkeypatch.setattr(collections, "install", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stub"))
    return tmp_path


def run(*scenarios: str, verb: str = "test", keep: bool = False) -> None:
    molecule.molecule(Context(), scenario=list(scenarios), verb=verb, keep=keep)


def asked(checkout: Path) -> list[str]:
    return (checkout / "asked").read_text("utf-8").splitlines()


def test_all_but_the_slow_one_are_run_unless_named(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert asked(checkout) == [f"test --scenario-name={name}" for name in ("default", "cluster", "cron")]
    told = re.sub(r"\d+(\.\d)? s\b", "n s", capsys.readouterr().out)
    assert "cron: create took n s\n" in told
    assert "cron: passed (n s)\n" in told
    assert told.endswith("molecule: 3 scenarios (n s)\n")


def test_one_that_fails_is_named_and_its_hosts_removed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [["container x is still there"], []]
    monkeypatch.setattr(test_hosts, "leftovers", lambda scenarios: found.pop(0) if found else [])
    with pytest.raises(Exit, match="failed: bad") as caught:
        run("bad", "nfs")
    assert caught.value.code == 1
    names = ["test --scenario-name=bad", "destroy --scenario-name=bad", "test --scenario-name=nfs"]
    assert asked(checkout) == names
    assert "bad: removing its hosts\n" in capsys.readouterr().out


def test_what_is_left_fails_a_run_that_passed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        test_hosts, "leftovers", lambda scenarios: [f"network n of scenario {scenarios[0]} is still there"]
    )
    with pytest.raises(Exit, match="failed: cron"):
        run("cron")
    assert "cron: network n of scenario cron is still there\ncron: failed" in capsys.readouterr().out
    run("cron", keep=True)
    run("cron", verb="converge")
    with pytest.raises(Exit, match="failed: cron"):
        run("cron", verb="destroy")
    assert asked(checkout)[1:] == [
        "test --scenario-name=cron --destroy=never",
        "converge --scenario-name=cron",
        "destroy --scenario-name=cron",
    ]


@pytest.mark.parametrize("number", molecule._INTERRUPTIONS)
def test_an_interruption_ends_it_and_removes_the_hosts_whoever_interrupts_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(test_hosts, "leftovers", lambda scenarios: [] if len(asked(checkout)) > 1 else ["container"])
    real, interrupted = molecule._ScenarioRun._forward_output, []

    def forward_output(self: molecule._ScenarioRun, process: subprocess.Popen[str]) -> None:
        interrupted.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(os.getpid(), number)
        real(self, process)

    monkeypatch.setattr(molecule._ScenarioRun, "_forward_output", forward_output)
    with pytest.raises(KeyboardInterrupt):
        run("hanging")
    assert asked(checkout) == ["test --scenario-name=hanging", "destroy --scenario-name=hanging"]
    assert interrupted[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"scenario": ["other"]}, r"no scenario 'other' in molecule/; there are: bad, cluster, cron, default, "),
        ({"scenario": [], "verb": "login"}, r"--verb=login is none of test, converge, verify, destroy"),
    ],
)
def test_what_there_is_not_is_refused(checkout: Path, words: dict[str, str], sentence: str) -> None:
    with pytest.raises(Exit, match=sentence):
        molecule.molecule(Context(), **words)


def test_a_suite_is_a_name(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLECULE_SUITE", "../x")
    with pytest.raises(Exit, match="is no name of a Debian suite"):
        run("default")


def test_hosts_that_would_not_boot_are_not_begun(checkout: Path) -> None:
    inventory = checkout / "molecule" / "cluster" / "inventory"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text("ansible_host: 192.0.2.2\n" * 1_000_000, "utf-8")
    with pytest.raises(Exit, match=r"1000000 test hosts need some 7000000 inotify instances, .* are free; "):
        run("cron", "cluster")
    assert not (checkout / "asked").exists()


def test_a_process_is_found_by_what_it_was_given(tmp_path: Path) -> None:
    mark = f"{tmp_path}/a key"
    words = [sys.executable, "-c", "print(flush=True); input()", mark]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Popen returns before the kernel shows the words of the new process: only what runs has them for certain.
        assert process.stdout and process.stdout.readline()
        found = test_hosts._processes([os.fsencode(mark)])
        process.communicate(b"\n")
    assert list(found) == [process.pid]
    assert found[process.pid].endswith(mark)
    assert test_hosts._processes([os.fsencode(mark)]) == {}


def test_another_recipe_is_another_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = test_hosts.image("bookworm")
    assert first != test_hosts.image("trixie")
    (tmp_path / "build").write_text("echo", "utf-8")
    monkeypatch.setattr(test_hosts, "IMAGES", tmp_path)
    assert test_hosts.image("bookworm") != first


@pytest.mark.parametrize("inventory", sorted(ROOT.glob("molecule/*/inventory/hosts.yml")), ids=lambda f: f.parts[-3])
def test_hosts_of_scenarios_do_not_meet(inventory: Path) -> None:
    """Containers are named by their hosts, and a host has an address for itself."""
    others = [file for file in ROOT.glob("molecule/*/inventory/hosts.yml") if file != inventory]
    mine = hosts(yaml.safe_load(inventory.read_text("utf-8")))
    numbers = [str(values["ansible_host"]).split(".")[3] for values in mine.values()]
    assert len(set(numbers)) == len(numbers)
    assert not {"0", "1", "255"} & set(numbers)
    for other in others:
        assert not mine.keys() & hosts(yaml.safe_load(other.read_text("utf-8"))).keys(), other.parts[-3]


def hosts(group: dict[str, object]) -> dict[str, dict[str, object]]:
    """The hosts of an inventory's groups that say where they are, by name."""
    found: dict[str, dict[str, object]] = {}
    for name, value in group.items():
        if name == "hosts" and isinstance(value, dict):
            found |= {host: values for host, values in value.items() if values and "ansible_host" in values}
        elif isinstance(value, dict):
            found |= hosts(value)
    return found
