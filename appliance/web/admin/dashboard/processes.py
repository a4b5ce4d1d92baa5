"""The processes of all hosts: what each does, and pausing, resuming and recycling them.

What concerns more than one process is asked before it is done, and done to those alone that the question named. After a
recycling the page follows until a fresh process has replaced each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Final, get_args

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest

from appliance import db
from appliance.config import Config
from appliance.errors import QueueError
from appliance.queue import processes, replacements
from appliance.queue.processes import ProcessRequest, ProcessRow
from appliance.queue.replacements import Replacements, Scope
from appliance.web.admin import guard
from appliance.web.admin.dashboard.process_rows import shown_hosts, summary
from appliance.web.admin.pages import shown_times
from appliance.web.admin.pages.layout import live_page, page, see
from appliance.web.admin.pages.own_addresses import with_query

_LIST: Final = "/processes"
_REQUESTS: Final[tuple[ProcessRequest, ...]] = get_args(ProcessRequest)
_DONE: Final = {"pause": "process-paused", "resume": "process-resumed", "recycle": ""}
#: The most seconds that a recycling is followed, and after how many it takes longer than usual.
_FOLLOWED: Final = 3600.0
SLOW: Final = 30.0
_NAME: Final = re.compile(r"([^:\s]{1,255}):(\d{1,10})")


def add_routes(blueprint: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(blueprint, _LIST, action="process.read")
    def list_processes() -> Response:
        rows, now = processes.list_processes(), shown_times.now()
        hosts = shown_hosts(rows, _expected(config), now)
        followed = _followed(rows, now)
        return live_page(
            "dashboard/processes.html",
            {"processes": "dashboard/_processes.html", "replaced": "dashboard/_replaced.html"},
            hosts=hosts,
            summary=summary(hosts),
            replaced=followed,
            is_slow=followed is not None and now - _number("since") > SLOW,
            since=_number("since"),
            may_act=guard.principal().may("process.act"),
            ask=partial(with_query, f"{_LIST}/ask"),
            here=request.full_path.rstrip("?"),
        )

    @guard.route(blueprint, f"{_LIST}/ask", action="process.act")
    def ask() -> Response:
        wanted, scope = _wanted(request.args.get("request", "")), _scope()
        rows = [row for row in processes.list_processes() if _concerns(scope, row)]
        if wanted == "resume":
            rows = [row for row in rows if row.request == "pause"]
        names = processes.names_to_ask(wanted, rows)
        ending = replacements.to_be_replaced(scope, rows)
        concerned = ending if wanted == "recycle" else [row for row in rows if row.name in names]
        hosts = sorted({row.host for row in concerned})
        return page(
            "dashboard/process_question.html", wanted=wanted, scope=scope, names=names, concerned=concerned, hosts=hosts
        )

    @guard.route(blueprint, f"{_LIST}/act", action="process.act", methods=("POST",))
    def act() -> Response:
        wanted, scope = _wanted(request.form.get("request", "")), _scope()
        rows, asked_at = processes.list_processes(), db.now()
        asked = [name for name in request.form.getlist("name") if _ask_one(name, wanted)]
        if not asked:
            return see(_LIST, "process-gone")
        if wanted != "recycle":
            return see(_LIST, _DONE[wanted])
        ending = [row for row in replacements.to_be_replaced(scope, rows) if {row.name, row.keeper} & {*asked}]
        number, since = len(ending), math.floor(asked_at * 1000) / 1000
        where = {"of": scope.name, "role": scope.role} if scope.pid else {"host": scope.host}
        return see(with_query(_LIST, since=f"{since:.3f}", n=str(number), **where))


def _ask_one(name: str, wanted: ProcessRequest) -> bool:
    """Ask a process; returns whether it was there and can do that."""
    try:
        processes.request(name, wanted)
    except QueueError:
        return False
    return True


def _expected(config: Config) -> list[str]:
    """The hosts on which processes should run."""
    return [host.name for host in config.publishing_hosts] or [config.host_name]


def _wanted(word: str) -> ProcessRequest:
    for known in _REQUESTS:
        if word == known:
            return known
    raise BadRequest


def _scope() -> Scope:
    """Which processes a request is about: one, `of` with its `role`, those of a `host`, or all.

    Raises:
        BadRequest: what is given as a name is none.
    """
    values = request.values
    if not (name := values.get("of", "")):
        return Scope(values.get("host", ""))
    found = _NAME.fullmatch(name)
    if found is None:
        raise BadRequest
    return Scope(found[1], int(found[2]), values.get("role", ""))


def _concerns(scope: Scope, row: ProcessRow) -> bool:
    """Whether to ask a process, or the processes of one that is asked."""
    if scope.pid:
        return scope.name in (row.name, row.keeper)
    return not scope.host or row.host == scope.host


def _followed(rows: Sequence[ProcessRow], now: float) -> Replacements | None:
    """How far the recycling is that the address names; None without one, or long after it."""
    since, number = _number("since"), int(_number("n"))
    if not 0 < now - since < _FOLLOWED or not 0 < number < 10_000:
        return None
    return replacements.follow(_scope(), since, number, rows)


def _number(name: str) -> float:
    try:
        found = float(request.args.get(name, ""))
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
