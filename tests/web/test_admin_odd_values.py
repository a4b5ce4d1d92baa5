"""Addresses and forms with values that no page of ours sends: each is refused or taken for none, and nothing breaks.

What a view reads is found out by asking it, so that a new field is tried as soon as there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.wrappers import Request
from werkzeug.datastructures import ImmutableMultiDict

from appliance import db
from appliance.accounts import sessions, users
from appliance.config import Config
from appliance.content import sites
from appliance.web.admin import database, guard
from appliance.web.admin.app import create_app
from tests.conftest import MakeConfig, empty_database
from tests.web.test_admin_rights import API, fill, fill_in, plain

URL: Final = "https://admin.example.org/"
ODD: Final = (
    "\0", "-1", "1:x", "0" * 5000, "9" * 30, "0" * 20 + "9" * 30, f"1:{'0' * 30}{'9' * 30}", "0" * 5000 + "1:x", "nan",
    "1e400", "²", "٣", "'", '"', "[", "*", "<script>", "//evil.example/", "/\\evil.example", "\r\nX: y", "\u202e",
    "😀" * 300, "a" * 20_000, "9999-12-31", "0001-01-01", f"{'9' * 18}.pending.999999999.1.-1", "here:99999999999",
)  # fmt: skip
#: What else forms hold, without which a view reads no further.
ALSO: Final[dict[str, dict[str, str]]] = {
    "/comments/act": {"act": "spam", "comment": "1:x"},
    "/comments/all": {"act": "spam", "newest": "1", "asked": "1", "expected": "1"},
    "/processes": {"since": "1", "n": "1"},
    "/processes/ask": {"request": "recycle"},
    "/processes/act": {"request": "recycle"},
}
#: Numbers in paths.
LARGE: Final = ("0" * 5000 + "1", "9" * 30, "9" * 5000)


class Noted(ImmutableMultiDict[str, str]):
    """Values of a request, which note the names that they are asked for."""

    names: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.names.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default) if type is None else super().get(key, default, type)

    def getlist(self, key: str, type: Any = None) -> Any:
        self.names.add(key)
        return super().getlist(key) if type is None else super().getlist(key, type)


#: A request whose values note their names.
NotingRequest = type("NotingRequest", (Request,), {"parameter_storage_class": Noted})


@pytest.fixture(params=["postgresql"])
def config(request: pytest.FixtureRequest, make_config: MakeConfig, tmp_path: Path) -> Iterator[Config]:
    """An installation with one thing of each kind on PostgreSQL, which takes fewer texts and numbers than SQLite."""
    (tmp_path / "posts").mkdir()
    (tmp_path / "front").mkdir()
    named: list[dict[str, Any]] = [
        {"name": name, "title": name, "url": f"https://{name}.example/", "folder": name} for name in ("blog", "news")
    ]
    named[0]["sources"] = [{"name": "feed", "folder": str(tmp_path / "posts")}]
    targets = [{"name": "front1", "address": str(tmp_path / "front"), "other_path": True}]
    admin = {"url": URL, "preview_url": "https://preview.example.org/"}
    made = make_config(sites=named, targets=targets, admin=admin, **empty_database(request))
    opened = db.connect(made)
    sites.sync(made)
    yield made
    opened.close()


def pages(app: Flask) -> list[tuple[str, str]]:
    """Each method and path of the pages behind the sign-in."""
    return [
        (method, plain(rule))
        for rule, methods, action in guard.registered(app)
        for method in methods
        if action is not None and not rule.startswith(API)
    ]


@pytest.mark.slow
def test_odd_values_are_refused_or_taken_for_none(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = fill(config, tmp_path)
    user = users.add_user("ada", "ada@example.org", roles={"*": "admin"})
    cookie, _ = sessions.start(user, "192.0.2.1", factors=["password", "totp"])
    app = create_app(config)
    app.testing = False
    monkeypatch.setattr(app, "request_class", NotingRequest)
    monkeypatch.setattr(database, "end_request", lambda: None)  # the transaction is the test's
    headers = {"Sec-Fetch-Site": "same-origin", "Host": "admin.example.org", "Cookie": f"__Host-appliance={cookie}"}
    client, broken = app.test_client(use_cookies=False), []

    def ask(method: str, path: str, given: dict[str, str]) -> None:
        sent: dict[str, Any] = {"data": given} if method == "POST" else {"query_string": urlencode(given)}
        with db.write(rollback=True):
            answer = client.open(path, method=method, headers=headers, buffered=True, **sent)
        location = answer.headers.get("Location", "/")
        if answer.status_code >= 500 or not location.startswith("/") or location.startswith(("//", "/\\")):
            broken.append(f"{method} {path} {str(given)[:80]}: {answer.status_code} {location}")

    for method, path in pages(app):
        for number in LARGE:
            known = {name: number if isinstance(thing, int) else thing for name, thing in things.items()}
            ask(method, fill_in(path, known), {})
        where = fill_in(path, things)
        Noted.names.clear()
        ask(method, where, ALSO.get(path, {}))
        tried: set[str] = set()
        while names := Noted.names - tried:
            name = min(names)
            tried.add(name)
            for value in ODD:
                ask(method, where, {**ALSO.get(path, {}), name: value})
    assert broken == []
