"""What is right about a target and what is not: each a judgement, with what was seen or a sentence that mends it.

A judgement is True, False, or None when it cannot be seen through the key there is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from pydantic import ValidationError

from appliance.config import Config, TargetSettings, faults
from appliance.config.contradictions import contradictions
from appliance.delivery import rsync
from appliance.delivery.inspection import Access, FileSeen, Seen
from appliance.delivery.probe import Probe
from appliance.delivery.targets import Target
from appliance.errors import ConfigError

Judgement = tuple[bool | None, str]

#: Seconds that two clocks may differ by.
DRIFT = 2

#: What has to be free: bytes, and inodes.
LEAST_SPACE = 64 << 20
LEAST_INODES = 1000

#: The oldest protocol of rsync that knows all that is asked of a confined one (3.1.0).
_PROTOCOL = 31
_HOUR, _DAY = 3600, 86400
_TIMELESS = "the probe arrived without its time, which versions need; remove --no-times from rsync_options"
_UNSEEN: Judgement = (None, "not seen through this key")

_TEARING = re.compile(r"--write-devices|--temp-dir(=.*)?|-T.*")


def target(
    config: Config, address: str, access: str, port: int, ssh_options: Sequence[str], other_path: bool
) -> Target:
    """A target that is not configured yet, checked as a configured one is.

    Raises:
        ConfigError: the address or an option makes no sense, or the path differs from the docroot's.
    """
    host = re.sub(r"^.*@|:.*", "", address).lower()
    raw = {
        "name": re.sub(r"[^a-z0-9]+", "-", host).strip("-")[:63] or "folder",
        "address": address, "access": access, "port": port, "ssh_options": list(ssh_options), "other_path": other_path,
    }  # fmt: skip
    try:
        settings = TargetSettings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(faults.sentences(error, TargetSettings, raw)) from error
    if found := list(contradictions(config.docroot, [], [settings], {})):
        raise ConfigError([fault.partition(".address: ")[2] or fault for fault in found])
    return Target(settings, config.docroot, config.delivery)


def without_name(said: str, name: str) -> str:
    """A sentence about a target without its name, which stands before it already."""
    return re.sub(rf"^target {re.escape(name)} \(.*?\): ", "", said)


def access_fault(found: Access, wanted: str, said: str) -> str | None:
    """What is wrong with how the key is confined; None when nothing is."""
    if found == wanted:
        return None
    if found is None:
        heard = " ".join(said.split())[:200] or "nothing"
        return f"no shell, rrsync or rsync daemon answers this key ({heard}); see its authorized_keys there"
    if found == "shell":
        return (
            f'the key may run any command there, though its access is "{wanted}"; put the forced command before it in'
            " authorized_keys there"
        )
    return f'the key is confined there, so its access is "{found}" and not "{wanted}"; write access = "{found}"'


def path(target: Target, seen: Seen | None) -> Judgement:
    """The docroot is there, under the name it has here."""
    if seen is None:
        return None, "where it writes to is not seen through this key"
    if seen.path is None:
        return False, (
            f"there is no folder {target.folder} there that {seen.user} can enter; make it, with the same path as on"
            " this host, and give it to the account that couriers use"
        )
    return True, seen.path


def rsync_there(seen: Seen | None, protocol: int | None) -> Judgement:
    """An rsync is there and new enough."""
    if seen is None:
        if protocol is None:
            return None, "its version is not seen through this key"
        old = protocol < _PROTOCOL
        return not old, f"protocol {protocol}" + ("; that is too old, install rsync 3.2.3 or newer" if old else "")
    found = re.match(r"rsync +version v?(\d+)\.(\d+)\.(\d+)", seen.rsync)
    if not found:
        return False, "rsync is not installed there, or not on its PATH; install it (apt-get install rsync)"
    version = tuple(map(int, found.groups()))
    if version < rsync.OLDEST:
        return False, f"its rsync is {'.'.join(found.groups())}, which is too old; install 3.2.3 or newer"
    return True, ".".join(found.groups())


def arrived(file: FileSeen | None, content: bytes, version: int) -> Judgement:
    """What arrived is what was sent, by the sum a shell there makes of it."""
    if file is None:
        return False, "the probe was sent but is not in the docroot there: the key writes elsewhere; compare the paths"
    if file.digest != hashlib.sha256(content).hexdigest():
        return False, "the probe arrived with other bytes than were sent; see to the disk there"
    if file.mtime != version:
        return False, _TIMELESS
    return True, "read back by a shell"


def arrived_unseen(probe: Probe, content: bytes, version: int) -> Judgement:
    """The same by rsync alone: it finds no difference, and finds the one that is then made here."""
    if differs := probe.differs(probe.page):
        if "t" in differs and "c" not in differs:
            return (
                False,
                "the probe arrived without its time, which versions need; remove --no-times from rsync_options",
            )
        return False, "the probe did not arrive as it was sent; see to the disk there and to rsync_options"
    probe.write(probe.page, bytes(byte ^ 1 for byte in content), version)
    found = probe.differs(probe.page)
    probe.write(probe.page, content, version)
    if "c" not in found:
        return False, "its rsync does not compare by content; remove what keeps --checksum from it"
    return True, "compared by a second run of rsync"


def renamed(target: Target, first: FileSeen | None = None, second: FileSeen | None = None) -> Judgement:
    """Files are replaced by rename, on one file system: readers never see half of one."""
    options = [*target.delivery.rsync_options, *target.settings.rsync_options]
    if tearing := next((option for option in options if _TEARING.fullmatch(option)), None):
        return False, f"with {tearing} readers may see half a file; remove it from rsync_options"
    if first and second:
        if first.inode == second.inode:
            return False, "files are written over instead of renamed into place there; see the front end's rsync"
        return True, ""
    return _UNSEEN


def mode(probe: Probe, seen: Seen | None) -> Judgement:
    """Everybody may read what arrives."""
    file = seen.files.get(probe.page) if seen else None
    if file is None:
        wrong = "p" in probe.differs(probe.page, "--chmod=F644")
        return not wrong, "files arrive with other rights than 644; see the front end's rsync" if wrong else "644"
    if file.mode != "644":
        return False, f"files arrive with the rights {file.mode} instead of 644; see rsync_options and the front end"
    return True, f"{file.owner} {file.mode}"


def clocks(probe: Probe, seen: Seen | None, between: tuple[float, float]) -> Judgement:
    """Its clock and this host's differ by no more than `DRIFT` seconds, by the time a new file bears there."""
    file = seen.files.get(probe.clock) if seen else None
    if file:
        # A file's time is cut to whole seconds here, and some file systems are up to a tick behind.
        off = max(0.0, file.mtime - between[1], between[0] - 1 - file.mtime)
        amount = f"{off:.0f} s"
    else:
        off, amount = _drift(probe, between)
    if off > DRIFT:
        return False, f"its clock and this host's differ by {amount}; have both follow NTP"
    return True, f"within {DRIFT} s"


def _drift(probe: Probe, between: tuple[float, float]) -> tuple[float, str]:
    """Seconds the clocks differ by at least, and in words."""
    probe.touch(probe.clock, int(sum(between) / 2))
    slack = DRIFT + round((between[1] - between[0]) / 2)
    words = {slack: f"{DRIFT} s", 60: "less than a minute", _HOUR: "less than an hour", _DAY: "less than a day"}
    for window, amount in words.items():
        if "t" not in probe.differs(probe.clock, f"--modify-window={window}"):
            return (0.0 if window == slack else DRIFT + 1.0), amount
    return DRIFT + 1.0, "more than a day"


def space(seen: Seen | None) -> Judgement:
    """There is room."""
    if seen is None:
        return _UNSEEN
    if seen.space is not None and seen.space < LEAST_SPACE:
        return False, f"only {seen.space >> 20} MiB are free there; make room for {LEAST_SPACE >> 20} MiB and the site"
    if seen.inodes is not None and seen.inodes < LEAST_INODES:
        return False, f"only {seen.inodes} more files fit there; its file system is out of inodes, make room"
    free = "" if seen.space is None else f"{seen.space / (1 << 30):.1f} GiB free"
    return True, free
