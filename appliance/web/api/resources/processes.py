"""Processes of all hosts: listed, paused, resumed and recycled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from appliance import db
from appliance.queue import processes
from appliance.web.api.fields import Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, operation
from appliance.web.api.problems import NotThere


class Process(Shown):
    """A process. Times are seconds since the epoch."""

    name: str = Field(description="Host and process id: `pub1:4711`.")
    host: str
    pid: int
    role: str
    supervisor: str = Field(validation_alias="keeper", description="Empty for a supervisor.")
    doing: str
    memory: int = Field(description="Bytes.")
    jobs: int
    started_at: float
    beat_at: float
    request: str | None = Field(description="`pause` or `recycle` while such a request is open.")


class Processes(Rows[Process]):
    """All processes, at one moment."""

    now: float = Field(description="The time of the database, for ages.")


class ProcessAction(Sent):
    """What a process is asked to do. A supervisor passes it on to its processes."""

    request: Literal["pause", "resume", "recycle"]


@operation("GET", "/processes", "process.read", answer=Processes)
def list_processes(_call: Call) -> Answer:
    """List the processes of all hosts."""
    return Answer({"rows": processes.list_processes(), "now": db.now()})


@operation("POST", "/processes/{process}", "process.act", body=ProcessAction, status=202)
def ask_process(call: Call) -> Answer:
    """Ask a process to pause, to resume or to end so that a fresh one takes its place."""
    name = call.path["process"]
    if name not in {process.name for process in processes.list_processes()}:
        raise NotThere(f"there is no process “{name}”; processes.list names them")
    processes.request(name, call.body.request)
    return Answer()
