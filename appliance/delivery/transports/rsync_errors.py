"""Turns a failure of rsync into a sentence that says what is wrong, where, and what to do.

The output of rsync tells more than its exit code. Code 2 stands for a shell that prints something, for a build that
refuses what another sends, and for two different protocols; code 12 for whatever ended the rsync at the other end. So
known phrases are looked for first, and the code decides only where there is none.
"""

from __future__ import annotations

import re

from appliance.delivery.targets import Target
from appliance.delivery.transports import ssh
from appliance.errors import DeliveryError, PartialTransfer, TargetBusy

#: Some files were not transferred; the others were.
FAILED_SOME = 23
#: Some files disappeared before rsync read them.
VANISHED = 24
PARTIAL = (FAILED_SOME, VANISHED)
#: The build or the settings at the other end do not support the request.
REFUSED = (1, 2, 4)

_BUSY = re.compile(r"another instance|max connections|already running", re.IGNORECASE)

#: The code for a daemon that refuses, and also for one that does not answer.
_DAEMON_FAILED = 5
_NO_GREETING = re.compile(r"did not see server greeting|didn't get server startup line")

#: Phrases that only one cause prints, with the sentence for it; the first match counts.
_PHRASES = tuple(
    (re.compile(phrase, re.IGNORECASE), sentence)
    for phrase, sentence in (
        (
            r"is your shell clean|rather than greeting",
            "something is printed there before rsync begins; have the shell's start files (.bashrc, .profile) and the"
            " forced command print nothing when there is no terminal",
        ),
        (
            r"invalid file mode|invalid file name|overflow: xflags|unexpected tag|unpack_smb_acl",
            "the rsync there refuses what the one here sends, since they are builds that do not go together; upgrade"
            " the package rsync on both (apt-get update, apt-get install rsync)",
        ),
        (
            r"protocol version mismatch|incompatible|protocol is too old|is older than the oldest",
            "the two rsyncs speak different protocols; upgrade the package rsync there (apt-get update, apt-get install"
            " rsync)",
        ),
        (
            r"unknown option|option .* is not supported|rrsync.*(invalid|disabled) (option|rsync-command)",
            "an option is unknown to the rsync there, or not allowed; upgrade the package rsync there, or correct"
            " rsync_options and the forced command",
        ),
        (
            r"configured to refuse|refused by|option .* refused",
            "an option is refused there; see “refuse options” in the settings of the forced rsync daemon, and"
            " rsync_options here",
        ),
        (
            r"unknown module",
            "it refused: the rsync daemon of the forced command has no module docroot; correct its settings there",
        ),
        (r"module is read only", 'its docroot may not be written; set "read only = no" in the settings of its daemon'),
        (
            r"not invoked via sshd|rrsync.*(usage|restricted directory)",
            "the forced rrsync does not run as it should; see its line in authorized_keys there",
        ),
        (
            r"(rsync|rrsync)\S*: (command )?not found|failed to exec \S*r?rsync|can't open \S*rsync"
            # Shells say so; rsync itself says the same of files. It may end with 12 before it hears of their 127.
            r"|(?m:^(-|\S*/)?\w*sh:.*rsync: no such file)|(?m:no such file or directory: \S*rsync$)",
            "rsync is not installed there, or is not on its PATH; install the package rsync there (apt-get install"
            " rsync)",
        ),
        (
            r"no space left|disk quota exceeded",
            "there is no space left there; free some, including inodes (df -i) and quotas",
        ),
        (r"read-only file system", "its file system is read only; check its disk, and mount it for writing"),
        (r"too many open files|cannot allocate|out of memory", "one of the two hosts is out of memory or files"),
    )
)

#: Exit codes for which phrases are looked for. The other codes say it all.
_AMBIGUOUS = frozenset({1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 22, FAILED_SOME, 126, 127})

_SENTENCES = {
    1: "an option is wrong here or there; correct rsync_options, or upgrade the package rsync there",
    2: "the two rsyncs do not understand each other; upgrade the package rsync on both (apt-get install rsync)",
    3: "a file or folder could not be read; check that the docroot exists on both sides",
    4: "an option is refused there; see the forced command and its settings on the front end",
    5: "the rsync there refused; see the forced command and its settings on the front end",
    10: "the connection broke; check the network",
    11: "a file could not be read or written; check permissions and free space there",
    12: "the rsync there broke off; check that it is installed, that the key may run it, and its memory",
    13: "the rsync there failed; its message says why",
    14: "rsync could not start or reach its processes; check this host's limits",
    20: "rsync was stopped by a signal",
    22: "rsync ran out of memory",
    24: "files keep disappearing from the docroot while they are sent; find out what removes them",
    30: "no data arrived within delivery.timeout; check the network or raise it",
    35: "the rsync there did not answer in time; check the network",
    126: "rsync may not be run there; see its rights and the forced command on the front end",
    127: "rsync is not installed there, or is not on its PATH; install it (apt-get install rsync)",
}

_DENIED = re.compile(r"permission denied|operation not permitted", re.IGNORECASE)
_IN_THE_WAY = re.compile(r"could not make way for new (regular file|directory)")


def delivery_error(code: int, stderr: str, target: Target) -> DeliveryError:
    """Return the error to raise for an exit code other than 0."""
    if _BUSY.search(stderr):
        return TargetBusy(f"{target}: another writer is at work there; it is tried again")
    if code == 255:
        return DeliveryError(ssh.failure_sentence(stderr, target))
    if code == FAILED_SOME:
        return PartialTransfer(f"{target}: some files were not transferred: {_excerpt(stderr)}; {_remedy(stderr)}")
    if code == _DAEMON_FAILED and _NO_GREETING.search(stderr):
        return DeliveryError(
            f"{target}: the connection broke before an rsync daemon answered; check the network, or, if it always"
            f" does, to the forced command on the front end ({_excerpt(stderr)})"
        )
    if code < 0:
        return DeliveryError(f"{target}: rsync was ended by signal {-code}")
    sentence = _find_sentence(stderr) if code in _AMBIGUOUS else None
    sentence = sentence or _SENTENCES.get(code, f"rsync failed with exit code {code}")
    return DeliveryError(f"{target}: {sentence} ({_excerpt(stderr)})")


def _find_sentence(stderr: str) -> str | None:
    return next((sentence for phrase, sentence in _PHRASES if phrase.search(stderr)), None)


def _remedy(stderr: str) -> str:
    """Say what to do about files that did not arrive."""
    if _IN_THE_WAY.search(stderr):
        return "a folder with somebody else's files is in the place of each; move it away on the target"
    if sentence := _find_sentence(stderr):
        return sentence
    if _DENIED.search(stderr):
        return "give the account that couriers use the rights to write there (owner, group, mode)"
    return "correct that on the target"


def _excerpt(stderr: str) -> str:
    """Return the first lines that name files or reasons, without rsync's closing line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("rsync error:", "rsync warning:", "WARNING:"))]
    chosen = telling or lines
    more = f" and {len(chosen) - 5} more" if len(chosen) > 5 else ""
    return "; ".join(line.removeprefix("rsync: ")[:300] for line in chosen[:5]) + more or "it said nothing"
