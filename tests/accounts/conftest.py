"""Fixtures of users, whose passwords are hashed quickly."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher

from appliance import audit, db
from appliance.accounts import passwords, users
from appliance.accounts.models import User
from appliance.config import Config
from appliance.content import sites
from appliance.paging import all_rows
from tests.conftest import MakeConfig, empty_database

PASSWORD = "correct horse battery staple"
#: Addresses in two networks.
HOME, AWAY = "192.0.2.7", "203.0.113.9"

SETTINGS: dict[str, Any] = {
    "sites": [
        {"name": "blog", "title": "A Blog", "url": "https://blog.example/"},
        {"name": "press", "title": "Press", "url": "https://press.example/", "folder": "press"},
    ],
    "admin": {"url": "https://admin.example/"},
}

Install = Callable[..., Config]


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with parameters that protect nothing and take no time."""
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(params=["sqlite", "postgresql"])
def install(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Install]:
    """Makes an installation with two sites and an admin application, on each database in turn."""
    opened, found = [], empty_database(request)

    def make(**settings: Any) -> Config:
        config = make_config(**{**SETTINGS, **settings, **found})
        opened.append(db.connect(config))
        sites.sync(config)
        return config

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def installation(install: Install) -> Config:
    return install()


@pytest.fixture
def ada(installation: Config) -> User:
    """An editor with a password."""
    return add("ada", blog="editor")


def add(name: str, **roles: str) -> User:
    """Add a user with the password of all users here."""
    user = users.add_user(name, f"{name}@example.org", name.title(), roles)
    passwords.set_password(user, PASSWORD)
    return user


def acts() -> list[str]:
    """The actions of the audit, the oldest first."""
    rows = all_rows(lambda after: audit.list_audit(audit.ANYTHING, after=after, size=100))
    return [row.action for row in rows][::-1]


def race(config: Config, act: Callable[[int], object], processes: int = 2) -> list[Any]:
    """Have processes do something at the same moment; return what each returned, or the name of its error's class."""
    start, go = os.pipe()
    children = [_fork(config, act, number, start, go) for number in range(processes)]
    os.close(start)
    for _, ready in children:
        assert os.read(ready, 1) == b"r"
    os.close(go)  # all of them read the end now
    found = []
    for child, told in children:
        with os.fdopen(told, "rb") as answers:
            answer = answers.read()
        assert os.waitpid(child, 0)[1] == 0, answer.decode()
        found.append(json.loads(answer))
    return found


def _fork(config: Config, act: Callable[[int], object], number: int, start: int, go: int) -> tuple[int, int]:
    told, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        return child, told
    status = 1
    try:
        os.close(go)
        db.open_database(config)
        db.now()
        os.write(tell, b"r")
        os.read(start, 1)
        try:
            found = act(number)
        except Exception as error:
            found = type(error).__name__
        os.write(tell, json.dumps(found).encode())
        status = 0
    except BaseException:
        os.write(tell, traceback.format_exc().encode())
    finally:
        os._exit(status)
