"""Why the intake's socket cannot be reached, in one sentence that says what to do.

The web process and the intake usually run under two accounts. Which of them may do what is seen from modes and groups
of the socket and of the folders above it, which this module reads when a connection fails.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def explain(path: Path, error: OSError) -> tuple[str, str]:
    """Return why a connection to the socket at `path` failed, and what to do about it."""
    if isinstance(error, FileNotFoundError):
        return (
            "there is no such socket",
            "start “appliance work” with the same [web] path and intake, or correct the setting intake",
        )
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there any more", "start “appliance work”, which was killed"
    if isinstance(error, PermissionError):
        return _explain_permission(path)
    return error.strerror or str(error), "start it with “appliance work”, or wait until it is back"


def explain_refusal(path: Path) -> str:
    """The sentence for an account that reaches the socket and is refused by the intake."""
    return (
        f"the intake at {path} refuses the account {_account()}; name it as [web] intake_user in appliance.toml, and"
        " restart “appliance work”"
    )


def _explain_permission(path: Path) -> tuple[str, str]:
    for above in reversed(path.parents):
        if not os.access(above, os.X_OK, effective_ids=True):
            return _describe(above, "may not enter it", stat.S_IXGRP, "chmod g+x")
    return _describe(path, "may not connect to it", stat.S_IWGRP, "")


def _describe(place: Path, lacks: str, bit: int, change: str) -> tuple[str, str]:
    try:
        found = place.stat()
    except OSError as error:
        return f"{place}: {error.strerror}", "let this account reach it"
    owner, group = _name_of_user(found.st_uid), _name_of_group(found.st_gid)
    mode = stat.S_IMODE(found.st_mode)
    reason = f"{place} belongs to {owner}:{group} with mode {mode:04o}, and {_account()} {lacks}"
    ours = found.st_gid in {os.getegid(), *os.getgroups()}
    if mode & bit and not ours:
        return reason, f"run “usermod -aG {group} {_account()}” and start this process again"
    if change:
        return reason, f"run “{change} {place}”, with a group that {_account()} is a member of"
    return reason, f"set [web] intake_group in appliance.toml to a group of {_account()}, and restart “appliance work”"


def _account() -> str:
    return _name_of_user(os.geteuid())


def _name_of_user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _name_of_group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
