"""All errors that are shown to people, as one tree. The number is the exit code of the command.

    ApplianceError                1
    ├── ConfigError               3   the settings cannot be used; lists every problem found
    ├── DatabaseUnavailable       3   the database went away or refuses writes; the transaction was not saved
    ├── IntakeUnavailable         3   the intake does not answer; what was sent may or may not have been carried out
    ├── ContentError              1   a content file cannot be read, or a change to content is invalid
    │   ├── UnpublishedSource     1   an imported file is a draft or excluded at its source
    │   ├── AmbiguousName         1   several entries have the slug that was given
    │   └── EditConflict          1   somebody else changed the content after it was read; nothing was saved
    ├── AuditError                2   the audit does not fit together, or has no such row
    ├── CursorError               3   a cursor does not belong to the list it was used for
    ├── JobsChanged               1   there are more jobs to act on than somebody was asked about; nothing was done
    ├── UndoRefused               1   a deletion of jobs is too long ago or undone already
    ├── FilterError               3   the arguments of a command do not describe a set of jobs
    ├── TimeLimitExceeded         1   an operation used more processor time than it is allowed
    ├── ThemeError                3   theme.toml or a template cannot be used
    ├── BuildError                1   an artifact could not be built
    │   ├── TemplateFailure       1   a template raised an exception; not retried
    │   ├── TemplateEdited        1   a template failed that is another by now; built again
    │   ├── PlanUnfinished        1   a template failed while its site was being planned in steps; built again
    │   ├── UploadElsewhere       1   another publishing host holds the uploaded file and will publish it
    │   └── ImageFailure          1   the original of a thumbnail cannot be decoded; not retried
    ├── JobLeaseLost              1   another worker owns the job now
    ├── PlanTaken                 1   another process plans the site by now; retried
    ├── QueueError                1   a job kind, a payload or a periodic task is invalid
    ├── MailError                 1   mail could not be sent; retried
    │   └── MailRefused           1   the server refused the mail for good; not retried
    ├── SpamCheckError            1   a spam check did not answer; retried
    │   └── SpamCheckRefused      1   a spam check needs a person to change something; not retried
    ├── PurgeError                1   a cache did not drop an address; retried
    │   └── PurgeRefused          1   the cache is not set up for purge requests; not retried
    ├── WebhookError              1   a webhook did not take an event; retried
    │   ├── WebhookRefused        1   a webhook needs a person to change something; not retried
    │   └── WebhookResting        1   a webhook failed a moment ago; the event waits its turn
    ├── DocrootError              3   the docroot or its staging folder cannot be used
    │   └── DocrootAway           3   a shared docroot is not mounted or belongs to another installation; retried
    ├── DeliveryError             2   a target could not be brought up to date with the journal
    │   ├── TargetBusy            2   another process is writing to the target; retried
    │   ├── TargetPaused          2   the target is paused; nothing is sent until it is resumed
    │   ├── TargetLeaseLost       2   another courier has taken the target over
    │   ├── PartialTransfer       2   some files did not arrive
    │   └── RemovalRefused        2   a push would remove more files than the settings allow
    ├── ClusterError              3   no command could be started on a host of the cluster
    │   └── ConnectionLost        2   the connection broke; the command may have run
    ├── ApiError                  3   the API of an installation cannot be used; nothing was done
    │   ├── ApiInterrupted        2   the connection to the API broke; what was asked may have been done
    │   └── ApiRefused            n   the API refuses what a command asks, with the status that the command has
    ├── AccountError              1   a user, a role, a token or a link does not exist, or cannot be changed so
    │   ├── WeakPassword          1   a password is too short, too long, or one that others guess first
    │   └── SignInRefused         1   who signs in is not known by what they gave, or has to wait
    └── DemoError                 1   the demo could not continue, or did not show what it should

The queue stores the class name of a job's error and later compares it with `UploadElsewhere` and `DocrootAway`, so
these two names must not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class ApplianceError(Exception):
    """Base class of all errors that are shown to people as a sentence instead of a stack trace."""

    exit_code = 1


class ConfigError(ApplianceError):
    """The settings cannot be used. `faults` holds one sentence for each problem."""

    exit_code = 3

    def __init__(self, faults: Sequence[str], path: Path | None = None) -> None:
        self.faults = list(faults)
        self.path = path
        where = f"{path}: " if path else ""
        super().__init__("\n".join(where + fault for fault in self.faults))


class DatabaseUnavailable(ApplianceError):  # noqa: N818 - a state, not a mistake
    """The database went away during a command, or it refuses writes. The open transaction was not saved."""

    exit_code = 3

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the database cannot be used: {reason}; fix that and try again, earlier changes are still saved"
        )


class IntakeUnavailable(ApplianceError):  # noqa: N818 - a state, not a mistake
    """The intake cannot be reached, or broke off. A request that was sent may have been carried out."""

    exit_code = 3

    def __init__(
        self, path: Path, reason: str, mend: str = "start it with “appliance work”, or wait until it is back"
    ) -> None:
        self.path = path
        super().__init__(f"the intake does not answer at {path}: {reason}; {mend}")


class WebError(ApplianceError):
    """The web process cannot listen as the settings say."""

    exit_code = 3


class ContentError(ApplianceError):
    """A content file cannot be read, or a change to content is invalid."""


class UnpublishedSource(ContentError):  # noqa: N818 - a state, not a mistake
    """An imported file is not public at its source. It is skipped, and an entry imported from it earlier is removed."""


class AmbiguousName(ContentError):  # noqa: N818 - a state, not a mistake
    """Several entries have the slug that was given. The message has their ids."""


class EditConflict(ContentError):  # noqa: N818 - the term of the field
    """An edit expects a version of content that is no longer current, because somebody changed it after it was read.

    `by` is the name of the person or process that changed the content, and `at` is the time of the change in seconds
    since the epoch. Each is None if it is not known.
    """

    def __init__(self, what: str, by: str | None = None, at: int | None = None, when: str = "") -> None:
        self.by = by
        self.at = at
        who = f" by {by}" if by else ""
        super().__init__(
            f"{what} was changed{who}{f' at {when}' if when else ''} after you read it, so nothing was saved;"
            " read it again and repeat your change"
        )


class AuditError(ApplianceError):
    """The audit does not fit together, or has no such row."""

    exit_code = 2


class CursorError(ApplianceError):
    """A cursor does not belong to the list it was used for."""

    exit_code = 3

    def __init__(self, order: str) -> None:
        super().__init__(f"this is no cursor of a list in the order “{order}”; begin at the first page")


class JobsChanged(ApplianceError):  # noqa: N818 - an event
    """There are more jobs to act on than somebody was asked about, so nothing was done."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"{found:,} jobs match now and not {expected:,}, so nothing was done; look at them again")


