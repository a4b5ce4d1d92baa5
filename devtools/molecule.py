"""Runs molecule's scenarios, which test the roles and playbooks on containers with real systemd and sshd.

A run that fails or is interrupted removes its hosts too. A run that leaves anything behind fails.
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
from devtools import collections, test_hosts
from devtools.checks import ANSIBLE_ENVIRONMENT, ROOT, require_checkout

#: The scenarios that run by default.
SCENARIOS = ("default", "cluster", "cron")

_VERBS = ("test", "converge", "verify", "destroy")
#: The signals by which a person, a CI system or a closed terminal ends a run.
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STEP = re.compile(r"> (?P<step>\w+)\] (?:\x1b\[\d+m)?(?P<event>Executing|Executed)")


@task(
    iterable=["scenario"],
    help={
        "scenario": "A folder of molecule/; may be given several times. Default: default, cluster and cron.",
        "verb": "test (from bare hosts to none), converge, verify or destroy.",
        "keep": "Leave the hosts running after a test; destroy removes them.",
    },
)
def molecule(_context: Context, scenario: Iterable[str], verb: str = "test", keep: bool = False) -> None:
    """Test the roles and playbooks on hosts with systemd and sshd, which are created and removed."""
    require_checkout("molecule")
    names = _known_names(scenario)
    if verb not in _VERBS:
        raise Exit(f"--verb={verb} is none of {', '.join(_VERBS)}", 3)
    if os.geteuid() != 0:
        raise Exit("test hosts with a systemd of their own need root; run this as root", 3)
    if verb in {"test", "converge"}:
        _require_capacity(names)
    for number in _INTERRUPTIONS:
        signal.signal(number, _interrupt)
    collections.install()
    image = _image() if verb in {"test", "converge"} else test_hosts.image(_suite())
    began = clock.monotonic()
    failed = [name for name in names if not _ScenarioRun(name, image).run(verb, keep=keep)]
    print(f"molecule: {len(names)} scenarios ({clock.monotonic() - began:.0f} s)", flush=True)
    if failed:
        raise Exit(f"failed: {', '.join(failed)}", 1)


class _ScenarioRun:
    """One run of a scenario."""

    def __init__(self, name: str, image: str) -> None:
        self._name = name
        self._environment = {
            **os.environ,
            **ANSIBLE_ENVIRONMENT,
            **test_hosts.ENVIRONMENT,
            "APPLIANCE_HOSTS_IMAGE": image,
            "APPLIANCE_HOSTS_TAG": test_hosts.TAG,
            "APPLIANCE_HOSTS_SOCKETS": str(test_hosts.socket_folder(name)),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".ansible" / "runs" / name),
        }

    def run(self, verb: str, *, keep: bool) -> bool:
        """Run a verb of molecule; return whether it passed and left nothing behind that should be gone."""
        print(f"{self._name}: {verb}", flush=True)
        began, passed, stays = clock.monotonic(), False, keep or verb in {"converge", "verify"}
        test_hosts.socket_folder(self._name).mkdir(mode=0o700, exist_ok=True)
        try:
            passed = self._molecule(verb, *(["--destroy=never"] if verb == "test" and keep else []))
        finally:
            if not passed and not stays and test_hosts.leftovers([self._name]):
                print(f"{self._name}: removing its hosts", flush=True)
                self._molecule("destroy")
            test_hosts.close_connections(self._name, gone=not stays)
            remains = [] if stays else test_hosts.leftovers([self._name])
            for sentence in remains:
                print(f"{self._name}: {sentence}", flush=True)
            outcome = "passed" if passed and not remains else "failed"
            print(f"{self._name}: {outcome} ({clock.monotonic() - began:.0f} s)", flush=True)
        return passed and not remains

    def _molecule(self, verb: str, *options: str) -> bool:
        """Run molecule, print its output and the time of each step; return whether it succeeded."""
        command = [sys.executable, "-m", "molecule", verb, f"--scenario-name={self._name}", *options]
        # In a session of its own, so that an interruption reaches it only through us and never during its cleanup.
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
            self._forward_output(process)
            return process.wait() == 0
        finally:
            _kill(process)

    def _forward_output(self, process: subprocess.Popen[str]) -> None:
        began = clock.monotonic()
        for line in process.stdout or ():
            print(line, end="", flush=True)
            match = _STEP.search(line)
            if match and match["event"] == "Executing":
                began = clock.monotonic()
            elif match:
                print(f"{self._name}: {match['step']} took {clock.monotonic() - began:.1f} s", flush=True)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill molecule and the processes that it started, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _known_names(scenarios: Iterable[str]) -> Sequence[str]:
    names = list(dict.fromkeys(scenarios)) or list(SCENARIOS)
    there = sorted(file.parent.name for file in (ROOT / "molecule").glob("*/converge.yml"))
    for name in names:
        if name not in there:
            raise Exit(f"there is no scenario {name!r} in molecule/; there are: {', '.join(there) or 'none'}", 3)
    return names


def _require_capacity(scenarios: Sequence[str]) -> None:
    """Refuse to start if the hosts of the largest scenario could not boot; running hosts are not counted."""
    sizes = []
    for name in scenarios:
        inventory = ROOT / "molecule" / name / "inventory" / "hosts.yml"
        hosts = inventory.read_text("utf-8").count("ansible_host:") if inventory.is_file() else 0
        sizes.append(hosts - test_hosts.count_running(name))
    why = test_hosts.missing_capacity(max(sizes))
    if why:
        raise Exit(why, 3)


def _suite() -> str:
    suite = os.environ.get("MOLECULE_SUITE", "bookworm")
    if not re.fullmatch(r"[a-z]+", suite):
        raise Exit(f"MOLECULE_SUITE={suite} is no name of a Debian suite, such as bookworm or trixie", 3)
    return suite


def _image() -> str:
    """Return the image of the requested suite; build it if it does not exist."""
    suite, began = _suite(), clock.monotonic()
    try:
        made = test_hosts.build_image(suite)
    except subprocess.CalledProcessError as error:
        raise Exit(f"the image of a bare {suite} host could not be built; the error is above", 1) from error
    if made:
        print(f"image of a bare {suite} host: made ({clock.monotonic() - began:.0f} s)", flush=True)
    return test_hosts.image(suite)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)  # the cleanup is not interrupted again
    raise KeyboardInterrupt
