"""Entries: every operation, done and refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from appliance import clock, db, running
from appliance.config import Config
from appliance.content.models import Entry
from appliance.queue import administration
from appliance.queue.administration import JobFilter
from tests.api.conftest import Caller, MakeCaller

PATH = "/sites/blog/entries"


def add(who: Caller, path: str = PATH, **fields: Any) -> dict[str, Any]:
    answer = who.post(path, {"title": "Hello", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json  # type: ignore[no-any-return]


def test_an_entry_is_added_read_edited_and_deleted(caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    answer = editor.post(PATH, {"title": "Hello", "text": "Hi *there*.", "tags": ["first"]})
    assert answer.status_code == 201, answer.text
    entry = answer.json
    assert answer.headers["Location"] == f"/api/v1{PATH}/{entry['id']}"
    assert answer.headers["ETag"] == f'"{entry["version"]}"'
    assert (entry["status"], entry["html"], entry["tags"]) == ("draft", "<p>Hi <em>there</em>.</p>\n", ["first"])
    read = editor.get(f"{PATH}/{entry['id']}")
    assert read.json == entry
    assert editor.get(f"{PATH}/{entry['id']}", If_None_Match=read.headers["ETag"]).status_code == 304
    edited = editor.patch(f"{PATH}/{entry['id']}", {"status": "published", "title": "Bye"})
    assert edited.status_code == 200, edited.text
    assert (edited.json["title"], edited.json["status"], edited.json["tags"]) == ("Bye", "published", ["first"])
    assert editor.delete(f"{PATH}/{entry['id']}").status_code == 204
    assert editor.get(f"{PATH}/{entry['id']}").status_code == 404
    assert Entry.select().count() == 0


def test_lists_are_paged_by_cursor(caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    ids = [add(editor, title=f"Entry {n}", date=f"2026-01-0{n}")["id"] for n in range(1, 6)]
    first = editor.get(f"{PATH}?size=2&order=oldest&total=true")
    assert [row["id"] for row in first.json["rows"]] == ids[:2]
    assert first.json["total"] == {"number": 5, "is_capped": False}
    assert first.headers["Link"].endswith('; rel="next"')
    place = first.headers["Link"][1:].partition(">")[0]
    second = editor.client.get(place, headers={"Authorization": f"Bearer {editor.secret}"})
    assert [row["id"] for row in second.json["rows"]] == ids[2:4]
    third = editor.get(f"{PATH}?size=2&order=oldest&after={second.json['next']}")
    assert [row["id"] for row in third.json["rows"]] == ids[4:]
    assert third.json["next"] is None
    assert "Link" not in third.headers
    assert editor.get(f"{PATH}?after={second.json['next']}&order=title").status_code == 400
    assert [row["id"] for row in editor.get(f"{PATH}?text=entry+3").json["rows"]] == [ids[2]]


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("size=0", 400, "size"), ("size=x", 400, "size"), ("status=gone", 400, "status"), ("nosuch=1", 400, "nosuch"),
        ("tag=unknown", 422, None), ("since=never", 422, None), ("text=%00", 400, None), ("size=1&size=2", 400, None),
    ],
)  # fmt: skip
def test_a_query_that_does_not_fit_is_refused(
    caller: MakeCaller, query: str, status: int, parameter: str | None
) -> None:
    answer = caller(blog="viewer").get(f"{PATH}?{query}")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["detail"]
    if parameter:
        assert [error["parameter"] for error in answer.json["errors"]] == [parameter]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/title"]),
        ({"title": "x", "text": 7, "tags": [1]}, ["/text", "/tags/0"]),
        ({"title": "x", "titel": "y"}, ["/titel"]),
        ({"title": None}, ["/title"]),
        ([], [""]),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_refused_by_pointers(caller: MakeCaller, body: Any, pointers: list[str]) -> None:
    answer = caller(blog="editor").post(PATH, body)
    assert answer.status_code == 422
    assert sorted(error["pointer"] for error in answer.json["errors"]) == sorted(pointers)
    assert answer.json["type"] == "urn:appliance:problem:invalid"


def test_what_is_no_json_is_refused(caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    for data in (b"", b"{", b"\xff", b"[" * 100_000):
        answer = editor.ask("POST", PATH, data=data, content_type="application/json")
        assert answer.status_code in (400, 422), data[:5]
    assert editor.ask("POST", PATH, data=b"title=x", content_type="text/plain").status_code == 415
    assert editor.post(PATH, {"title": "a\0b"}).status_code == 422
    assert editor.post(PATH, {"title": "\ud800"}).status_code == 422
    assert Entry.select().count() == 0


def test_the_appliance_refuses_in_its_own_words(caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    add(editor, slug="same", kind="page", folder="about")
    answer = editor.post(PATH, {"title": "Other", "slug": "same", "kind": "page", "folder": "about"})
    assert answer.status_code == 422
    assert "give one of them another" in answer.json["detail"]
    assert answer.json["type"] == "urn:appliance:problem:refused"


def test_two_editors_on_one_entry(caller: MakeCaller) -> None:
    ada, ben = caller("ada", blog="editor"), caller("ben", blog="editor")
    entry = add(ada)
    place, tag = f"{PATH}/{entry['id']}", f'"{entry["version"]}"'
    assert ben.patch(place, {"title": "Ben's"}, If_Match=tag).status_code == 200
    refused = ada.patch(place, {"title": "Ada's"}, If_Match=tag)
    assert refused.status_code == 412
    problem = refused.json
    assert problem["type"] == "urn:appliance:problem:edit-conflict"
    assert problem["expected_version"] == entry["version"]
    assert problem["current"]["title"] == "Ben's"
    assert (problem["changed_by"], refused.headers["ETag"]) == ("ben", f'"{problem["current_version"]}"')
    assert "was changed by ben" in problem["detail"]
    assert ada.delete(place, If_Match=tag).status_code == 412
    assert ada.patch(place, {"title": "Ada's"}, If_Match=refused.headers["ETag"]).status_code == 200
    assert ada.patch(place, {"title": "Late"}, If_Match=f'"none", {refused.headers["ETag"]}').status_code == 412
    assert ada.patch(place, {"title": "Any"}, If_Match="*").status_code == 200
    assert ada.patch(place, {"title": "No"}, If_Match="unquoted").status_code == 400
    assert ada.delete(place).status_code == 204


def test_of_two_edits_at_once_one_wins(caller: MakeCaller) -> None:
    editors = [caller(name, blog="editor") for name in ("ada", "ben")]
    entry = add(editors[0])
    place, tag = f"{PATH}/{entry['id']}", f'"{entry["version"]}"'
    barrier, statuses = threading.Barrier(2), list[int]()

    def edit(who: Caller) -> None:
        barrier.wait(10)
        statuses.append(who.patch(place, {"title": who.name}, If_Match=tag).status_code)
        db.disconnect()

    threads = [threading.Thread(target=edit, args=(who,)) for who in editors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200, 412]


def test_authors_edit_their_own_entries_only(caller: MakeCaller) -> None:
    author, other, editor = caller("ann", blog="author"), caller("bob", blog="author"), caller(blog="editor")
    mine = add(author)
    assert author.patch(f"{PATH}/{mine['id']}", {"status": "published"}).status_code == 200
    for attempt in (other.patch(f"{PATH}/{mine['id']}", {"title": "x"}), other.delete(f"{PATH}/{mine['id']}")):
        assert (attempt.status_code, attempt.content_type) == (403, "application/problem+json")
    assert author.patch(f"{PATH}/{add(editor)['id']}", {"title": "x"}).status_code == 403
    assert editor.patch(f"{PATH}/{mine['id']}", {"title": "x"}).status_code == 200
    assert author.delete(f"{PATH}/{mine['id']}").status_code == 204


def test_html_of_an_author_is_sanitised_and_that_of_an_editor_is_not(caller: MakeCaller) -> None:
    author, editor = caller(blog="author"), caller(blog="editor")
    text = "Hello <script>alert(1)</script>"
    own = add(author, text=text)
    assert ("<script>" in own["html"], own["sanitised"]) == (False, True)
    assert author.patch(f"{PATH}/{own['id']}", {"sanitised": False}).status_code == 422
    released = editor.patch(f"{PATH}/{own['id']}", {"sanitised": False}).json
    assert ("<script>" in released["html"], released["sanitised"]) == (True, False)
    trusted = add(editor, text=text)
    assert ("<script>" in trusted["html"], trusted["sanitised"]) == (True, False)


def test_entries_of_other_sites_do_not_exist(caller: MakeCaller) -> None:
    blog, news = caller(blog="admin"), caller(news="admin")
    entry = add(blog)
    own = add(news, "/sites/news/entries")
    for path in (f"{PATH}/{entry['id']}", PATH, f"{PATH}/{entry['id']}/status", "/sites/nosuch/entries"):
        assert news.get(path).status_code == 404, path
    assert news.patch(f"/sites/news/entries/{entry['id']}", {"title": "x"}).status_code == 404
    assert news.delete(f"/sites/news/entries/{entry['id']}").status_code == 404
    assert news.get(f"/sites/news/entries/{entry['id']}/status").status_code == 404
    assert blog.get(f"{PATH}/{own['id']}").status_code == 404
    assert news.get(PATH).json["detail"] == news.get("/sites/nosuch/entries").json["detail"]


def test_viewers_and_moderators_change_no_entry(caller: MakeCaller) -> None:
    entry = add(caller(blog="editor"))
    for role in ("viewer", "moderator"):
        who = caller(blog=role)
        assert who.get(f"{PATH}/{entry['id']}").status_code == 200
        assert who.post(PATH, {"title": "x"}).status_code == 403
        assert who.patch(f"{PATH}/{entry['id']}", {"title": "x"}).status_code == 403
        assert who.delete(f"{PATH}/{entry['id']}").status_code == 403


def test_saving_only_enqueues_and_the_status_tells_how_far_it_is(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    entry = add(editor, status="published")
    jobs = administration.find(JobFilter(), limit=10)
    assert [(job.kind, job.key, job.state) for job in jobs] == [("plan", "blog", "pending")]
    status = editor.get(f"{PATH}/{entry['id']}/status").json
    assert (status["state"], status["is_readable"], status["change"]["by"]) == ("saved", False, "editor-blog")
    assert running.drain(config, workers=1).exit_code == 0
    status = editor.get(f"{PATH}/{entry['id']}/status").json
    assert (status["state"], status["is_readable"], status["readable"]) == ("built", True, 1)
    assert status["url"].startswith("https://blog.example/")
    assert [(front["name"], front["is_readable"]) for front in status["front_ends"]] == [("front1", True)]
    editor.delete(f"{PATH}/{entry['id']}")
    assert editor.get(f"{PATH}/{entry['id']}/status").json["state"] == "saved"
    running.drain(config, workers=1)
    status = editor.get(f"{PATH}/{entry['id']}/status").json
    assert (status["state"], status["is_readable"], status["url"]) == ("private", True, None)


def test_a_caller_may_be_told_at_once_or_wait(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    answer = editor.post(PATH, {"title": "Hello", "status": "published"}, Prefer="respond-async")
    assert answer.status_code == 202
    place = f"/api/v1{PATH}/{answer.json['entry']}"
    assert answer.headers["Location"] == place
    assert answer.headers["Content-Location"] == f"{place}/status"
    assert answer.headers["Preference-Applied"] == "respond-async"
    late = editor.patch(f"{PATH}/{answer.json['entry']}", {"title": "Bye"}, Prefer="wait=1")
    assert (late.status_code, late.json["state"], late.headers["Preference-Applied"]) == (202, "saved", "wait=1")
    assert late.headers["Location"] == f"{place}/status"
    plain = editor.patch(f"{PATH}/{answer.json['entry']}", {"title": "Bye!"}, Prefer="wait=soon, handling=lenient")
    assert (plain.status_code, "Preference-Applied" in plain.headers) == (200, False)
    assert plain.headers["Link"] == f'<{place}/status>; rel="status"'


def test_a_caller_who_waits_is_answered_once_everybody_can_read_it(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    entry = add(editor, status="published")
    child = drain_once(config, lambda: Entry.get_by_id(entry["id"]).title == "There")
    waited = editor.patch(f"{PATH}/{entry['id']}", {"title": "There"}, Prefer="wait=20")
    assert os.waitpid(child, 0)[1] == 0
    assert (waited.status_code, waited.json["title"]) == (200, "There")
    assert waited.headers["Preference-Applied"] == "wait=20"


def drain_once(config: Config, is_so: Callable[[], bool]) -> int:
    """Start a process that does all there is once something is so. From beside a thread, its workers could not fork."""
    if child := os.fork():
        return child
    code = 70
    try:
        db.open_database(config)
        end = clock.monotonic() + 30
        while not is_so() and clock.monotonic() < end:
            clock.sleep(0.02)
        code = running.drain(config, workers=1).exit_code
    finally:
        os._exit(code)


def test_an_entry_is_found_by_its_id_slug_or_address(caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    entry = add(editor, slug="first", date="2026-01-01")
    for reference in (str(entry["id"]), "first", "/first/"):
        answer = editor.get(f"{PATH}/lookup?reference={reference}")
        assert answer.json == entry, reference
    add(editor, slug="first", date="2026-01-02")
    ambiguous = editor.get(f"{PATH}/lookup?reference=first")
    assert ambiguous.status_code == 422
    assert "Several entries have the slug" in ambiguous.json["detail"]
    assert editor.get(f"{PATH}/lookup?reference=nosuch").status_code == 404
    assert editor.get(f"{PATH}/lookup").status_code == 400
