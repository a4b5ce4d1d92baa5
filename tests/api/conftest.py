"""An API with two sites on each database, and callers with tokens of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from peewee import PostgresqlDatabase
from werkzeug.test import TestResponse

from appliance import db, publishing
from appliance.accounts import tokens, users
from appliance.actor import Actor, acting
from appliance.config import Config
from appliance.content import sites
from appliance.db import grants
from appliance.running import drain
from appliance.web.admin.app import create_app
from tests.conftest import MakeConfig, empty_database

URL = "https://admin.example.org/"
SITES = [{"name": name, "title": name.title(), "url": f"https://{name}.example/", "folder": name}
         for name in ("blog", "news")]  # fmt: skip


@dataclass
class Caller:
    """A program with a token."""

    client: FlaskClient
    secret: str
    user: int = 0
    name: str = ""
    #: The role in the database that answers; that of the connection, if empty.
    role: str = ""

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> TestResponse:
        given = {"Authorization": f"Bearer {self.secret}", **(headers or {})} if self.secret else dict(headers or {})
        if body is not None:
            more |= {"data": json.dumps(body), "content_type": "application/json"}
        with _as(self.role):
            return self.client.open(f"/api/v1{path}", method=method, headers=given, **more)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, headers=_named(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, body, _named(headers))

    def patch(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.ask("PATCH", path, body, _named(headers))

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.ask("PUT", path, body, _named(headers))

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.ask("DELETE", path, headers=_named(headers))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def _as(role: str) -> Iterator[None]:
    """Have only the rights of a role in the database."""
    if not role:
        yield
        return
    db.execute(f"SET ROLE {role}")
    try:
        yield
        assert db.execute("SELECT current_user").fetchone() == (role,), "the request had another connection"
    finally:
        db.execute("RESET ROLE")


MakeCaller = Callable[..., Caller]


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, make_config: MakeConfig, tmp_path: Path) -> Iterator[Config]:
    """An installation with two sites and a front end, on each database in turn."""
    front = tmp_path / "front"
    front.mkdir()
    targets = [{"name": "front1", "address": str(front), "other_path": True}]
    settings: dict[str, Any] = {"sites": SITES, "admin": {"url": URL}, "targets": targets}
    settings |= empty_database(request)
    made = make_config(**settings)
    opened = db.connect(made)
    if request.param == "postgresql":
        with db.write():
            db.execute(f"CREATE ROLE {grants.ROLE}")
        assert db.grant()
    sites.sync(made)
    yield made
    if request.param == "postgresql":
        with db.write():
            db.execute(f"DROP OWNED BY {grants.ROLE}")
            db.execute(f"DROP ROLE {grants.ROLE}")
    opened.close()


@pytest.fixture
def app(config: Config) -> Flask:
    made = create_app(config)
    made.testing = False
    return made


@pytest.fixture
def caller(app: Flask) -> MakeCaller:
    """Return a function that makes a user with roles, and a token for that user.

    On PostgreSQL the application has the rights that it has on publishing hosts.
    """
    role = grants.ROLE if isinstance(db.database.obj, PostgresqlDatabase) else ""

    def make(name: str = "", *, scopes: list[str] | None = None, only: list[str] | None = None, **roles: str) -> Caller:
        named = {"*" if site == "everywhere" else site: role for site, role in roles.items()}
        name = name or "-".join([*roles.values(), *roles]) or "nobody"
        with acting(Actor("root", "shell")):
            user = users.look_up(name) or users.add_user(name, roles=named)
            secret, _ = tokens.create(user, f"test {name}", scopes=scopes, sites=only)
        return Caller(app.test_client(), secret, user.id, name, role)

    return make


@pytest.fixture
def admin(caller: MakeCaller) -> Caller:
    return caller("root", everywhere="admin")


def published(config: Config) -> None:
    """Plan and build everything, and bring the front end up to date."""
    publishing.publish(config)
    drain(config, workers=1)
