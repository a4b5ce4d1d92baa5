"""Judges what the setup check has observed about a target.

Each judgement is True, False, or None if the key does not let it be seen, together with what was seen or a sentence
that says how to correct it.
"""

from __future__ import annotations

import hashlib
import re

from appliance.delivery.diagnostics.probe import Probe
from appliance.delivery.diagnostics.remote_inspection import Access, Inspection, RemoteFile
from appliance.delivery.targets import Target

Judgement = tuple[bool | None, str]

#: Seconds by which two clocks may differ.
MAX_CLOCK_DRIFT = 2

#: The bytes and inodes that must be free.
MIN_FREE_SPACE = 64 << 20
MIN_FREE_INODES = 1000

#: The oldest protocol of rsync (3.1.0) that supports all that couriers need.
_MIN_PROTOCOL = 31
_HOUR, _DAY = 3600, 86400
_TIME_LOST = "the probe arrived without its time, which versions need; remove --no-times from rsync_options"
_NOT_SEEN: Judgement = (None, "not seen through this key")

#: Options with which rsync writes into files instead of replacing them.
_NOT_ATOMIC = re.compile(r"--write-devices|--temp-dir(=.*)?|-T.*")


def strip_target_name(message: str, name: str) -> str:
    """Return a message without the name of the target at its start, for output that shows the name anyway."""
    return re.sub(rf"^target {re.escape(name)} \(.*?\): ", "", message)


def access_fault(found: Access, wanted: str, output: str) -> str | None:
    """Say what is wrong with how the key is confined; None if nothing is."""
    if found == wanted:
        return None
    if found is None:
        shown = " ".join(output.split())[:200] or "nothing"
        return f"no shell, rrsync or rsync daemon answers this key ({shown}); see its authorized_keys there"
    if found == "shell":
        return (
            f'the key may run any command there, though its access is "{wanted}"; put the forced command before it in'
            " authorized_keys there"
        )
    return f'the key is confined there, so its access is "{found}" and not "{wanted}"; write access = "{found}"'


def judge_path(target: Target, seen: Inspection | None) -> Judgement:
    """Judge whether the docroot exists."""
    if seen is None:
        return None, "where it writes to is not seen through this key"
    if seen.path is None:
        return False, (
            f"there is no folder {target.folder} there that {seen.user} can enter; make it, with the same path as on"
            " this host, and give it to the account that couriers use"
        )
    return True, seen.path


def judge_rsync(seen: Inspection | None, protocol: int | None) -> Judgement:
    """Judge whether rsync is installed."""
    if seen is None:
        if protocol is None:
            return None, "its version is not seen through this key"
        old = protocol < _MIN_PROTOCOL
        return not old, f"protocol {protocol}" + ("; that is too old, upgrade the package rsync there" if old else "")
    found = re.match(r"rsync +version v?(\d+)\.(\d+)\.(\d+)", seen.rsync)
    if not found:
        return False, "rsync is not installed there, or not on its PATH; install it (apt-get install rsync)"
    # Any version will do: the check itself tries whether files arrive and are removed.
    return True, ".".join(found.groups())


def judge_content(file: RemoteFile | None, content: bytes, version: int) -> Judgement:
    """Judge by a checksum made in a shell on the target whether the probe arrived as it was sent."""
    if file is None:
        return False, "the probe was sent but is not in the docroot there: the key writes elsewhere; compare the paths"
    if file.digest != hashlib.sha256(content).hexdigest():
        return False, "the probe arrived with other bytes than were sent; check the disk there"
    if file.mtime != version:
        return False, _TIME_LOST
    return True, "read back by a shell"


def judge_content_by_rsync(probe: Probe, content: bytes, version: int) -> Judgement:
    """Judge the same by rsync alone: it must find no difference, and then find one that is made here on purpose."""
    if differs := probe.compare(probe.page):
        if "t" in differs and "c" not in differs:
            return False, _TIME_LOST
        return False, "the probe did not arrive as it was sent; check the disk there and rsync_options"
    probe.write(probe.page, bytes(byte ^ 1 for byte in content), version)
    found = probe.compare(probe.page)
    probe.write(probe.page, content, version)
    if "c" not in found:
        return False, "its rsync does not compare by content; remove what keeps --checksum from it"
    return True, "compared by a second run of rsync"


def judge_rename(target: Target, first: RemoteFile | None = None, second: RemoteFile | None = None) -> Judgement:
    """Judge whether files are replaced by rename, so that readers never see half of one."""
    options = [*target.delivery.rsync_options, *target.settings.rsync_options]
    if option_found := next((option for option in options if _NOT_ATOMIC.fullmatch(option)), None):
        return False, f"with {option_found} readers may see half a file; remove it from rsync_options"
    if first and second:
        if first.inode == second.inode:
            return False, "files are written over instead of renamed into place there; see the front end's rsync"
        return True, ""
    return _NOT_SEEN


def judge_mode(probe: Probe, seen: Inspection | None) -> Judgement:
    """Judge whether everybody may read files that arrive."""
    file = seen.files.get(probe.page) if seen else None
    if file is None:
        wrong = "p" in probe.compare(probe.page, "--chmod=F644")
        return not wrong, "files arrive with other rights than 644; see the front end's rsync" if wrong else "644"
    if file.mode != "644":
        return False, f"files arrive with the rights {file.mode} instead of 644; see rsync_options and the front end"
    return True, f"{file.owner} {file.mode}"


def judge_clock(probe: Probe, seen: Inspection | None, between: tuple[float, float]) -> Judgement:
    """Judge by the time of a new file whether the target's clock is right.

    `between` are the times before and after the file was sent, by this host's clock.
    """
    file = seen.files.get(probe.clock_file) if seen else None
    if file:
        # A file's time is cut to whole seconds here, and some file systems are up to a tick behind.
        off = max(0.0, file.mtime - between[1], between[0] - 1 - file.mtime)
        amount = f"{off:.0f} s"
    else:
        off, amount = _drift(probe, between)
    if off > MAX_CLOCK_DRIFT:
        return False, f"its clock and this host's differ by {amount}; have both follow NTP"
    return True, f"within {MAX_CLOCK_DRIFT} s"


def _drift(probe: Probe, between: tuple[float, float]) -> tuple[float, str]:
    """Return by how many seconds the clocks differ at least, and the same in words."""
    probe.set_mtime(probe.clock_file, int(sum(between) / 2))
    slack = MAX_CLOCK_DRIFT + round((between[1] - between[0]) / 2)
    words = {
        slack: f"{MAX_CLOCK_DRIFT} s",
        60: "less than a minute",
        _HOUR: "less than an hour",
        _DAY: "less than a day",
    }
    for window, amount in words.items():
        if "t" not in probe.compare(probe.clock_file, f"--modify-window={window}"):
            return (0.0 if window == slack else MAX_CLOCK_DRIFT + 1.0), amount
    return MAX_CLOCK_DRIFT + 1.0, "more than a day"


def judge_space(seen: Inspection | None) -> Judgement:
    """Judge whether there is enough free space."""
    if seen is None:
        return _NOT_SEEN
    if seen.space is not None and seen.space < MIN_FREE_SPACE:
        return (
            False,
            f"only {seen.space >> 20} MiB are free there; make room for {MIN_FREE_SPACE >> 20} MiB and the site",
        )
    if seen.inodes is not None and seen.inodes < MIN_FREE_INODES:
        return False, f"only {seen.inodes} more files fit there; its file system is out of inodes, make room"
    free = "" if seen.space is None else f"{seen.space / (1 << 30):.1f} GiB free"
    return True, free
