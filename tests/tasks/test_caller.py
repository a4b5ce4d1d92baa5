"""Who a command acts for, as the audit names them."""

from __future__ import annotations

import os
import pwd

import pytest

from appliance.actor import Actor
from appliance.tasks.caller import find_caller

ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, Actor(ACCOUNT, "shell")),
        ({"SUDO_USER": "ada"}, Actor("ada", "shell")),
        ({"SUDO_USER": "deploy", "APPLIANCE_USER": "ada"}, Actor("ada", "shell")),
        ({"APPLIANCE_USER": "", "APPLIANCE_VIA": "playbook"}, Actor(ACCOUNT, "playbook")),
        ({"APPLIANCE_VIA": "browser"}, Actor(ACCOUNT, "shell")),
        ({"SSH_CONNECTION": "203.0.113.9 50000 192.0.2.1 22"}, Actor(ACCOUNT, "shell", "203.0.113.9")),
        ({"SSH_CLIENT": "2001:db8::1 50000 22"}, Actor(ACCOUNT, "shell", "2001:db8::1")),
        ({"SSH_CONNECTION": "somewhere"}, Actor(ACCOUNT, "shell")),
    ],
)
def test_caller(environ: dict[str, str], found: Actor) -> None:
    assert find_caller(environ) == found


def test_an_account_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert find_caller({}).name == str(2**31 - 7)