class UndoRefused(ApplianceError):  # noqa: N818 - an answer
    """A deletion of jobs cannot be undone: it is too long ago, or undone already."""

    def __init__(self, *, is_undone: bool) -> None:
        self.is_undone = is_undone
        super().__init__(
            "this deletion is undone already"
            if is_undone
            else "a deletion can be undone within a minute, and not later"
        )


class FilterError(ApplianceError):
    """The arguments and options of a command do not describe a set of jobs."""

    exit_code = 3


class TimeLimitExceeded(ApplianceError):  # noqa: N818 - an event
    """An operation used more processor time than it is allowed."""


class ThemeError(ApplianceError):
    """A theme cannot be used: its manifest is invalid or a template is missing."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class SourceExcerpt:
    """The lines of a theme's file around a fault."""

    #: The path below the theme's folder, and the number of the line that failed.
    file: str
    line: int
    #: The number of the first of the lines.
    first: int
    lines: tuple[str, ...]


class BuildError(ApplianceError):
    """An artifact could not be built. `path` is its path below the docroot."""

    def __init__(self, message: str, path: str = "") -> None:
        self.path = path
        super().__init__(message)


class TemplateFailure(BuildError):  # noqa: N818 - an event
    """A template raised an exception. It would fail again with the same content, so the job is not retried.

    `excerpt` has the lines around the fault, if the theme has the file.
    """

    def __init__(self, message: str, path: str = "", excerpt: SourceExcerpt | None = None) -> None:
        self.excerpt = excerpt
        super().__init__(message, path)


class TemplateEdited(BuildError):  # noqa: N818 - an event
    """A template failed that was edited after this worker had compiled it. The job is soon built by what it is now."""


class PlanUnfinished(BuildError):  # noqa: N818 - an event
    """A template failed on what it read between two steps of a plan. The job is built again when the plan has ended."""


class UploadElsewhere(BuildError):  # noqa: N818 - a state, not a mistake
    """The uploaded file is stored on another publishing host. The job waits until that host claims it."""


class ImageFailure(BuildError):  # noqa: N818 - an event
    """An image cannot be decoded within its limits. The same bytes would fail again, so the job is not retried."""


class JobLeaseLost(ApplianceError):  # noqa: N818 - an event
    """An attempt no longer owns its job, so the result of the attempt must not be published."""


