"""Reports of a web process to the intake: how it is doing, and what it is asked to do in return.

So a web process under any account is in the list of processes and can be recycled from there, without a socket of its
own that would take commands. It says once when the intake cannot be reached and why, and once when it can be again.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance import clock, logging
from appliance.config import WebSettings
from appliance.errors import IntakeUnavailable
from appliance.intake.client import IntakeClient
from appliance.intake.messages import REFUSED, ProcessAnswer, ProcessReport
from appliance.intake.reachability import explain_refusal

log = logging.get_logger("web")

#: Seconds that one report may take.
_TIMEOUT: Final = 0.5
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class IntakeReporter:
    """Reports one run of a web process."""

    def __init__(self, settings: WebSettings, *, with_work: bool) -> None:
        self.use(settings)
        self._with_work = with_work
        self._run, self._begun = secrets.token_hex(8), clock.monotonic()
        #: Why the intake cannot be reached, as it was said last.
        self._said = ""

    def use(self, settings: WebSettings) -> None:
        """Report to the intake of these settings from now on."""
        self._path = settings.intake
        self._client = IntakeClient(settings.intake, _TIMEOUT)

    def report(self, processes: list[int], requests: int) -> bool:
        """Report; returns whether to let a fresh process take the place of this one.

        Args:
            processes: this process and its workers.
            requests: the requests that they and earlier workers have answered.
        """
        memory = sum(_memory(process) for process in processes)
        report = ProcessReport(
            run=self._run, with_work=self._with_work, workers=len(processes) - 1, memory=memory, requests=requests,
            age=clock.monotonic() - self._begun,
        )  # fmt: skip
        try:
            answer = self._client.ask(report)
        except IntakeUnavailable as error:
            self._say(str(error))
            return False
        finally:
            self._client.close()  # workers that are forked must not hold it open
        self._say(explain_refusal(self._path) if answer == REFUSED else "")
        return isinstance(answer, ProcessAnswer) and answer.recycle

    def _say(self, why: str) -> None:
        if why and why != self._said:
            log.warning("readers can neither comment nor search", error=why)
        elif self._said and not why:
            log.info("the intake answers again")
        self._said = why


def _memory(process: int) -> int:
    """The resident memory of a process in bytes, as far as it can be seen."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * _PAGE
    return 0
