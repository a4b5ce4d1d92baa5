"""Checks the setup of targets: sends a probe to each, inspects it there in another way, and removes it.

Guarantees that the check changes no setup (least of all does it learn a host key), that it writes nothing but the probe
and removes that again, that all targets are checked in parallel and each within its time limit, and that what a
confined key does not show is reported as not seen instead of as right.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from appliance import clock
from appliance.delivery.diagnostics import host_keys, judgements, remote_inspection, rsync_trial
from appliance.delivery.diagnostics.check_targets import InspectionAccount
from appliance.delivery.diagnostics.probe import CommandRunner, Probe, random_content
from appliance.delivery.targets import Target
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder
from appliance.errors import ApplianceError, DeliveryError

#: The names of the checks, in this order.
CheckName = Literal[
    "setup",
    "reachable",
    "host key",
    "key",
    "access",
    "path",
    "rsync",
    "writable",
    "arrived",
    "rename",
    "mode",
    "clock",
    "space",
    "removed",
]

_DENIED = re.compile(r"permission denied|too many authentication failures", re.IGNORECASE)

#: The age of the probe's time in seconds, so that the time of its arrival is not taken for it.
_PROBE_AGE = 3600

#: Seconds for removing the probe, however long the rest took.
_REMOVAL_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a target. The names of its fields are those of the JSON output."""

    aspect: CheckName
    #: None if the key does not let it be seen.
    passed: bool | None
    #: What was seen, or a sentence that says how to correct it.
    said: str = ""


@dataclass(slots=True)
class CheckResult:
    """The checks of one target."""

    target: Target
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(check.passed is not False for check in self.checks)

    def add(self, name: CheckName, passed: bool | None, message: str = "") -> None:
        """Add one check."""
        self.checks.append(Check(name, passed, message))


class _Ended(Exception):  # noqa: N818 - not an error
    """Ends the check of a target, since nothing more can be checked."""


def check(
    targets: Sequence[Target],
    *,
    account: InspectionAccount | None = None,
    limit: float = 30.0,
    log: Callable[[str], None] = lambda _line: None,
    on_result: Callable[[CheckResult], None] = lambda _result: None,
) -> list[CheckResult]:
    """Check all targets in parallel. Returns their results in the same order.

    Args:
        targets: targets, in the settings or not.
        account: an account to inspect targets through that confine the key of couriers.
        limit: seconds for one target.
        log: takes each command with its duration and exit status.
        on_result: takes each result as soon as there is one, in order.

    Raises:
        DeliveryError: this host cannot push: its rsync is missing or unsuitable, or there is no temporary folder.
    """
    for delivery in {id(target.delivery): target.delivery for target in targets}.values():
        rsync_trial.run(delivery)
    results: list[CheckResult] = []
    with ThreadPoolExecutor(max_workers=min(32, len(targets)) or 1) as pool:
        for future in [pool.submit(_TargetCheck(target, account, limit, log).run) for target in targets]:
            results.append(future.result())
            on_result(results[-1])
    return results


