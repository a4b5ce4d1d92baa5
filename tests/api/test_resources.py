"""Comments, terms, files, jobs, targets and the rest: every operation, done and refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyotp
import pytest
from PIL import Image

from appliance import audit, db, editorial, running
from appliance.accounts import tokens, totp, users
from appliance.accounts.models import RoleGrant
from appliance.actor import Actor, acting
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content.models import Asset
from appliance.delivery import target_state
from appliance.queue import administration, processes
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import JobRequest, enqueue
from tests import growth
from tests.api.conftest import Caller, MakeCaller

BLOG = "/sites/blog"


@pytest.fixture
def entry(config: Config) -> int:
    """An entry of the blog with a comment by a reader."""
    made = editorial.add_entry(
        config, "blog", "Hello", "Hi", status="published", tags=["First", "Second"], categories=["News/Local"],
        later=True,
    ).subject  # fmt: skip
    editorial.add_comment(config, "blog", made, "Nice", author="Ida", email="ida@example.org", later=True)
    return int(made.id)


def upload(who: Caller, path: str, content: bytes, **more: Any) -> Any:
    kind = more.pop("content_type", "application/octet-stream")
    return who.ask("POST", f"{BLOG}/assets?path={path}", data=content, content_type=kind, **more)


def picture(form: str = "PNG") -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(made, form)
    return made.getvalue()


def test_comments_are_listed_added_edited_judged_and_deleted(config: Config, caller: MakeCaller, entry: int) -> None:
    moderator, viewer = caller("mo", blog="moderator"), caller(blog="viewer")
    (row,) = moderator.get(f"{BLOG}/comments").json["rows"]
    assert (row["author"], row["email"], row["entry"]) == ("Ida", "ida@example.org", entry)
    assert viewer.get(f"{BLOG}/comments").json["rows"][0]["email"] is None
    place = f"{BLOG}/comments/{row['id']}"
    assert viewer.get(place).json["email"] is None
    added = moderator.post(f"{BLOG}/comments", {"entry": entry, "text": "Thanks", "reply_to": row["id"]})
    assert (added.status_code, added.json["author"], added.json["reply_to"]) == (201, "mo", row["id"])
    assert viewer.post(f"{BLOG}/comments", {"entry": entry, "text": "x"}).status_code == 403
    assert moderator.post(f"{BLOG}/comments", {"entry": 999, "text": "x"}).status_code == 422
    edited = moderator.patch(place, {"text": "Very nice"}, If_Match=f'"{row["version"]}"')
    assert (edited.status_code, edited.json["text"]) == (200, "Very nice")
    conflict = moderator.patch(place, {"text": "Mine"}, If_Match=f'"{row["version"]}"')
    assert (conflict.status_code, conflict.json["current"]["text"]) == (412, "Very nice")
    judged = moderator.post(f"{BLOG}/comments/judge", {"comments": [row["id"]], "status": "spam"})
    assert judged.json == {"changed": [row["id"]]}
    assert (
        moderator.post(f"{BLOG}/comments/judge", {"comments": [row["id"], 99], "status": "approved"}).status_code == 422
    )
    assert moderator.get(place).json["status"] == "spam"
    assert moderator.delete(place).status_code == 204
    assert moderator.get(place).status_code == 404


def test_senders_are_banned_and_erased(caller: MakeCaller, entry: int) -> None:
    moderator, admin = caller(blog="moderator"), caller(blog="admin")
    made = moderator.post(f"{BLOG}/bans", {"who": "192.0.2.0/24", "reason": "flood"})
    assert [ban["value"] for ban in made.json["rows"]] == ["192.0.2.0/24"]
    assert moderator.get(f"{BLOG}/bans").json["rows"][0]["created_by"] == "moderator-blog"
    assert moderator.post(f"{BLOG}/bans", {"who": "nonsense"}).status_code == 422
    assert moderator.post(f"{BLOG}/bans", {"who": "0.0.0.0/0"}).status_code == 422
    assert moderator.delete(f"{BLOG}/bans?who=192.0.2.0/24").json == {"bans": 1}
    assert moderator.delete(f"{BLOG}/bans?who=192.0.2.0/24").status_code == 404
    assert moderator.post(f"{BLOG}/comments/erase", {"email": "ida@example.org"}).status_code == 403
    assert admin.post(f"{BLOG}/comments/erase", {"email": "ida@example.org"}).json == {"comments": 1}
    assert admin.get(f"{BLOG}/comments").json["rows"][0]["email"] == ""
    assert caller(blog="viewer").get(f"{BLOG}/bans").status_code == 403


@pytest.mark.parametrize("number", ["3000000000", "9" * 30])
def test_a_comment_that_no_database_holds_bans_nobody(caller: MakeCaller, number: str) -> None:
    moderator = caller(blog="moderator")
    assert moderator.post(f"{BLOG}/bans", {"who": number}).status_code == 422
    assert moderator.delete(f"{BLOG}/bans?who={number}").status_code == 422


def test_terms_are_listed_renamed_merged_and_deleted(caller: MakeCaller, entry: int) -> None:
    editor = caller(blog="editor")
    first, second = editor.get(f"{BLOG}/terms/tag").json["rows"]
    assert (first["name"], first["entries"]) == ("First", {"number": 1, "is_capped": False})
    place = f"{BLOG}/terms/tag/{first['id']}"
    renamed = editor.patch(place, {"name": "Primo"}, If_Match=f'"{first["version"]}"')
    assert (renamed.json["name"], renamed.json["slug"]) == ("Primo", "first")
    assert editor.patch(place, {"name": "x"}, If_Match=f'"{first["version"]}"').status_code == 412
    assert editor.post(f"{place}/merge", {"into": "Second"}).json == {"entries": 1}
    assert editor.get(place).status_code == 404
    assert editor.delete(f"{BLOG}/terms/tag/{second['id']}").json == {"entries": 1}
    news, local = editor.get(f"{BLOG}/terms/category").json["rows"]
    assert (news["path"], local["name"]) == ("news", "News/Local")
    moved = editor.patch(f"{BLOG}/terms/category/{local['id']}", {"parent": None})
    assert moved.json["path"] == "local"
    assert editor.get(f"{BLOG}/terms/nosuch").status_code == 404
    assert caller(blog="author").patch(f"{BLOG}/terms/category/{local['id']}", {"name": "x"}).status_code == 403
    assert caller("ned", news="editor").get(f"/sites/news/terms/category/{local['id']}").status_code == 404


def test_files_are_uploaded_replaced_moved_and_deleted(caller: MakeCaller, entry: int) -> None:
    author, editor = caller(blog="author"), caller(blog="editor")
    made = upload(author, "pictures/cat.png", picture())
    assert made.status_code == 201, made.text
    assert (made.json["path"], made.json["width"], made.json["media_type"]) == ("pictures/cat.png", 4, "image/png")
    place = f"{BLOG}/assets/{made.json['id']}"
    assert upload(author, "pictures/cat.png", picture()).status_code == 422
    form = author.ask(
        "POST", f"{BLOG}/assets", data={"file": (io.BytesIO(picture("JPEG")), "dog.jpg")},
        content_type="multipart/form-data",
    )  # fmt: skip
    assert (form.status_code, form.json["path"]) == (201, "dog.jpg")
    assert author.ask("PUT", place, data=picture(), content_type="image/png").status_code == 403
    tag = {"If-Match": f'"{made.json["version"]}"'}
    replaced = editor.ask("PUT", place, data=picture("PNG") + b"\0", content_type="image/png", headers=tag)
    assert replaced.status_code == 200, replaced.text
    assert editor.ask("PUT", place, data=picture(), content_type="image/png", headers=tag).status_code == 412
    assert editor.patch(place, {"path": "cat.jpg"}).status_code == 422
    assert editor.patch(place, {"path": "animals/cat.png"}).json["path"] == "animals/cat.png"
    assert [row["path"] for row in editor.get(f"{BLOG}/assets?media_type=image").json["rows"]] == [
        "animals/cat.png", "dog.jpg"
    ]  # fmt: skip
    assert author.delete(place).status_code == 403
    assert editor.delete(place).status_code == 204
    assert editor.get(place).status_code == 404
    own = upload(author, f"mine.png&entry={entry}", picture())
    assert own.status_code == 403  # the entry is not the author's


@pytest.mark.parametrize(
    ("path", "content", "by_editor"),
    [
        ("cat.png", b"<script>alert(1)</script>", 422), ("page.html", b"<script>alert(1)</script>", 201),
        ("cat.svg", b"<svg/>", 201), (".htaccess", b"x", 422), ("../up.txt", b"x", 422), ("run.php", b"<?php", 201),
        ("notes.txt", b"<html>", 422),
    ],
)  # fmt: skip
def test_what_an_author_may_not_upload(caller: MakeCaller, path: str, content: bytes, by_editor: int) -> None:
    answer = upload(caller(blog="author"), path, content)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert Asset.select().count() == 0
    assert upload(caller(blog="editor"), path, content).status_code == by_editor


def test_an_upload_leaves_no_temporary_file(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    assert upload(editor, "a.png", b"no picture").status_code == 422
    assert upload(editor, "a.png", picture()).status_code == 201
    assert editor.ask("POST", f"{BLOG}/assets", data=picture(), content_type="image/png").status_code == 422
    assert not [file for file in Path(config.assets_folder).iterdir() if file.name.startswith(".")]


def failed(number: int, scope: str = "blog") -> None:
    with db.write():
        db.execute(
            "INSERT INTO job (kind, key, scope, priority, rank, state, every, run_at, created_at, finished_at, attempt,"
            " failures, triggers, reason, answer, error_class, error_message, error_trace) VALUES"
            " ('publish', ?, ?, 10, 1, 'failed', 0, 1, 1, 2, 1, 1, 1, 'edited', 'added', 'BuildError', 'no', 'T')",
            [f"{scope}/{number}.html", scope],
        )


def test_jobs_are_listed_counted_and_acted_on_by_a_filter(config: Config, caller: MakeCaller) -> None:
    editor, admin, viewer = caller(blog="editor"), caller(blog="admin"), caller(blog="viewer")
    for number in range(5):
        failed(number)
    failed(9, "news")
    growth.finished_jobs(1000, 1003)
    rows = viewer.get(f"{BLOG}/jobs?state=failed&total=true").json
    assert ([row["key"] for row in rows["rows"]], rows["total"]["number"]) == (
        [f"blog/{n}.html" for n in (4, 3, 2, 1, 0)], 5
    )  # fmt: skip
    assert viewer.get(f"{BLOG}/jobs/counts").json["states"]["failed"] == {"number": 5, "is_capped": False}
    place = f"{BLOG}/jobs/{rows['rows'][0]['id']}"
    assert (viewer.get(place).json["trace"], editor.get(place).json["trace"]) == (None, "T")
    other = administration.find(JobFilter(scopes=["news"]))[0].id
    assert viewer.get(f"{BLOG}/jobs/{other}").status_code == 404
    some = {"filter": {"key_begins": "blog/", "error": "BuildError"}}
    dry = editor.post(f"{BLOG}/jobs/retry", {**some, "dry_run": True}).json
    assert dry == {"dry_run": True, "number": 5, "jobs": [{"before": "failed", "after": "failed", "number": 5}]}
    assert viewer.post(f"{BLOG}/jobs/retry", some).status_code == 403
    refused = editor.post(f"{BLOG}/jobs/retry", {**some, "expected": 4})
    assert (refused.status_code, refused.json["number"]) == (409, 5)
    assert editor.post(f"{BLOG}/jobs/retry", {"filter": {}}).status_code == 422
    one = editor.post(f"{BLOG}/jobs/retry", {"filter": {"key_equals": "blog/0.html"}, "expected": 1}).json
    assert (one["number"], one["jobs"]) == (1, [{"before": "failed", "after": "pending", "number": 1}])
    recorded = audit.list_audit(AuditFilter(action="job.retry")).rows[0].after
    assert recorded is not None
    assert set(recorded["filter"]) == {"scopes", "keys"}  # no conditions that were not given
    raised = editor.post(f"{BLOG}/jobs/prioritise", {"filter": {"state": ["pending"]}, "priority": 50}).json
    assert raised["number"] == 1
    assert editor.post(f"{BLOG}/jobs/delete", {"filter": {}, "all": True}).status_code == 403
    assert admin.post(f"{BLOG}/jobs/delete", {"filter": {}, "all": True}).json["number"] == 5
    states = administration.count(JobFilter(scopes=["news"]))
    assert dict(states) == {"failed": 1}


@pytest.mark.parametrize("place", [f"{BLOG}/jobs", "/jobs"])
@pytest.mark.parametrize(("verb", "more"), [("retry", {}), ("delete", {}), ("prioritise", {"priority": 50})])
def test_the_expected_number_is_that_of_the_transaction_that_acts(
    config: Config, admin: Caller, monkeypatch: pytest.MonkeyPatch, place: str, verb: str, more: dict[str, int]
) -> None:
    for number in range(3):
        failed(number)
    if verb == "prioritise":
        db.execute("UPDATE job SET state = 'pending', finished_at = NULL")
    act = getattr(administration, verb)

    def act_later(*values: Any, **named: Any) -> Any:
        failed(9)  # by somebody else, after the number was looked at
        if verb == "prioritise":
            db.execute("UPDATE job SET state = 'pending', finished_at = NULL")
        return act(*values, **named)

    body = {"filter": {"key_begins": "blog/"}, "expected": 3, **more}
    with monkeypatch.context() as patch:
        patch.setattr(administration, verb, act_later)
        refused = admin.post(f"{place}/{verb}", body)
    assert (refused.status_code, refused.json["number"]) == (409, 4)
    rows = db.execute("SELECT state, priority FROM job WHERE key <> 'blog/9.html'").fetchall()
    assert [tuple(row) for row in rows] == [("pending" if verb == "prioritise" else "failed", 10)] * 3
    assert not audit.list_audit(AuditFilter(action=f"job.{verb}")).rows
    db.execute("DELETE FROM job WHERE key = 'blog/9.html'")
    assert admin.post(f"{place}/{verb}", body).json["number"] == 3


def test_targets_are_paused_resumed_and_asked_to_be_repaired(config: Config, admin: Caller, caller: MakeCaller) -> None:
    viewer = caller("vi", everywhere="viewer")
    assert [row["name"] for row in viewer.get("/targets").json["rows"]] == ["front1"]
    assert caller(blog="admin").get("/targets").status_code == 403
    for action in ("pause", "resume", "check", "verify"):
        assert viewer.post(f"/targets/front1/{action}").status_code == 403
        assert admin.post(f"/targets/nosuch/{action}").status_code == 404
    assert admin.post("/targets/front1/pause").status_code == 200
    assert target_state.read_control("front1").paused
    assert viewer.get("/targets/front1").json["paused"] is True
    assert admin.post("/targets/front1/resume").status_code == 200
    assert admin.post("/targets/front1/resync", {"allow_removals": True}).status_code == 202
    assert target_state.read_control("front1").repair_at
    assert admin.post("/targets/front1/check").status_code == 202
    assert admin.post("/targets/front1/verify").status_code == 202
    jobs = {job["kind"]: job["state"] for job in viewer.get("/targets/front1").json["jobs"]}
    assert jobs == {"check-target": "pending", "verify-target": "pending"}
    running.drain(config, workers=1)
    after = viewer.get("/targets/front1").json
    assert {job["kind"]: job["state"] for job in after["jobs"]} == {"check-target": "done", "verify-target": "done"}
    assert (after["differing"], after["verified_at"] is None) == (0, False)


def test_processes_and_periodic_tasks_are_asked(config: Config, admin: Caller, caller: MakeCaller) -> None:
    worker = processes.RegisteredProcess("worker", "pub1", pid=4711)
    worker.register()
    (row,) = [row for row in admin.get("/processes").json["rows"] if row["name"] == "pub1:4711"]
    assert (row["role"], row["supervisor"]) == ("worker", "")
    assert admin.post("/processes/pub1:4711", {"request": "pause"}).status_code == 202
    worker.refresh_request()
    assert worker.is_paused
    assert admin.post("/processes/pub1:9", {"request": "pause"}).status_code == 404
    assert caller(blog="admin").post("/processes/pub1:4711", {"request": "pause"}).status_code == 403
    names = {row["name"] for row in admin.get("/periodic").json["rows"]}
    assert "rescue" in names
    assert admin.post("/periodic/run", {"name": "rescue"}).status_code == 202
    assert admin.post("/periodic/run", {"name": "nosuch"}).status_code == 404


def test_a_site_is_published_and_its_sources_are_listed(config: Config, caller: MakeCaller, entry: int) -> None:
    editor = caller(blog="editor")
    site = editor.get(BLOG).json
    assert (site["name"], site["entries"]["published"]["number"]) == ("blog", 1)
    assert editor.post(f"{BLOG}/publish", {}).status_code == 202
    assert editor.post(f"{BLOG}/publish", {"rebuild": True}).status_code == 202
    kinds = {job.kind for job in administration.find(JobFilter(states=["pending"]))}
    assert kinds == {"plan", "rebuild"}
    assert caller(blog="author").post(f"{BLOG}/publish", {}).status_code == 403
    assert editor.get(f"{BLOG}/sources").json == {"rows": []}
    assert editor.post(f"{BLOG}/sources/nosuch/pull").status_code == 404


def test_users_are_managed_by_admins_of_all_sites(admin: Caller, caller: MakeCaller) -> None:
    made = admin.post("/users", {"name": "ada", "display": "Ada", "roles": {"blog": "author"}, "invite": False})
    assert (made.status_code, made.json["roles"]) == (201, {"blog": "author"})
    place = f"/users/{made.json['id']}"
    assert admin.put(f"{place}/roles/news", {"role": "editor"}).json["roles"] == {"blog": "author", "news": "editor"}
    assert admin.put(f"{place}/roles/nosuch", {"role": "editor"}).status_code == 422
    assert admin.delete(f"{place}/roles/news").status_code == 204
    tag = admin.get(place).headers["ETag"]
    assert admin.patch(place, {"display": "Ada L."}, If_Match=tag).json["display"] == "Ada L."
    assert admin.patch(place, {"display": "x"}, If_Match=tag).status_code == 412
    ada = caller("ada")
    assert ada.get(BLOG).status_code == 200
    (token,) = admin.get(f"{place}/tokens").json["rows"]
    assert admin.delete(f"{place}/tokens/{token['id']}").status_code == 204
    assert ada.get(BLOG).status_code == 401
    again = caller("ada")
    assert admin.patch(place, {"enabled": False}).json["disabled_at"] is not None
    assert again.get(BLOG).status_code == 401
    assert admin.patch(f"/users/{admin.user}", {"enabled": False}).status_code == 422
    assert caller(blog="admin").get("/users").status_code == 403
    assert [row["name"] for row in admin.get("/users?text=ada").json["rows"]] == ["ada"]


def test_nobody_is_added_who_cannot_be_invited(admin: Caller) -> None:
    new = {"name": "uma", "email": "uma@example.org"}
    refused = admin.post("/users", new)
    assert (refused.status_code, "No mail can be sent" in refused.json["detail"]) == (422, True)
    assert admin.get("/users?text=uma").json["rows"] == []
    assert admin.post("/users", {**new, "invite": False}).status_code == 201


def test_a_token_makes_no_stronger_one(caller: MakeCaller) -> None:
    ada = caller("ada", scopes=["entry.read", "token.add", "account.read"], only=["blog"], everywhere="editor")
    assert ada.get("/me").json["scopes"] == ["account.read", "entry.read", "token.add"]
    same = ada.post("/tokens", {"label": "same"})
    assert (same.json["scopes"], same.json["sites"]) == (["account.read", "entry.read", "token.add"], ["blog"])
    for more in ({"scopes": ["write"]}, {"scopes": ["entry.edit"]}, {"sites": ["news"]}):
        assert ada.post("/tokens", {"label": "more", **more}).status_code == 403, more
    less = ada.post("/tokens", {"label": "less", "scopes": ["entry.read"]})
    assert less.json["scopes"] == ["entry.read"]
    assert caller("ada").post("/tokens", {"label": "x"}).status_code == 403  # `write` has no such right
    assert {row["label"] for row in ada.get("/tokens").json["rows"]} > {"same", "less"}
    assert ada.delete(f"/tokens/{same.json['id']}").status_code == 204
    ben = caller("ben", scopes=["token.add"], blog="editor")
    assert ben.delete(f"/tokens/{less.json['id']}").status_code == 404


def test_a_token_makes_none_that_outlives_it(caller: MakeCaller) -> None:
    ada = caller("ada", blog="editor")
    user = users.find_user("ada")
    with acting(Actor("root", "shell")):
        secret, parent = tokens.create(user, "parent", scopes=["token.add", "site.read"], days=2)
    ada = Caller(ada.client, secret)
    refused = ada.post("/tokens", {"label": "longer", "days": 2.5})
    assert (refused.status_code, "ends no later" in refused.json["detail"]) == (422, True)
    child = ada.post("/tokens", {"label": "child"})
    assert child.status_code == 201
    assert child.json["expires_at"] <= parent.expires_at
    grandchild = Caller(ada.client, child.json["secret"]).post("/tokens", {"label": "grandchild"})
    assert grandchild.json["expires_at"] <= child.json["expires_at"]
    assert ada.post("/tokens", {"label": "shorter", "days": 1}).json["expires_at"] < parent.expires_at - 80_000
    assert ada.post("/tokens", {"label": "longer", "days": 2.5}).status_code == 422


def test_a_role_that_is_taken_away_was_there(admin: Caller, caller: MakeCaller) -> None:
    ada = caller("ada", blog="editor")
    roles = f"/users/{ada.user}/roles"
    before = [row["id"] for row in admin.get("/audit").json["rows"]]
    refused = admin.delete(f"{roles}/nosuch")
    assert (refused.status_code, "There is no site “nosuch”" in refused.json["detail"]) == (422, True)
    for site in ("news", "*"):
        same = admin.delete(f"{roles}/{site}")
        assert (same.status_code, same.headers.get("Appliance-Changed")) == (204, "?0"), site
    same = admin.put(f"{roles}/blog", {"role": "editor"})
    assert (same.status_code, same.headers.get("Appliance-Changed")) == (200, "?0")
    assert [row["id"] for row in admin.get("/audit").json["rows"]] == before
    gone = admin.delete(f"{roles}/blog")
    assert (gone.status_code, gone.headers.get("Appliance-Changed")) == (204, None)


def test_a_role_on_a_site_that_is_gone_can_be_taken_away(admin: Caller, caller: MakeCaller) -> None:
    ada = caller("ada", blog="editor")
    RoleGrant.create(user=ada.user, site="former", role="author")
    assert admin.delete(f"/users/{ada.user}/roles/former").status_code == 204
    assert "former" not in admin.get(f"/users/{ada.user}").json["roles"]


def test_a_token_made_with_a_password_alone_makes_none_for_roles_that_need_more(caller: MakeCaller) -> None:
    eve = caller("eve", blog="editor")
    user = users.find_user("eve")
    with acting(Actor("eve", "browser")):
        weak, _ = tokens.create(user, "weak", scopes=["token.add", "user.read", "site.read"])
    users.set_role(user, "*", "admin")
    key, _ = totp.begin(user)
    totp.confirm(user, pyotp.TOTP(key).at(db.now()))
    thief = Caller(eve.client, weak)
    assert thief.get("/users").status_code == 403
    made = thief.post("/tokens", {"label": "stronger"})
    assert made.status_code == 201
    assert Caller(eve.client, made.json["secret"]).get("/users").status_code == 403


def test_what_is_done_is_in_the_audit(caller: MakeCaller, admin: Caller) -> None:
    editor = caller("ada", blog="editor")
    answer = editor.post(f"{BLOG}/entries", {"title": "Hello"})
    (row,) = caller(blog="admin").get(f"{BLOG}/audit?action=entry.add").json["rows"]
    assert (row["actor"], row["via"], row["site"], row["subject_id"]) == ("ada", "api", "blog", str(answer.json["id"]))
    assert (row["token"], row["request"]) == ("test ada", answer.headers["X-Request-Id"])
    assert editor.get(f"{BLOG}/audit").status_code == 403
    assert caller(blog="admin").get("/audit").status_code == 403
    assert {row["action"] for row in admin.get("/audit?actor=ada").json["rows"]} == {"entry.add"}
    assert users.look_up("ada") is not None


def test_a_job_of_an_unknown_kind_is_shown(config: Config, caller: MakeCaller) -> None:
    with db.write():
        enqueue("other", [JobRequest("k", scope="blog")], ageing=config.queue.ageing)
    assert caller(blog="viewer").get(f"{BLOG}/jobs").json["rows"][0]["kind"] == "other"
