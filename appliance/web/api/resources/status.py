"""The status of the installation."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from appliance import status
from appliance.queue.models import State
from appliance.web.api.fields import Shown
from appliance.web.api.operations import Answer, Call, operation
from appliance.web.api.resources.targets import Target


class FailedJob(Shown):
    """A job that failed, and why."""

    kind: str
    key: str
    error: str


class Status(Shown):
    """How the installation is at one moment."""

    jobs: dict[State, int] = Field(description="Number of jobs by state.")
    failed: list[FailedJob] = Field(description="The latest jobs that failed.")
    unknown: dict[str, int] = Field(
        description="Number of unfinished jobs of kinds that the release of the application does not know."
    )
    conflicts: list[str] = Field(description="One sentence for each file that could not be planned.")
    targets: list[Target]


@operation("GET", "/status", "target.read", answer=Status)
def read_status(call: Call) -> Answer:
    """Tell how the installation is: its jobs, what failed or was left out, and how far each target is."""
    found = status.read_status(call.config)
    may_act = call.principal.may("target.act")
    targets = [target if may_act else replace(target, address="") for target in found.targets]
    failed = [failure._asdict() for failure in found.failed]
    values = {"jobs": found.jobs, "unknown": found.unknown, "conflicts": found.conflicts}
    return Answer({**values, "failed": failed, "targets": targets})