class _TargetCheck:
    """Checks one target, in its own thread."""

    def __init__(
        self, target: Target, account: InspectionAccount | None, limit: float, log: Callable[[str], None]
    ) -> None:
        self._target = target
        self._account = account if target.host else None
        self._runner = CommandRunner(target, limit, log)
        self._limit = limit
        self._result = CheckResult(target)
        #: The start of a command in a shell of the target; None if there is no shell.
        self._shell: list[str] | None = None

    def run(self) -> CheckResult:
        """Make the check. Every failure becomes part of the result."""
        began = clock.monotonic()
        try:
            private = SshFolder(self._target.delivery)
            try:
                with tempfile.TemporaryDirectory(prefix="probe-", dir=private.path) as folder:
                    self._check_all(private, Path(folder))
            finally:
                private.remove()
        except _Ended:
            pass
        except (ApplianceError, OSError) as error:
            self._result.add("setup", False, judgements.strip_target_name(str(error), self._target.name))
        self._result.seconds = clock.monotonic() - began
        return self._result

    def _check_all(self, private: SshFolder, folder: Path) -> None:
        connections: list[SshConnection] = []
        try:
            connection = self._connect(private, 0, self._target, connections) if self._target.host else None
            self._enter(private, connection, connections)
            self._examine(Probe(self._target, connection, self._runner, folder))
        finally:
            for connection in connections:
                connection.close()

    def _connect(
        self, private: SshFolder, number: int, target: Target, connections: list[SshConnection]
    ) -> SshConnection:
        """Open the connection, and tell the kinds of failure apart."""
        connection = SshConnection(target, private, number)
        connections.append(connection)
        add = self._result.add
        timer = threading.Timer(self._runner.time_left, connection.stop)
        timer.start()
        try:
            connection.warm()
        except DeliveryError as error:
            message = judgements.strip_target_name(str(error), target.name)
            if not self._runner.time_left:
                add(
                    "reachable",
                    False,
                    f"it did not answer within {self._limit:g} s; check the host and the connection to it",
                )
            elif host_keys.is_host_key_failure(message):
                add("reachable", True)
                add("host key", False, host_keys.describe_fix(target, connection.hops, self._runner))
            elif _DENIED.search(message):
                add("reachable", True)
                add("host key", True)
                add("key", False, message)
            else:
                add("reachable", False, message)
            raise _Ended from None
        finally:
            timer.cancel()
        if number == 0:
            for name in ("reachable", "host key", "key"):
                add(name, True)
        return connection

    def _enter(self, private: SshFolder, connection: SshConnection | None, connections: list[SshConnection]) -> None:
        """Find out what the key may do, and a shell for inspections."""
        if not connection:
            self._shell = []
            return
        shell = _shell(connection, self._target)
        answer = self._runner.run([*shell, remote_inspection.remote_script(self._target.folder)])
        found = remote_inspection.detect_access(answer.output, answer.errors)
        wanted = self._target.settings.access
        if fault := judgements.access_fault(found, wanted, answer.output + answer.errors):
            self._result.add("access", False, fault)
            raise _Ended
        self._result.add("access", True, wanted)
        if found == "shell":
            self._shell = shell
        elif self._account:
            entered = self._account.target(self._target)
            self._shell = _shell(self._connect(private, 1, entered, connections), entered)
            answer = self._runner.run([*self._shell, remote_inspection.remote_script(self._target.folder)])
            if remote_inspection.detect_access(answer.output, answer.errors) != "shell":
                self._result.add("access", False, f"{entered.host} has no shell for this key; name one that has")
                raise _Ended

    def _inspect(self, *names: str) -> remote_inspection.Inspection | None:
        if self._shell is None:
            return None
        folder = self._target.folder
        words = (
            [remote_inspection.remote_script(folder, names)] if self._shell else remote_inspection.script(folder, names)
        )
        return remote_inspection.parse(self._runner.run([*self._shell, *words]).output)

    def _examine(self, probe: Probe) -> None:
        add, target = self._result.add, self._target
        probe.write(probe.page, b"", 0)
        if not self._add("path", judgements.judge_path(target, before := self._inspect())):
            raise _Ended
        protocol = None if before else probe.protocol()
        if not self._add("rsync", judgements.judge_rsync(before, protocol)):
            raise _Ended
        try:
            self._send(probe)
        finally:
            self._remove(probe)
        after = self._inspect(probe.page)
        gone = not after.files if after else "+" in self._compare_removed(probe)
        add("removed", gone, "" if gone else f"the probe {probe.page} could not be removed again; remove it there")
        self._add("space", judgements.judge_space(after))

    def _remove(self, probe: Probe) -> None:
        self._runner.extend(_REMOVAL_LIMIT)
        try:
            probe.remove()
        except DeliveryError as error:
            if any(check.aspect == "writable" and check.passed for check in self._result.checks):
                message = judgements.strip_target_name(str(error), self._target.name)
                self._result.add("removed", False, f"the probe {probe.page} may still be there: {message}")
                raise _Ended from None

    def _compare_removed(self, probe: Probe) -> str:
        probe.write(probe.page, b"", 0)
        return probe.compare(probe.page)

    def _send(self, probe: Probe) -> None:
        version = int(clock.now()) - _PROBE_AGE
        try:
            probe.write(probe.page, random_content(), version)
            probe.push(probe.page)
        except DeliveryError as error:
            self._result.add("writable", False, judgements.strip_target_name(str(error), self._target.name))
            raise _Ended from None
        self._result.add("writable", True)
        first = self._inspect(probe.page)
        began = clock.now()
        probe.write(probe.clock_file, b"clock\n", int(began))
        probe.push(probe.clock_file, "--no-times")
        between = (began, clock.now())
        probe.write(probe.page, latest := random_content(), version + 1)
        probe.push(probe.page)
        second = self._inspect(probe.page, probe.clock_file)
        if first and second:
            self._add("arrived", judgements.judge_content(second.files.get(probe.page), latest, version + 1))
            self._add(
                "rename",
                judgements.judge_rename(self._target, first.files.get(probe.page), second.files.get(probe.page)),
            )
        else:
            self._add("arrived", judgements.judge_content_by_rsync(probe, latest, version + 1))
            self._add("rename", judgements.judge_rename(self._target))
        self._add("mode", judgements.judge_mode(probe, second))
        self._add("clock", judgements.judge_clock(probe, second, between))

    def _add(self, name: CheckName, judgement: judgements.Judgement) -> bool:
        self._result.add(name, *judgement)
        return judgement[0] is not False


def _shell(connection: SshConnection, target: Target) -> list[str]:
    """Return the arguments before a command that runs on a target."""
    return ["ssh", "-F", str(connection.config_file), "--", target.host or ""]
