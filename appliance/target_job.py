"""Jobs that check or verify a target or look for a page there, since requests never open a connection to it.

A worker does the work, since it runs on a publishing host with the key. What is wrong with a target is the error of the
job, so it is not tried again: the next request makes another job.
"""

from __future__ import annotations

from typing import Final

from appliance import audit, db
from appliance.actor import current
from appliance.config import Config
from appliance.delivery import page_look, repair
from appliance.delivery.courier import no_report
from appliance.delivery.diagnostics import target_check
from appliance.delivery.targets import find_target
from appliance.delivery.whereabouts import latest_version
from appliance.errors import ApplianceError, DeliveryError
from appliance.queue import administration
from appliance.queue.administration import JobFilter, JobRow, TextFilter
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, handler
from appliance.queue.models import STATES
from appliance.queue.retry import RetryPolicy

#: The kinds of jobs. The key is the name of the target, or the path of the page.
CHECK: Final = "check-target"
VERIFY: Final = "verify-target"
LOOK: Final = "look-at-page"
#: Seconds for the check of a target.
_LIMIT: Final = 60.0
_NO_RETRY: Final = RetryPolicy(max_retries=0, fatal=(ApplianceError,))


def request_check(config: Config, name: str) -> None:
    """Have a worker check the setup of a target.

    Raises:
        DeliveryError: there is no such target.
    """
    find_target(config, name)
    _request(config, CHECK, "target.check", "target", name)


def request_verification(config: Config, name: str) -> None:
    """Have a worker compare a target with what was published. Raises as `request_check`."""
    find_target(config, name)
    _request(config, VERIFY, "target.verify", "target", name)


def request_look(config: Config, path: str) -> None:
    """Have a worker look what every target has at a path below the docroot.

    Raises:
        DeliveryError: nothing was ever published at that path.
    """
    if latest_version(path) is None:
        raise DeliveryError(f"nothing was ever published at “{path}”; look for a path that was")
    _request(config, LOOK, "target.look", "page", path)


def newest_jobs(name: str) -> list[JobRow]:
    """Return the newest check and the newest verification of a target that are known."""
    return [job for kind in (CHECK, VERIFY) if (job := _newest(kind, name))]


def newest_look(path: str) -> JobRow | None:
    """Return the newest look at a page that is known."""
    return _newest(LOOK, path)


def _newest(kind: str, key: str) -> JobRow | None:
    chosen = JobFilter(kinds=[kind], keys=[TextFilter("equals", key)], states=STATES)
    return next(iter(administration.find(chosen, "-id", 1)), None)


def _request(config: Config, kind: str, action: str, subject: str, key: str) -> None:
    with db.write():
        cause = Cause("asked for", current().name)
        enqueue(kind, [JobRequest(key)], ageing=config.queue.ageing, causes=[cause])
        audit.record(action, subject, key, label=key)


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


@handler(LOOK, retry=_NO_RETRY)
def look(_payload: object, context: JobContext) -> Outcome:
    """Look at the path that the key of the job names. What was found is kept, to be read by `page_look.read`."""
    found = page_look.look(context.config, context.key)
    return "unchanged" if all(one.found == "same" for one in found) else "changed"
