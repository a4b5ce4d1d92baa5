"""What happens to a cluster in a fault run, from a seed: which fault, when, to whom and for how long.

Every kind comes up before any comes up again. No two are at one front end or one publishing host at a time, and of the
publishing hosts one at most is ill.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

#: Seconds the shortest and the longest of each kind lasts: at front ends, at publishing hosts and at the database.
FRONTS = {
    "sshd killed": (0.5, 3.0),
    "sshd silent": (3.0, 15.0),
    "stopped": (3.0, 15.0),
    "wiped": (0.0, 0.0),
    "wiped while it was stopped": (1.0, 5.0),
    "restored from an older copy": (1.0, 5.0),
    "disk full": (3.0, 12.0),
    "link cut": (3.0, 15.0),
    "link slow": (5.0, 15.0),
    "connections half open": (0.0, 0.0),
    "rsync of another build": (5.0, 20.0),
}
HOSTS = {
    "worker killed": (0.0, 0.0),
    "courier killed": (0.0, 0.0),
    "power cut": (1.0, 8.0),
    "clock set 2 minutes forth or back": (1.0, 2.0),
    "clock runs a day ahead": (5.0, 12.0),
    "ssh folder removed": (0.0, 0.0),
}
DATABASE = {
    "restarted": (0.0, 0.0),
    "silent": (3.0, 12.0),
    "its connections half open": (0.0, 0.0),
    "read-only": (2.0, 8.0),
    "its clock runs a day ahead": (3.0, 10.0),
}

#: Seconds in which nothing else happens to whom something happened.
REST = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them; times are seconds since the load began."""

    at: float
    kind: str
    subject: str
    seconds: float
    #: From 0 to 1, for what else is left to chance.
    chance: float

    @property
    def end(self) -> float:
        """When it is over."""
        return self.at + self.seconds

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.subject}: {self.kind}{lasting}"


def plan(
    seed: int, seconds: float, *, gap: float, fronts: Sequence[str], hosts: Sequence[str], small: str | None,
    without: Collection[str] = (),
) -> list[Fault]:  # fmt: skip
    """The faults of a run, in order; all are over when `seconds` have passed.

    Args:
        seed: what chance is drawn from.
        seconds: how long the run lasts.
        gap: seconds between two, on average.
        fronts: names of the front ends.
        hosts: names of the publishing hosts.
        small: the front end with a small disk; None where there is none.
        without: kinds that cannot be had on this machine.
    """
    chance = random.Random(f"faults {seed}")
    kinds = [kind for kind in [*FRONTS, *HOSTS, *DATABASE] if kind not in without and (small or kind != "disk full")]
    free: defaultdict[str, float] = defaultdict(float)
    faults: list[Fault] = []
    at, left = 1.0, list[str]()
    while True:
        left = left or chance.sample(kinds, len(kinds))
        kind = left.pop()
        subjects = _subjects(kind, fronts, hosts, small)
        at += chance.uniform(0.5, 1.5) * gap
        subject = min(chance.sample(subjects, len(subjects)), key=lambda name: max(at, free[_whom(name, hosts)]))
        at = max(at, free[_whom(subject, hosts)])
        fault = Fault(round(at, 2), kind, subject, round(chance.uniform(*_lasting(kind)), 1), chance.random())
        if fault.at > seconds:
            return faults
        if fault.end <= seconds:
            faults.append(fault)
            free[_whom(subject, hosts)] = fault.end + REST


def _whom(subject: str, hosts: Sequence[str]) -> str:
    return "hosts" if subject in hosts else subject


def _subjects(kind: str, fronts: Sequence[str], hosts: Sequence[str], small: str | None) -> Sequence[str]:
    if kind in DATABASE:
        return ["database"]
    if kind in HOSTS:
        return hosts
    return [small] if small and kind == "disk full" else fronts


def _lasting(kind: str) -> tuple[float, float]:
    return {**FRONTS, **HOSTS, **DATABASE}[kind]
