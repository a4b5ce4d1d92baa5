"""Who runs a command: the account, or whoever it says it acts for, and where that person's terminal is.

The names are claims. Whoever may run a command as this account may set the environment too.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from appliance.actor import Actor, Via

#: Set by our playbooks, and by `--inventory` for the person at the controller.
VIA: Final = "APPLIANCE_VIA"
USER: Final = "APPLIANCE_USER"


def find_caller(environ: Mapping[str, str] = os.environ) -> Actor:
    """Return who runs this command: the person at the controller, who used sudo, or the account."""
    via: Via = "playbook" if environ.get(VIA) == "playbook" else "shell"
    name = environ.get(USER) or environ.get("SUDO_USER") or _account()
    return Actor(name, via, _address(environ))


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account of a container need not have a name
        return str(os.getuid())


def _address(environ: Mapping[str, str]) -> str:
    """Return the address that the ssh client connected from; empty at a console, and where sudo took it away."""
    address = (environ.get("SSH_CONNECTION") or environ.get("SSH_CLIENT") or "").split(" ")[0]
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
