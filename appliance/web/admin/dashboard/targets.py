"""The targets as pages: how far each is and why, its lag over time, and what people may have done with it.

Nobody here waits for a front end: what is shown is in the database, and what opens a connection is done by a worker or
by the couriers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from appliance import audit, target_job
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.delivery import backlogs, lag_history, progress, repair, target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import Target, all_targets, find_target, own_docroot
from appliance.queue.administration import JobRow
from appliance.web.admin import guard
from appliance.web.admin.dashboard import target_words
from appliance.web.admin.dashboard.lag_chart import SPANS, lag_chart
from appliance.web.admin.pages.layout import live_page, page, see, wanted_region
from appliance.web.admin.pages.own_addresses import own_address
from appliance.web.admin.pages.shown_times import now

#: Files that wait which are named.
_NAMED: Final = 12
#: Acts of people that are named.
_ACTS: Final = 6
#: Seconds between two looks of a page at a target, while somebody waits for something and else.
_SOON, _CALM = 2, 5
#: What somebody may have done, with the notice about it. Each takes the settings and the name of the target.
_ACTIONS: Final[dict[str, tuple[str, Callable[[Config, str], object]]]] = {
    "pause": ("target-paused", lambda _config, name: target_state.pause(name)),
    "resume": ("target-resumed", lambda _config, name: target_state.resume(name)),
    "check": ("target-check", target_job.request_check),
    "verify": ("target-verify", target_job.request_verification),
}


def add_routes(blueprint: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(blueprint, "/targets", action="target.read")
    def targets() -> Response:
        return _list(config)

    @guard.route(blueprint, "/targets/<target>", action="target.read")
    def target(target: str) -> Response:
        return _details(config, _known(config, target))

    for name in _ACTIONS:
        guard.route(
            blueprint, f"/targets/<target>/{name}", action="target.act", methods=("POST",), endpoint=f"target_{name}"
        )(_acting(config, name))

    @guard.route(blueprint, "/targets/<target>/resync", action="target.act")
    def target_resync_question(target: str) -> Response:
        chosen = _reached(config, target)
        return page("dashboard/target_resync.html", target=chosen, state=target_state.read(chosen))

    @guard.route(blueprint, "/targets/<target>/resync", action="target.act", methods=("POST",))
    def target_resync(target: str) -> Response:
        name = _reached(config, target).name
        repair.request_repair(
            config, name, clear_strangers=True, allow_removals=request.form.get("allow_removals") == "yes"
        )
        return see(f"/targets/{name}", "target-resync")


def _acting(config: Config, action: str) -> Callable[[str], Response]:
    notice, act = _ACTIONS[action]

    def view(target: str) -> Response:
        name = _reached(config, target).name
        act(config, name)
        return see(own_address(request.form.get("return", ""), f"/targets/{name}"), notice)

    return view


def _list(config: Config) -> Response:
    states = target_state.read_all(all_targets(config))
    tone, sentence = target_words.verdict(states) if states else ("good", "")
    return live_page(
        "dashboard/targets.html",
        {"targets": "dashboard/_targets.html"},
        states=states,
        tone=tone,
        sentence=sentence,
        highest=lag_history.highest(now() - 3600),
        acts=guard.principal().may("target.act"),
        own=_own_name(config),
        words=target_words,
        shared=config.shared,
        docroot=config.docroot,
    )


def _details(config: Config, target: Target) -> Response:
    state = target_state.read(target)
    region = wanted_region()
    parts: dict[str, Any] = {}
    if region in ("", "target-now"):
        parts |= _now(state)
    if region in ("", "target-lag"):
        parts |= _lag(state, request.args.get("span", ""))
    if region in ("", "target-waiting"):
        parts["lacking"] = backlogs.first_changes(target, _NAMED)
    if not region:
        parts["history"] = _history(target.name)
    return live_page(
        "dashboard/target.html",
        {
            "target-now": "dashboard/_target_now.html",
            "target-lag": "dashboard/_target_lag.html",
            "target-waiting": "dashboard/_target_waiting.html",
        },
        target=target,
        state=state,
        acts=guard.principal().may("target.act"),
        is_own=target.name == _own_name(config),
        words=target_words,
        **parts,
    )


def _now(state: TargetState) -> dict[str, Any]:
    """How a target is at this moment, and what was asked for it."""
    tone, sentence = target_words.sentence(state)
    jobs = {job.kind: job for job in target_job.newest_jobs(state.name)}
    check, verification = jobs.get(target_job.CHECK), jobs.get(target_job.VERIFY)
    compared = progress.read(state.name)
    is_busy = bool(compared or state.repairing or _is_open(check) or _is_open(verification) or state.word == "behind")
    return {
        "tone": tone,
        "sentence": sentence,
        "check": check,
        "verification": verification,
        "compared": compared,
        "every": _SOON if is_busy else _CALM,
    }


def _lag(state: TargetState, span: str) -> dict[str, Any]:
    """The chart of a target's lag, and links to its spans."""
    span = span if span in SPANS else "hour"
    links = [(f"/targets/{state.name}?span={name}", words, None, name == span) for name, (words, _, _) in SPANS.items()]
    return {"chart": lag_chart(state, span, now()), "spans": links}


def _is_open(job: JobRow | None) -> bool:
    return job is not None and job.state in ("pending", "running")


def _history(name: str) -> list[audit.AuditRow]:
    """What people did with a target, the newest first, for those who may read that."""
    if not guard.principal().may("audit.read_all"):
        return []
    wanted = AuditFilter(subject="target", subject_id=name)
    return list(audit.list_audit(wanted, size=_ACTS, with_total=False).rows)


def _known(config: Config, name: str) -> Target:
    found = next((target for target in all_targets(config) if target.name == name), None)
    if found is None:
        raise NotFound
    return found


def _reached(config: Config, name: str) -> Target:
    """A target that couriers of this host send to."""
    _known(config, name)
    if name == _own_name(config):
        raise NotFound
    return find_target(config, name)


def _own_name(config: Config) -> str:
    own = own_docroot(config)
    return own.name if own else ""
