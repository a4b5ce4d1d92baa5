"""Retry policies: when a failed run is retried, and which errors are never retried."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass

from appliance.errors import ApplianceError, SourceExcerpt
from appliance.queue.failures import FailureDetails


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter.

    An error with a number of seconds in `retry_after` is retried no sooner: whoever raised it knows more, such as from
    the Retry-After of an answer. It sees to it that the number has a bound.

    Attributes:
        max_retries: retries after the first run; then the job is failed.
        initial_delay: seconds until the first retry; doubled for each further one.
        max_delay: the longest delay, in seconds.
        fatal: errors that every retry would meet again; the job fails at once.
        snooze_on: errors that are no fault of the job and pass when somebody repairs the cause. Such runs do not count
            as failures and are repeated without limit.
        snooze_delay: seconds until a snoozed job runs again.
        short_snooze_on: such errors that pass as soon as another worker takes the job.
        short_snooze_delay: seconds until such a job runs again.
    """

    max_retries: int = 5
    initial_delay: float = 1.0
    max_delay: float = 300.0
    fatal: tuple[type[BaseException], ...] = ()
    snooze_on: tuple[type[BaseException], ...] = ()
    snooze_delay: float = 10.0
    short_snooze_on: tuple[type[BaseException], ...] = ()
    short_snooze_delay: float = 1.5

    def retry_delay(self, failures: int, error: BaseException) -> float | None:
        """Seconds until the retry after `error`, with `failures` failed runs before it; None if there is no retry."""
        asked = float(getattr(error, "retry_after", None) or 0.0)
        if self.is_snoozed(error):
            rest = self.short_snooze_delay if isinstance(error, self.short_snooze_on) else self.snooze_delay
            return asked + rest * random.uniform(0.5, 1.0)  # noqa: S311
        if isinstance(error, self.fatal) or failures >= self.max_retries:
            return None
        # Full jitter would sometimes retry at once. Half of it keeps the spacing and still spreads the retries.
        return max(asked, min(self.max_delay, self.initial_delay * 2.0**failures) * random.uniform(0.5, 1.0))  # noqa: S311

    def is_snoozed(self, error: BaseException) -> bool:
        """Whether `error` snoozes the job instead of counting as a failure."""
        return isinstance(error, self.snooze_on + self.short_snooze_on)


def failure_details(error: BaseException, about: str = "") -> FailureDetails:
    """The details of an error that are stored with the job; `about` is what the job failed on, such as a template."""
    name = type(error).__name__
    message = str(error) if isinstance(error, ApplianceError) else f"{name}: {error}"
    excerpt: SourceExcerpt | None = getattr(error, "excerpt", None)
    return FailureDetails(name, message, "".join(traceback.format_exception(error)), about, excerpt)
