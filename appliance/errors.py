"""Every error a person may see, as one tree.

Each carries its exit code and is, as text, one sentence: what is wrong, where, and what to do.

    ApplianceError                1
    ├── ConfigError               3   the settings; holds every fault found, not only the first
    ├── ContentError              1   a content file or a change to content
    ├── ThemeError                3   theme.toml or a template that cannot be used
    ├── PlanError                 1   artifacts that cannot be told apart or would leave the docroot
    ├── BuildError                1   one artifact could not be built
    │   ├── TemplateFailure       1   its template raised: trying again cannot help
    │   ├── UploadElsewhere       1   another publishing host has the upload it is: that one publishes it
    │   └── PictureFailure        1   the picture it is a copy of cannot be decoded: neither can it here
    ├── LostLease                 1   somebody else owns the job now
    ├── QueueError                1   a kind, a job or a periodic task makes no sense
    ├── MailError                 1   mail could not be sent, perhaps it can be later
    │   └── MailRefused           1   it was refused for good, or cannot be sent as it is
    ├── PurgeError                1   a cache did not drop what it was told to, perhaps it will later
    │   └── PurgeRefused          1   it will not, as it is set up
    ├── DocrootError              3   the docroot or its staging folder cannot be used
    │   └── DocrootAway           3   a shared docroot is not there now, or not ours: tried again until it is
    ├── DeliveryError             2   a target could not be brought up to the journal
    │   ├── TargetBusy            2   somebody else is writing to it: not a failure, try again
    │   ├── TargetPaused          2   it was paused: nothing is sent until it is resumed
    │   ├── LeaseLost             2   another courier may write to it now: this one stopped
    │   ├── SomeFailed            2   some files did not arrive, all others did
    │   └── RemovalRefused        2   more would be removed there at once than the settings allow
    ├── ClusterError              3   a cluster cannot be asked from here; nothing was begun there
    │   └── ConnectionLost        2   the connection broke while a host may have been at work
    └── DemoError                 1   the demonstration cannot go on, or did not show what it should
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ApplianceError(Exception):
    """Base of every error that is shown as a sentence instead of a stack trace."""

    exit_code = 1


class ConfigError(ApplianceError):
    """The settings cannot be used. `faults` holds one sentence for each thing to mend."""

    exit_code = 3

    def __init__(self, faults: Sequence[str], path: Path | None = None) -> None:
        self.faults = list(faults)
        self.path = path
        where = f"{path}: " if path else ""
        super().__init__("\n".join(where + fault for fault in self.faults))


class ContentError(ApplianceError):
    """A content file cannot be read, or a change to content makes no sense."""


class ThemeError(ApplianceError):
    """A theme cannot be used: its manifest is wrong or a template is missing."""

    exit_code = 3


class PlanError(ApplianceError):
    """The artifacts of a site contradict each other or would leave the docroot."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class BuildError(ApplianceError):
    """One artifact could not be built. `path` is where it would be, below the docroot."""

    def __init__(self, message: str, path: str = "") -> None:
        self.path = path
        super().__init__(message)


class TemplateFailure(BuildError):  # noqa: N818 - the word people use for it
    """A template raised. The same template and content would raise again, so nothing is retried."""


class UploadElsewhere(BuildError):  # noqa: N818 - where it is
    """The bytes of an upload are on another publishing host. The job waits until that one takes it."""


class PictureFailure(BuildError):  # noqa: N818 - as above
    """A picture cannot be decoded within its limits. The same bytes would fail again, so nothing is retried."""


class LostLease(ApplianceError):  # noqa: N818 - the event, as the design names it
    """The attempt is no longer the job's current one: whatever it made must not be published."""


class QueueError(ApplianceError):
    """A kind of work, a job's payload or a periodic task makes no sense."""


class MailError(ApplianceError):
    """Mail could not be sent. Trying again may help."""


class MailRefused(MailError):  # noqa: N818 - what the server did
    """Mail was refused for good, or cannot be sent as it is: trying again cannot help."""


class PurgeError(ApplianceError):
    """A cache did not drop what it was told to. Trying again may help."""


class PurgeRefused(PurgeError):  # noqa: N818 - what the cache did
    """A cache does not take such requests from here: trying again cannot help until it is set up for them."""


class DocrootError(ApplianceError):
    """The docroot, or the staging folder beside it, cannot be used."""

    exit_code = 3


class DocrootAway(DocrootError):  # noqa: N818 - the state it is in
    """A shared docroot is not mounted, is stale, read-only or somebody else's. Work waits until that is mended."""


class DeliveryError(ApplianceError):
    """A target could not be brought up to the journal."""

    exit_code = 2


class TargetBusy(DeliveryError):  # noqa: N818 - a state of the target, not a failure
    """The front end lets in one writer at a time, and another one is at work."""


class SomeFailed(DeliveryError):  # noqa: N818 - what happened
    """Some files did not arrive; all others did."""


class TargetPaused(DeliveryError):  # noqa: N818 - a state of the target, not a failure
    """Nothing is sent to the target until it is resumed."""


class RemovalRefused(DeliveryError):  # noqa: N818 - what happened
    """More would be removed from a target at once than the settings allow."""


class LeaseLost(DeliveryError):  # noqa: N818 - the event, as the design names it
    """A courier's right to write to a target has run out: it stops and confirms nothing."""


class ClusterError(ApplianceError):
    """A cluster cannot be asked to do something from here; nothing was begun there."""

    exit_code = 3


class ConnectionLost(ClusterError):  # noqa: N818 - what happened
    """The connection to a host broke while it may have been at work."""

    exit_code = 2


class DemoError(ApplianceError):
    """The demonstration cannot go on, or did not show what it should."""
