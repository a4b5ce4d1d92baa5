"""Fixtures of users, whose passwords are hashed quickly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher

from appliance import db
from appliance.accounts import passwords, users
from appliance.accounts.models import User
from appliance.config import Config
from appliance.content import sites
from tests.conftest import EMPTY, MakeConfig

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


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with parameters that protect nothing and take no time."""
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Config]:
    """An installation with two sites and an admin application on each database in turn."""
    settings = dict(SETTINGS)
    if request.param == "postgresql":
        settings["database"] = url = request.getfixturevalue("_postgres_url")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(EMPTY)
    config = make_config(**settings)
    opened = db.connect(config)
    sites.sync(config)
    yield config
    opened.close()


@pytest.fixture
def ada(installation: Config) -> User:
    """An editor with a password."""
    user = users.add_user("ada", "ada@example.org", "Ada Lovelace", {"blog": "editor"})
    passwords.set_password(user, PASSWORD)
    return user
