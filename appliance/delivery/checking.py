"""The setup check: a probe goes to every target, is looked at there by another way, and is removed again.

Guarantees that nothing is learned or mended (a host key least of all), that nothing but the probe is written and
nothing of it stays, that every target is looked at in parallel and given up after its time, and that what cannot be
seen through a confined key is said so instead of being taken for right.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from appliance import clock
from appliance.config import DeliverySettings
from appliance.delivery import hostkeys, inspection, looks, rsync
from appliance.delivery.probe import Probe, Runner, content
from appliance.delivery.ssh import Channel, PrivateFolder
from appliance.delivery.targets import Target
from appliance.errors import ApplianceError, DeliveryError

#: What is looked at, in this order.
Aspect = Literal[
    "setup", "reachable", "host key", "key", "access", "path", "rsync", "writable", "arrived", "rename", "mode",
    "clock", "space", "removed",
]  # fmt: skip

_DENIED = re.compile(r"permission denied|too many authentication failures", re.IGNORECASE)

#: Seconds by which the probe's time lies behind, so that the time of its arrival is not taken for it.
_OLD = 3600

#: Seconds for removing the probe, whatever the rest took.
_TIDYING = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One aspect of a target: passed, failed, or None when it cannot be seen through this key."""

    aspect: Aspect
    passed: bool | None
    #: What was seen, or a sentence that mends it.
    said: str = ""


@dataclass(slots=True)
class Checked:
    """What became of one target."""

    target: Target
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(check.passed is not False for check in self.checks)

    def note(self, aspect: Aspect, passed: bool | None, said: str = "") -> None:
        """Write down one aspect."""
        self.checks.append(Check(aspect, passed, said))


@dataclass(frozen=True, slots=True)
class Inside:
    """An account with a shell on the front ends, to look at what the couriers' key may not see."""

    user: str
    key: Path | None = None

    def target(self, target: Target) -> Target:
        """The same front end, entered by this account."""
        host = (target.settings.host or "").rpartition("@")[2]
        settings = target.settings.model_copy(update={"address": f"{self.user}@{host}:{target.folder}"})
        key = {"ssh_key": self.key}
        return replace(target, settings=settings, delivery=target.delivery.model_copy(update=key))


class _Ended(Exception):  # noqa: N818 - not an error
    """Nothing more can be looked at."""


def check(
    chosen: Sequence[Target],
    *,
    inside: Inside | None = None,
    limit: float = 30.0,
    told: Callable[[str], None] = lambda _line: None,
    done: Callable[[Checked], None] = lambda _checked: None,
) -> list[Checked]:
    """Check every target, all at once; returns what became of each, in order.

    Args:
        chosen: targets, configured or not.
        inside: an account to look through where a key is confined.
        limit: seconds for one target.
        told: takes each command with its duration and exit status.
        done: takes each target as soon as it is through, in order.

    Raises:
        DeliveryError: this host can push to nobody: rsync is missing or too old, no temporary folder.
    """
    for delivery in {id(target.delivery): target.delivery for target in chosen}.values():
        rsync.preflight(delivery)
    found: list[Checked] = []
    with ThreadPoolExecutor(max_workers=min(32, len(chosen)) or 1) as pool:
        for future in [pool.submit(_Checking(target, inside, limit, told).run) for target in chosen]:
            found.append(future.result())
            done(found[-1])
    return found


def with_keys(target: Target, key: Path | None, known_hosts: Path | None) -> Target:
    """The target with another key or file of host keys, for trying them before they are configured."""
    given = {"ssh_key": key, "known_hosts": known_hosts}
    changed = {name: path.absolute() for name, path in given.items() if path}
    delivery: DeliverySettings = target.delivery.model_copy(update=changed)
    return replace(target, delivery=delivery)


