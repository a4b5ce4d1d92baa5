"""Targets: how far each is, and pausing, checking, verifying and repairing them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from appliance import db, target_job
from appliance.delivery import repair, target_state
from appliance.delivery.diagnostics import judgements
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import Target as DeliveryTarget
from appliance.delivery.targets import courier_targets, find_target
from appliance.queue.models import State
from appliance.web.api.fields import Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, found, operation


class Target(Shown):
    """A target. Times are seconds since the epoch."""

    name: str
    address: str = Field(description="Where it is; empty without the right to act on targets.")
    level: bool = Field(description="Whether it has confirmed every publication.")
    waiting: int = Field(description="Paths that it has yet to receive.")
    more_waiting: bool = Field(description="Whether more are waiting than `waiting` says.")
    lag: float = Field(description="Seconds since the oldest unconfirmed publication.")
    ahead_lag: float = Field(description="As `lag`, without a backlog that is sent after what is published now.")
    has_backlog: bool = Field(description="Whether it is far behind: what is published now is sent first.")
    confirmed: int = Field(description="The newest publication that it has confirmed.")
    pushed_at: float | None
    files: int = Field(description="Files of the last push that sent any.")
    bytes: int
    seconds: float
    rate: float = Field(description="Bytes per second of the last push that sent any.")
    error: str | None = Field(description="Why the last push failed.")
    paused: bool
    circuit: Literal["closed", "open", "half-open"]
    failures: int
    retry_at: float | None
    repairing: bool
    verified_at: float | None
    differing: int | None
    extra: int | None


class TargetJob(Shown):
    """The newest check or verification of a target that somebody asked for."""

    kind: str
    state: State
    created_at: float
    finished_at: float | None
    error_message: str | None = Field(description="What is wrong with the target.")


class Targets(Rows[Target]):
    """All targets, at one moment."""

    now: float = Field(description="The time of the database, for ages.")


class TargetDetails(Target):
    """A target with the newest check and verification."""

    jobs: list[TargetJob]


class Resync(Sent):
    """How to repair a target."""

    allow_removals: bool = Field(False, description="Remove unpublished files even if they are a large part.")


class TargetRequested(Shown):
    """What was asked for. A publishing host does it."""

    requested: bool
    detail: str


@operation("GET", "/targets", "target.read", answer=Targets)
def list_targets(call: Call) -> Answer:
    """List the targets and how far each is."""
    states = target_state.read_all(courier_targets(call.config))
    return Answer({"rows": [_shown(call, state) for state in states], "now": db.now()})


@operation("GET", "/targets/{target}", "target.read", answer=TargetDetails)
def read_target(call: Call) -> Answer:
    """Return a target, with the newest check and verification that somebody asked for."""
    target = _target(call)
    state = _shown(call, target_state.read(target))
    values = {name: getattr(state, name) for name in Target.model_fields}
    return Answer({**values, "jobs": target_job.newest_jobs(target.name)})


@operation("POST", "/targets/{target}/pause", "target.act", answer=TargetRequested)
def pause_target(call: Call) -> Answer:
    """Send nothing to a target until it is resumed. A push in progress is stopped."""
    target_state.pause(_target(call).name)
    return _requested("Files published meanwhile are sent when the target is resumed.")


@operation("POST", "/targets/{target}/resume", "target.act", answer=TargetRequested)
def resume_target(call: Call) -> Answer:
    """Resume a paused target, and send it everything that it missed."""
    target_state.resume(_target(call).name)
    return _requested("The courier sends what the target missed.")


@operation("POST", "/targets/{target}/resync", "target.act", body=Resync, answer=TargetRequested, status=202)
def resync_target(call: Call) -> Answer:
    """Have the courier send everything to a target again, and remove what was never published there."""
    name = _target(call).name
    repair.request_repair(call.config, name, clear_strangers=True, allow_removals=call.body.allow_removals)
    return _requested("The courier sends everything again; `repairing` says how long.")


@operation("POST", "/targets/{target}/check", "target.act", answer=TargetRequested, status=202)
def check_target(call: Call) -> Answer:
    """Have a worker check the setup of a target: send a probe, inspect it and remove it."""
    target_job.request_check(call.config, _target(call).name)
    return _requested("A worker checks the target; `jobs` of the target has the result.")


@operation("POST", "/targets/{target}/verify", "target.act", answer=TargetRequested, status=202)
def verify_target(call: Call) -> Answer:
    """Have a worker compare the files of a target with what was published, by content."""
    target_job.request_verification(call.config, _target(call).name)
    return _requested("A worker compares the files; `differing` and `extra` of the target have the result.")


def _shown(call: Call, state: TargetState) -> TargetState:
    if call.principal.may("target.act"):
        return state
    return replace(state, address="", error=judgements.strip_target_name(state.error or "", state.name) or None)


def _target(call: Call) -> DeliveryTarget:
    target: Any = found(lambda: find_target(call.config, call.path["target"]))
    return target  # type: ignore[no-any-return]


def _requested(detail: str) -> Answer:
    return Answer({"requested": True, "detail": detail})
