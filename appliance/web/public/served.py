"""The public application as a web process serves it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from appliance.config import WebSettings
from appliance.intake.messages import LONGEST_WAIT
from appliance.web.public.measures import MEASURES
from appliance.web.report import IntakeReporter
from appliance.web.served import Served

if TYPE_CHECKING:
    from flask import Flask


def served(settings: WebSettings) -> Served:
    """The public application with these settings."""
    return Served(
        "web", settings, settings.body, settings.body, LONGEST_WAIT, MEASURES.requests, _load,
        partial(_create, settings), lambda with_work: IntakeReporter(settings, with_work=with_work),
    )  # fmt: skip


def _load() -> None:
    import appliance.web.public.app  # noqa: F401


def _create(settings: WebSettings) -> Flask:
    from appliance.intake.client import IntakeClient
    from appliance.web.public.app import create_app

    return create_app(settings, IntakeClient(settings.intake, settings.timeout))
