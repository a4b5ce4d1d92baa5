"""What holds for every request: tokens, their limits, repeated requests, rates, and the documents."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest
from flask import Flask

from appliance import db
from appliance.config import Config
from appliance.content.models import Entry
from appliance.web.admin import guard
from appliance.web.api import dispatch, request_keys
from appliance.web.api.request_keys import RequestKey, StoredAnswer
from appliance.web.api.resources import operations
from tests.api.conftest import Caller, MakeCaller

PATH = "/sites/blog/entries"
NEW = {"title": "Hello"}


def key() -> str:
    return str(uuid.uuid4())


def test_a_token_belongs_into_the_header(app: Flask, caller: MakeCaller) -> None:
    viewer = caller(blog="viewer")
    nobody = Caller(app.test_client(), "")
    answer = nobody.get("/sites")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for query in (f"token={viewer.secret}", f"access_token={viewer.secret}", f"x={viewer.secret}"):
        refused = nobody.get(f"/sites?{query}")
        assert refused.status_code == 401
        assert "never belongs into an address" in refused.json["detail"]
        with_header = viewer.get(f"/sites?{query}")
        assert (with_header.status_code, with_header.json["type"]) == (400, "urn:appliance:problem:token-in-query")
    assert Caller(app.test_client(), f"{viewer.secret}x").get("/sites").status_code == 401
    basic = nobody.ask("GET", "/sites", headers={"Authorization": f"Basic {viewer.secret}"})
    assert basic.status_code == 401
    nobody.client.set_cookie("__Host-appliance", viewer.secret)
    assert nobody.get("/sites").status_code == 401


def test_a_token_has_at_most_its_scopes_and_sites(caller: MakeCaller) -> None:
    reader = caller("ada", scopes=["entry.read"], everywhere="admin")
    assert reader.get(PATH).status_code == 200
    assert reader.post(PATH, NEW).status_code == 403
    assert reader.get("/sites/blog/comments").status_code == 403
    bloggers = caller("ada", only=["blog"], everywhere="admin")
    assert bloggers.post(PATH, NEW).status_code == 201
    assert bloggers.get("/sites/news/entries").status_code == 404
    assert bloggers.get("/users").status_code == 403
    assert [site["name"] for site in bloggers.get("/sites").json["rows"]] == ["blog"]


def test_a_repeated_request_is_done_once_and_answered_alike(caller: MakeCaller) -> None:
    editor, name = caller(blog="editor"), key()
    first = editor.post(PATH, NEW, Idempotency_Key=name)
    again = editor.post(PATH, NEW, Idempotency_Key=name)
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    assert (again.headers["Location"], again.headers["ETag"]) == (first.headers["Location"], first.headers["ETag"])
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert Entry.select().count() == 1
    other = editor.post(PATH, {"title": "Other"}, Idempotency_Key=name)
    assert (other.status_code, other.json["type"]) == (422, "urn:appliance:problem:key-reused")
    assert editor.post("/sites/news/entries", NEW, Idempotency_Key=name).status_code == 404
    colleague = caller("ben", blog="editor")
    assert colleague.post(PATH, NEW, Idempotency_Key=name).status_code == 201
    assert Entry.select().count() == 2
    assert editor.post(PATH, NEW, Idempotency_Key="a b").status_code == 400


def test_a_repeated_request_about_ones_own_entries_is_answered_alike(caller: MakeCaller) -> None:
    author, name = caller(blog="author"), key()
    mine = author.post(PATH, NEW).json["id"]
    answers = [author.post(f"{PATH}/delete", {"entries": [str(mine)]}, Idempotency_Key=name) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data


def test_a_refused_request_may_be_corrected_under_its_key(caller: MakeCaller) -> None:
    editor, name = caller(blog="editor"), key()
    assert editor.post(PATH, {"title": "x", "slug": "not a slug"}, Idempotency_Key=name).status_code == 422
    assert editor.post(PATH, {"title": "x", "slug": "slug"}, Idempotency_Key=name).status_code == 201
    assert RequestKey.select().count() == 1


def test_of_two_that_come_at_once_one_is_told_to_ask_again(config: Config, caller: MakeCaller) -> None:
    editor, name = caller(blog="editor"), key()
    begun, goes_on, answers = threading.Event(), threading.Event(), list[Any]()

    def perform() -> StoredAnswer:
        begun.set()
        goes_on.wait(20)
        return StoredAnswer(200, {}, b"{}")

    def first() -> None:
        answers.append(request_keys.perform_once(editor.user, name, "d", perform, is_transaction=False))
        db.disconnect()

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(20)
    refused = editor.post(PATH, NEW, Idempotency_Key=name)
    assert refused.status_code in (409, 422)
    with pytest.raises(request_keys.Problem) as caught:
        request_keys.perform_once(editor.user, name, "d", perform, is_transaction=False)
    assert (caught.value.code, caught.value.headers) == (409, {"Retry-After": "1"})
    goes_on.set()
    thread.join(20)
    assert request_keys.perform_once(editor.user, name, "d", perform, is_transaction=False) == (answers[0][0], True)


def test_what_fails_leaves_neither_the_edit_nor_the_answer(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")

    def perform() -> StoredAnswer:
        Entry.create(
            site=1, title="x", slug="x", published_at=0, modified_at=0, day="2026-01-01", week="2026-01-01"
        )  # fmt: skip
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        request_keys.perform_once(editor.user, "k", "d", perform, is_transaction=True)
    assert (Entry.select().count(), RequestKey.select().count()) == (0, 0)


def test_a_lost_request_is_done_again_and_an_old_key_is_free(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    lost = db.now() - 400
    RequestKey.create(user=editor.user, key="lost", digest="d", claimed_at=lost)
    assert editor.post(PATH, NEW, Idempotency_Key="lost").status_code == 201
    RequestKey.update(claimed_at=db.now() - request_keys.KEPT - 1).execute()
    assert editor.post(PATH, {"title": "Other"}, Idempotency_Key="lost").status_code == 201
    RequestKey.update(claimed_at=db.now() - request_keys.KEPT - 1).execute()
    assert request_keys.prune() == 1
    assert RequestKey.select().count() == 0


def test_a_secret_is_never_stored_for_repetition(caller: MakeCaller) -> None:
    ada, name = caller("ada", scopes=["write", "token.add"], blog="editor"), key()
    made = ada.post("/tokens", {"label": "ci"}, Idempotency_Key=name)
    assert made.status_code == 201
    again = ada.post("/tokens", {"label": "ci"}, Idempotency_Key=name)
    assert (again.status_code, again.json["type"]) == (409, "urn:appliance:problem:done")
    for row in RequestKey.select():
        assert made.json["secret"].encode() not in bytes(row.body or b"")


def test_a_token_that_asks_too_often_has_to_wait(
    app: Flask, caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MOST_REQUESTS", 3)
    monkeypatch.setattr(dispatch, "MOST_CHANGES", 1)
    from appliance.web.admin.app import create_app

    limited = create_app(app.config["APPLIANCE"]).test_client()
    editor, other = caller(blog="editor"), caller("ben", blog="editor")
    editor.client = other.client = limited
    assert editor.post(PATH, NEW).status_code == 201
    refused = editor.post(PATH, NEW)
    assert (refused.status_code, refused.content_type) == (429, "application/problem+json")
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert [editor.get("/sites").status_code for _ in range(2)] == [200, 429]
    assert other.get("/sites").status_code == 200


def test_every_operation_is_a_route_with_its_action(app: Flask) -> None:
    rows = {(rule, method): action for rule, methods, action in guard.registered(app) for method in methods}
    for one in operations():
        variables = app.url_map.bind("x")
        assert variables is not None
        found = [action for (rule, method), action in rows.items()
                 if method == one.method and _plain(rule) == f"/api/v1{one.path}"]  # fmt: skip
        assert found == [one.action], one.name
    assert rows["/api/v1/openapi.json", "GET"] is None


def _plain(rule: str) -> str:
    return "/".join(
        f"{{{part[1:-1].rpartition(':')[2]}}}" if part.startswith("<") else part for part in rule.split("/")
    )


def test_what_is_not_there_is_a_problem_too(caller: MakeCaller) -> None:
    viewer = caller(blog="viewer")
    for method, path, status in (
        ("GET", "/nosuch", 404),
        ("PUT", "/sites", 405),
        ("GET", "/sites/blog/entries/0", 404),
    ):
        answer = viewer.ask(method, path)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), path
        assert json.loads(answer.data)["status"] == status
    assert viewer.ask("PUT", "/sites").headers["Allow"]
