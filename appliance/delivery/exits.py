"""rsync's exit codes as sentences that say what is wrong, where, and what to do."""

from __future__ import annotations

import re

from appliance.delivery import ssh
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError, SomeFailed, TargetBusy

#: Some files were not transferred; the others were.
FAILED_SOME = 23
#: Some files were gone when rsync came to them.
VANISHED = 24
PARTIAL = (FAILED_SOME, VANISHED)

_BUSY = re.compile(r"another instance|max connections|already running", re.IGNORECASE)

#: What is said when a daemon refuses, and also when nothing is heard of one.
_REFUSED = 5
_UNHEARD = re.compile(r"did not see server greeting|didn't get server startup line")

_SENTENCES = {
    1: "an option is unknown to the rsync there; install 3.2.3 or newer, or correct rsync_options",
    2: "the two rsyncs speak different protocols; install rsync 3.2.3 or newer there",
    3: "a file or folder could not be chosen; see that the docroot exists on both sides",
    4: "an option is refused there; see the forced command and its settings on the front end",
    5: "the rsync there refused; see the forced command and its settings on the front end",
    10: "the connection broke; see to the network",
    11: "a file could not be read or written; see permissions and free space there",
    12: "the rsync there broke off; see that the key may run it, and to the free space",
    13: "the rsync there failed; see its own words",
    14: "rsync could not start or speak to its processes; see this host's limits",
    20: "rsync was stopped by a signal",
    22: "rsync ran out of memory",
    24: "files keep leaving the docroot while they are sent; see what removes them",
    30: "no data came for the time of delivery.timeout; see to the network or raise it",
    35: "the rsync there did not answer in time; see to the network",
    127: "rsync is not installed there, or is not on its PATH; install it",
}


def error(code: int, stderr: str, target: Target) -> DeliveryError:
    """What to raise for an exit code that is not 0."""
    if _BUSY.search(stderr):
        return TargetBusy(f"{target}: another writer is at work there; it is tried again")
    if code == 255:
        return DeliveryError(ssh.sentence(stderr, target))
    if code == FAILED_SOME:
        return SomeFailed(f"{target}: some files were not transferred: {_told(stderr)}; mend that there")
    if code == _REFUSED and _UNHEARD.search(stderr):
        return DeliveryError(
            f"{target}: the connection broke before an rsync daemon answered; see to the network, or, if it always"
            f" does, to the forced command on the front end ({_told(stderr)})"
        )
    if code < 0:
        return DeliveryError(f"{target}: rsync was ended by signal {-code}")
    sentence = _SENTENCES.get(code, f"rsync failed with exit code {code}")
    return DeliveryError(f"{target}: {sentence} ({_told(stderr)})")


def _told(stderr: str) -> str:
    """The lines that name files or reasons, without rsync's closing one, and not more than people read."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("rsync error:", "rsync warning:", "WARNING:"))]
    chosen = telling or lines
    more = f" and {len(chosen) - 5} more" if len(chosen) > 5 else ""
    return "; ".join(line.removeprefix("rsync: ")[:300] for line in chosen[:5]) + more or "it said nothing"
