"""Acts on the jobs of the list: on those that are selected, on one, or on all that match after a question.

Guarantees that an act concerns only jobs that the user may act on, and those alone that were shown or counted.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, Final, get_args

from flask import Blueprint, Response, request

from appliance.config import Config
from appliance.errors import JobsChanged, UndoRefused
from appliance.queue import job_acts, undeletion
from appliance.queue.administration import JobFilter
from appliance.queue.job_acts import Act
from appliance.web.admin import guard
from appliance.web.admin.dashboard.act_sentences import jobs
from appliance.web.admin.dashboard.job_forms import form_number, priority_of, question_of, seen_jobs
from appliance.web.admin.dashboard.job_rights import RIGHTS
from appliance.web.admin.dashboard.job_view import LIST, JobView
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.own_addresses import with_query
from appliance.web.admin.visible_jobs import limited

#: What is asked before, and the button that answers.
_QUESTIONS: Final[dict[Act, tuple[str, str]]] = {
    "delete": ("Delete {jobs}?", "Delete {jobs}"),
    "retry": ("Retry {jobs}?", "Retry {jobs}"),
    "run": ("Run {jobs} before all others?", "Run {jobs} now"),
    "prioritise": ("Change the priority of {jobs}?", "Change the priority"),
}


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes: each act has its own, since each needs its own right."""
    for act in get_args(Act):
        _add_act(pages, config, act)

    @guard.route(pages, f"{LIST}/undo/<int:act>", action="job.delete", methods=("POST",))
    def undo_deletion(act: int) -> Response:
        view = JobView.of(config, request.form)
        try:
            undeletion.undo(act, limited(JobFilter(), "job.delete"))
        except UndoRefused as error:
            return see(view.address(), "undone-before" if error.is_undone else "undo-late")
        return see(view.address(), "undone")


def _add_act(pages: Blueprint, config: Config, act: Act) -> None:
    right = RIGHTS[act]

    @guard.route(pages, f"{LIST}/{act}", action=right, methods=("POST",), endpoint=f"{act}_jobs")
    def act_on_selected() -> Response:
        view, visible = JobView.of(config, request.form), limited(JobFilter(), "job.read")
        seen, form = seen_jobs(), Form.sent()
        priority = priority_of(form) if act == "prioritise" else 0
        if not form.is_right:
            return see(view.address(), "no-priority")
        number = form_number(act, str(priority), *map(str, seen))
        result = job_acts.act_on_seen(
            act, seen, limited(JobFilter(), right), visible, number, priority=priority, ageing=config.queue.ageing
        )
        return see(with_query(view.address(), act=str(result.id)))

    @guard.route(pages, f"{LIST}/all/{act}", action=right, endpoint=f"ask_to_{act}_all_jobs")
    def ask_about_all() -> Response:
        return _ask(config, act, Form.of(request.args))

    @guard.route(pages, f"{LIST}/all/{act}", action=right, methods=("POST",), endpoint=f"{act}_all_jobs")
    def act_on_all() -> Response:
        view, form = JobView.of(config, request.form), Form.sent()
        priority = priority_of(form) if act == "prioritise" else 0
        if view.search.problems or not form.is_right:
            return _ask(config, act, form)
        question = question_of(limited(view.search.filter, right), form)
        number = form_number(act, str(priority), str(question))
        try:
            result = job_acts.act_on_all(act, question, number, priority=priority, ageing=config.queue.ageing)
        except JobsChanged as error:
            form.refuse("", f"{error}.")
            return _ask(config, act, form)
        return see(with_query(replace(view, after="").address(), act=str(result.id)))


def _ask(config: Config, act: Act, form: Form) -> Response:
    """The question: how many jobs there are, and what is done to them."""
    view = JobView.of(config, form.values)
    for problem in view.search.problems:
        form.refuse("", problem)
    question = job_acts.ask(act, limited(view.search.filter, RIGHTS[act]))
    heading, button = (text.format(jobs=jobs(question.expected)) for text in _QUESTIONS[act])
    shown: dict[str, Any] = {
        "act": act, "view": view, "search": view.search, "question": question, "heading": heading, "button": button,
        "form": form, "form_number": secrets.token_urlsafe(12),
    }  # fmt: skip
    return page("dashboard/job_question.html", 200 if form.is_right else 422, **shown)