class _Checking:
    """The check of one target, in its own thread."""

    def __init__(self, target: Target, inside: Inside | None, limit: float, told: Callable[[str], None]) -> None:
        self._target = target
        self._inside = inside if target.host else None
        self._runner = Runner(target, limit, told)
        self._limit = limit
        self._report = Checked(target)
        #: Arguments before the command for a shell there; None when there is no shell to look through.
        self._shell: list[str] | None = None

    def run(self) -> Checked:
        """See it through; every failure becomes part of the report."""
        began = clock.monotonic()
        note = self._report.note
        aspect: Aspect = "setup"
        try:
            private = PrivateFolder(self._target.delivery)
            try:
                with tempfile.TemporaryDirectory(prefix="probe-", dir=private.path) as folder:
                    self._through(private.path, Path(folder))
            finally:
                private.remove()
        except _Ended:
            pass
        except (ApplianceError, OSError) as error:
            note(aspect, False, looks.without_name(str(error), self._target.name))
        self._report.seconds = clock.monotonic() - began
        return self._report

    def _through(self, private: Path, folder: Path) -> None:
        channels: list[Channel] = []
        try:
            channel = self._connect(private, 0, self._target, channels) if self._target.host else None
            self._enter(private, channels)
            self._examine(Probe(self._target, channel, self._runner, folder))
        finally:
            for channel in channels:
                channel.close()

    def _connect(self, private: Path, number: int, target: Target, channels: list[Channel]) -> Channel:
        """Open the shared connection, and say which of the ways it failed."""
        channel = Channel(target, private, number)
        channels.append(channel)
        note, settings = self._report.note, private / f"c{number}"
        late = threading.Timer(self._runner.left, channel.stop)
        late.start()
        try:
            channel.warm()
        except DeliveryError as error:
            said = looks.without_name(str(error), target.name)
            if not self._runner.left:
                note(
                    "reachable", False, f"it did not answer within {self._limit:g} s; see to the host and the way to it"
                )
            elif hostkeys.is_meant(said):
                note("reachable", True)
                note("host key", False, hostkeys.mend(target, settings, self._runner))
            elif _DENIED.search(said):
                note("reachable", True)
                note("host key", True)
                note("key", False, said)
            else:
                note("reachable", False, said)
            raise _Ended from None
        finally:
            late.cancel()
        if number == 0:
            for aspect in ("reachable", "host key", "key"):
                note(aspect, True)
        return channel

    def _enter(self, private: Path, channels: list[Channel]) -> None:
        """Find out what the key may do, and a shell to look through."""
        if not self._target.host:
            self._shell = []
            return
        ask = ["ssh", "-F", str(private / "c0"), "--", self._target.host]
        ran = self._runner.run([*ask, inspection.remote_script(self._target.folder)])
        found = inspection.access(ran.output, ran.errors)
        wanted = self._target.settings.access
        if fault := looks.access_fault(found, wanted, ran.output + ran.errors):
            self._report.note("access", False, fault)
            raise _Ended
        self._report.note("access", True, wanted)
        if found == "shell":
            self._shell = ask
        elif self._inside:
            entered = self._inside.target(self._target)
            self._connect(private, 1, entered, channels)
            self._shell = ["ssh", "-F", str(private / "c1"), "--", entered.host or ""]
            ran = self._runner.run([*self._shell, inspection.remote_script(self._target.folder)])
            if inspection.access(ran.output, ran.errors) != "shell":
                self._report.note("access", False, f"{entered.host} has no shell for this key; name one that has")
                raise _Ended

    def _look(self, *names: str) -> inspection.Seen | None:
        if self._shell is None:
            return None
        folder = self._target.folder
        words = [inspection.remote_script(folder, names)] if self._shell else inspection.script(folder, names)
        return inspection.read(self._runner.run([*self._shell, *words]).output)

    def _examine(self, probe: Probe) -> None:
        note, target = self._report.note, self._target
        probe.write(probe.page, b"", 0)
        if not self._take("path", looks.path(target, before := self._look())):
            raise _Ended
        protocol = None if before else probe.protocol()
        if not self._take("rsync", looks.rsync_there(before, protocol)):
            raise _Ended
        try:
            self._send(probe)
        finally:
            self._tidy(probe)
        after = self._look(probe.page)
        gone = not after.files if after else "+" in self._again(probe)
        note("removed", gone, "" if gone else f"the probe {probe.page} could not be removed again; remove it there")
        self._take("space", looks.space(after))

    def _tidy(self, probe: Probe) -> None:
        self._runner.more(_TIDYING)
        try:
            probe.remove()
        except DeliveryError as error:
            if any(check.aspect == "writable" and check.passed for check in self._report.checks):
                said = looks.without_name(str(error), self._target.name)
                self._report.note("removed", False, f"the probe {probe.page} may still be there: {said}")
                raise _Ended from None

    def _again(self, probe: Probe) -> str:
        probe.write(probe.page, b"", 0)
        return probe.differs(probe.page)

    def _send(self, probe: Probe) -> None:
        version = int(clock.now()) - _OLD
        try:
            probe.write(probe.page, content(), version)
            probe.push(probe.page)
        except DeliveryError as error:
            self._report.note("writable", False, looks.without_name(str(error), self._target.name))
            raise _Ended from None
        self._report.note("writable", True)
        first = self._look(probe.page)
        began = clock.now()
        probe.write(probe.clock, b"clock\n", int(began))
        probe.push(probe.clock, "--no-times")
        between = (began, clock.now())
        probe.write(probe.page, latest := content(), version + 1)
        probe.push(probe.page)
        second = self._look(probe.page, probe.clock)
        if first and second:
            self._take("arrived", looks.arrived(second.files.get(probe.page), latest, version + 1))
            self._take("rename", looks.renamed(self._target, first.files.get(probe.page), second.files.get(probe.page)))
        else:
            self._take("arrived", looks.arrived_unseen(probe, latest, version + 1))
            self._take("rename", looks.renamed(self._target))
        self._take("mode", looks.mode(probe, second))
        self._take("clock", looks.clocks(probe, second, between))

    def _take(self, aspect: Aspect, judged: tuple[bool | None, str]) -> bool:
        self._report.note(aspect, *judged)
        return judged[0] is not False
