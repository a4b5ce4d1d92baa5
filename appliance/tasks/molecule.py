"""Molecule's scenarios: the roles and playbooks tried on hosts with real systemd and sshd, which all go again.

A run that fails or is interrupted removes its hosts as well, and no run passes that leaves anything behind.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from types import FrameType

from invoke import Context, Exit, task

from appliance import clock
from appliance.tasks import collections, testhosts
from appliance.tasks.house import ENVIRONMENT, ROOT, in_a_checkout

#: What is run if nothing is named; all others only when they are.
SCENARIOS = ("default", "cluster", "cron")

_VERBS = ("test", "converge", "verify", "destroy")
#: What a person, a CI or a terminal that is closed ends a run with.
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STEP = re.compile(r"> (?P<step>\w+)\] (?:\x1b\[\d+m)?(?P<event>Executing|Executed)")


@task(
    iterable=["scenario"],
    help={
        "scenario": "A folder of molecule/; may be given several times. Default: default, cluster and cron.",
        "verb": "test (from bare hosts to none), converge, verify or destroy.",
        "keep": "Leave the hosts up after a test, to be looked at; destroy removes them.",
    },
)
def molecule(_context: Context, scenario: Iterable[str], verb: str = "test", keep: bool = False) -> None:
    """Try the roles and playbooks on test hosts, each with systemd and sshd, made and removed here."""
    in_a_checkout("molecule")
    names = _named(scenario)
    if verb not in _VERBS:
        raise Exit(f"--verb={verb} is none of {', '.join(_VERBS)}", 3)
    if os.geteuid() != 0:
        raise Exit("test hosts with a systemd of their own need root; run this as root", 3)
    if verb in {"test", "converge"}:
        _have_room(names)
    for number in _INTERRUPTIONS:
        signal.signal(number, _interrupt)
    collections.provide()
    image = _image() if verb in {"test", "converge"} else testhosts.image(_suite())
    began = clock.monotonic()
    failed = [name for name in names if not _Run(name, image).carry_out(verb, keep=keep)]
    print(f"molecule: {len(names)} scenarios ({clock.monotonic() - began:.0f} s)", flush=True)
    if failed:
        raise Exit(f"failed: {', '.join(failed)}", 1)


class _Run:
    """One scenario."""

    def __init__(self, name: str, image: str) -> None:
        self._name = name
        self._environment = {
            **os.environ,
            **ENVIRONMENT,
            **testhosts.ENVIRONMENT,
            "APPLIANCE_HOSTS_IMAGE": image,
            "APPLIANCE_HOSTS_TAG": testhosts.TAG,
            "APPLIANCE_HOSTS_SOCKETS": str(testhosts.sockets(name)),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".ansible" / "runs" / name),
        }

    def carry_out(self, verb: str, *, keep: bool) -> bool:
        """Run molecule's verb; whether it passed and, when the hosts are to go, nothing is left of them."""
        print(f"{self._name}: {verb}", flush=True)
        began, passed, stays = clock.monotonic(), False, keep or verb in {"converge", "verify"}
        testhosts.sockets(self._name).mkdir(mode=0o700, exist_ok=True)
        try:
            passed = self._molecule(verb, *(["--destroy=never"] if verb == "test" and keep else []))
        finally:
            if not passed and not stays and testhosts.left([self._name]):
                print(f"{self._name}: removing its hosts", flush=True)
                self._molecule("destroy")
            testhosts.hang_up(self._name, gone=not stays)
            remains = [] if stays else testhosts.left([self._name])
            for sentence in remains:
                print(f"{self._name}: {sentence}", flush=True)
            outcome = "passed" if passed and not remains else "failed"
            print(f"{self._name}: {outcome} ({clock.monotonic() - began:.0f} s)", flush=True)
        return passed and not remains

    def _molecule(self, verb: str, *options: str) -> bool:
        """Run molecule, hand on what it says, tell how long each step took; whether all went well."""
        command = [sys.executable, "-m", "molecule", verb, f"--scenario-name={self._name}", *options]
        # In a session of its own, so that an interruption reaches it through us only and never while it tidies up.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            self._hand_on(process)
            return process.wait() == 0
        finally:
            _end(process)

    def _hand_on(self, process: subprocess.Popen[str]) -> None:
        began = clock.monotonic()
        for line in process.stdout or ():
            print(line, end="", flush=True)
            match = _STEP.search(line)
            if match and match["event"] == "Executing":
                began = clock.monotonic()
            elif match:
                print(f"{self._name}: {match['step']} took {clock.monotonic() - began:.1f} s", flush=True)


def _end(process: subprocess.Popen[str]) -> None:
    """End molecule and all it has started, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _named(scenarios: Iterable[str]) -> Sequence[str]:
    names = list(dict.fromkeys(scenarios)) or list(SCENARIOS)
    there = sorted(file.parent.name for file in (ROOT / "molecule").glob("*/converge.yml"))
    for name in names:
        if name not in there:
            raise Exit(f"there is no scenario {name!r} in molecule/; there are: {', '.join(there) or 'none'}", 3)
    return names


def _have_room(scenarios: Sequence[str]) -> None:
    """Refuse to begin where the hosts of the largest scenario would not boot; those that are up need none."""
    sizes = []
    for name in scenarios:
        inventory = ROOT / "molecule" / name / "inventory" / "hosts.yml"
        hosts = inventory.read_text("utf-8").count("ansible_host:") if inventory.is_file() else 0
        sizes.append(hosts - testhosts.up(name))
    why = testhosts.lacking(max(sizes))
    if why:
        raise Exit(why, 3)


def _suite() -> str:
    suite = os.environ.get("MOLECULE_SUITE", "bookworm")
    if not re.fullmatch(r"[a-z]+", suite):
        raise Exit(f"MOLECULE_SUITE={suite} is no name of a Debian suite, such as bookworm or trixie", 3)
    return suite


def _image() -> str:
    """The image of the suite asked for, made if it is not there yet."""
    suite, began = _suite(), clock.monotonic()
    try:
        made = testhosts.build_image(suite)
    except subprocess.CalledProcessError as error:
        raise Exit(f"the image of a bare {suite} host could not be made; what failed is said above", 1) from error
    if made:
        print(f"image of a bare {suite} host: made ({clock.monotonic() - began:.0f} s)", flush=True)
    return testhosts.image(suite)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)  # what tidies up is not interrupted again
    raise KeyboardInterrupt