class PlanTaken(ApplianceError):  # noqa: N818 - an event
    """The plan of a site was slow and belongs to another process by now, which ends it."""

    def __init__(self) -> None:
        super().__init__("another process plans the site by now; its plan has all that this one would have")


class QueueError(ApplianceError):
    """A job kind, a job's payload or a periodic task is invalid."""


class MailError(ApplianceError):
    """Mail could not be sent. A retry may succeed."""


class MailRefused(MailError):  # noqa: N818 - an event
    """The server refused the mail for good, or the message cannot be sent as it is. A retry cannot succeed."""


class SpamCheckError(ApplianceError):
    """A spam check did not answer. A retry may succeed."""


class SpamCheckRefused(SpamCheckError):  # noqa: N818 - an event
    """A spam check refuses to judge until a person has changed something, such as the key. The job is not retried."""


class PurgeError(ApplianceError):
    """A cache did not drop an address. A retry may succeed."""


class PurgeRefused(PurgeError):  # noqa: N818 - an event
    """A cache is not set up to accept purge requests from this host. The job is not retried."""


class WebhookError(ApplianceError):
    """A webhook did not take an event. A retry may succeed, at the earliest after `retry_after` seconds if given."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        self.retry_after = retry_after
        #: The status of the answer; None if there was none.
        self.status = status
        super().__init__(message)


class WebhookRefused(WebhookError):  # noqa: N818 - an event
    """A webhook does not take an event until a person has changed something. The job is not retried."""


class WebhookResting(WebhookError):  # noqa: N818 - a state, not a mistake
    """A webhook failed a moment ago and is left alone for a while. The event waits its turn."""


class DocrootError(ApplianceError):
    """The docroot, or the staging folder beside it, cannot be used."""

    exit_code = 3


class DocrootAway(DocrootError):  # noqa: N818 - a state, not a mistake
    """A shared docroot is unmounted, stale, read-only or belongs to another installation. Jobs wait for it."""


class DeliveryError(ApplianceError):
    """A target could not be brought up to date with the journal."""

    exit_code = 2


class TargetBusy(DeliveryError):  # noqa: N818 - a state, not a mistake
    """The front end accepts one writer at a time, and another one is active."""


class PartialTransfer(DeliveryError):  # noqa: N818 - an event
    """Some files did not arrive at the target. All other files did."""


class TargetPaused(DeliveryError):  # noqa: N818 - a state, not a mistake
    """The target is paused. Nothing is sent until it is resumed."""


class RemovalRefused(DeliveryError):  # noqa: N818 - an event
    """A push would remove more files from a target at once than the settings allow."""


class TargetLeaseLost(DeliveryError):  # noqa: N818 - an event
    """A courier's lease on a target has expired. The courier stops and confirms nothing."""


class ClusterError(ApplianceError):
    """No command could be started on a host of the cluster."""

    exit_code = 3


class ConnectionLost(ClusterError):  # noqa: N818 - an event
    """The connection to a host broke after the command may have started."""

    exit_code = 2


class ApiError(ApplianceError):
    """The API of an installation cannot be used: its address, the token or the connection is at fault."""

    exit_code = 3


class ApiInterrupted(ApiError):  # noqa: N818 - an event
    """The connection to the API broke, or its answer cannot be read, after the request may have been carried out."""

    exit_code = 2


class ApiRefused(ApiError):  # noqa: N818 - an event
    """The API refuses what a command asks for.

    `kind` is the type of the problem, such as `not-found`, and `status` that of HTTP; 0 if nobody was asked.
    """

    def __init__(self, sentence: str, *, kind: str, exit_code: int, status: int = 0) -> None:
        self.kind = kind
        self.status = status
        self.exit_code = exit_code
        super().__init__(sentence)


class AccountError(ApplianceError):
    """A user, a role, a session, a token or a one-time link does not exist, or cannot be changed in this way."""


class WeakPassword(AccountError):  # noqa: N818 - a state, not a mistake
    """A password is too short, too long, or one that others guess first. Nothing was changed."""


class SignInRefused(AccountError):  # noqa: N818 - an event
    """Who signs in is not known by what they gave, or has to wait. The sentence does not tell which of both was wrong.

    `wait` is the number of seconds until another attempt is looked at; 0 if that may be at once.
    """

    def __init__(self, sentence: str, wait: float = 0.0) -> None:
        self.wait = wait
        super().__init__(sentence)


class DemoError(ApplianceError):
    """The demo could not continue, or did not show what it should."""
