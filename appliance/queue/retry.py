"""When a failed run is tried again, and when trying again cannot help."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass

from appliance.errors import ApplianceError
from appliance.queue.store import Fault


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter.

    Attributes:
        retries: runs after the first; then the job is failed.
        first: seconds before the first retry, doubled for each further one.
        longest: seconds no wait exceeds.
        hopeless: errors that the same run would meet again; these fail at once.
        patient: errors no job is to blame for, which pass when somebody has mended what is wrong; runs that end with
            them do not count, and are repeated for as long as it takes.
        rest: seconds before a run that ended with such an error is repeated.
        brief: errors that no job is to blame for either, and that pass as soon as another worker takes it.
        moment: seconds before a run that ended with one of these is repeated.
    """

    retries: int = 5
    first: float = 1.0
    longest: float = 300.0
    hopeless: tuple[type[BaseException], ...] = ()
    patient: tuple[type[BaseException], ...] = ()
    rest: float = 10.0
    brief: tuple[type[BaseException], ...] = ()
    moment: float = 1.5

    def delay(self, failures: int, error: BaseException) -> float | None:
        """Seconds to wait after a run that failed with `error`, `failures` before it; None when it was the last."""
        if self.is_patient(error):
            rest = self.moment if isinstance(error, self.brief) else self.rest
            return rest * random.uniform(0.5, 1.0)  # noqa: S311
        if isinstance(error, self.hopeless) or failures >= self.retries:
            return None
        # Full jitter would sometimes retry at once; half of it keeps the spacing and still spreads the herd.
        return min(self.longest, self.first * 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311

    def is_patient(self, error: BaseException) -> bool:
        """Whether a run that ended with `error` does not count."""
        return isinstance(error, self.patient + self.brief)


def fault(error: BaseException) -> Fault:
    """What is kept of an error with the job."""
    name = type(error).__name__
    message = str(error) if isinstance(error, ApplianceError) else f"{name}: {error}"
    return Fault(name, message, "".join(traceback.format_exception(error)))
