"""Jobs that check or verify a target, for those who cannot do so themselves: requests never open a connection to it.

A worker does the work, since it runs on a publishing host with the key. What is wrong with a target is the error of the
job, so it is not tried again: the next request makes another job.
"""

from __future__ import annotations

from typing import Final

from appliance import audit, db
from appliance.actor import current
from appliance.config import Config
from appliance.delivery import repair
from appliance.delivery.courier import no_report
from appliance.delivery.diagnostics import target_check
from appliance.delivery.targets import find_target
from appliance.errors import ApplianceError, DeliveryError
from appliance.queue import administration
from appliance.queue.administration import JobFilter, JobRow, TextFilter
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, handler
from appliance.queue.models import STATES
from appliance.queue.retry import RetryPolicy

#: The kinds of jobs. The key is the name of the target.
CHECK: Final = "check-target"
VERIFY: Final = "verify-target"
#: Seconds for the check of a target.
_LIMIT: Final = 60.0
_NO_RETRY: Final = RetryPolicy(max_retries=0, fatal=(ApplianceError,))


def request_check(config: Config, name: str) -> None:
    """Have a worker check the setup of a target.

    Raises:
        DeliveryError: there is no such target.
    """
    _request(config, CHECK, "target.check", name)


def request_verification(config: Config, name: str) -> None:
    """Have a worker compare a target with what was published. Raises as `request_check`."""
    _request(config, VERIFY, "target.verify", name)


def newest_jobs(name: str) -> list[JobRow]:
    """Return the newest check and the newest verification of a target that are known."""
    found = []
    for kind in (CHECK, VERIFY):
        chosen = JobFilter(kinds=[kind], keys=[TextFilter("equals", name)], states=STATES)
        found += administration.find(chosen, "-id", 1)
    return found


def _request(config: Config, kind: str, action: str, name: str) -> None:
    find_target(config, name)
    with db.write():
        cause = Cause("asked for", current().name)
        enqueue(kind, [JobRequest(name)], ageing=config.queue.ageing, causes=[cause])
        audit.record(action, "target", name, label=name)


@handler(CHECK, retry=_NO_RETRY)
def check(_payload: object, context: JobContext) -> Outcome:
    """Check the target that the key of the job names; what is wrong with it is the error of the job."""
    target = find_target(context.config, context.key)
    (result,) = target_check.check([target], account=None, limit=_LIMIT, log=no_report, on_result=lambda _result: None)
    if not result.passed:
        faults = [f"{one.aspect}: {one.said}" for one in result.checks if one.passed is False]
        raise DeliveryError(f"{target.name}: {'; '.join(faults)}")
    return "unchanged"


@handler(VERIFY, retry=_NO_RETRY)
def verify(_payload: object, context: JobContext) -> Outcome:
    """Verify the target that the key of the job names. The numbers are kept with the state of the target."""
    return "unchanged" if repair.verify(context.config, context.key, gently=True).is_right else "changed"
