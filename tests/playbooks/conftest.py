"""What the playbooks need on the machine they are run from."""

from __future__ import annotations

import pytest

from devtools import collections


@pytest.fixture(scope="session", autouse=True)
def provided() -> None:
    """The collections are where ansible.cfg says, also in a fresh checkout where nothing else was run before."""
    collections.install()
