"""What holds for every request of the admin application: names, headers, origins, ids, denial and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, g, request
from flask.testing import FlaskClient
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response as WsgiResponse

from appliance import actor, db, editorial
from appliance.accounts import sessions, tokens, users
from appliance.accounts.principal import Pending, Principal
from appliance.accounts.rights import Role
from appliance.config import Config
from appliance.content import sites as content_sites
from appliance.errors import EditConflict
from appliance.web.admin import app as application
from appliance.web.admin import body_limits, csrf, database, guard, session_cookie
from appliance.web.admin.app import create_app
from appliance.web.admin.hosts import HostSwitch, host_of
from tests.conftest import MakeConfig

URL = "https://admin.example.org/"
SITES = [{"name": name, "title": name, "url": f"https://{name}.example/", "folder": name} for name in ("blog", "news")]
OWN = {"Sec-Fetch-Site": "same-origin"}
SENTENCE = str(EditConflict("Entry 7"))


@pytest.fixture
def config(make_config: MakeConfig) -> Iterator[Config]:
    settings = make_config(sites=SITES, admin={"url": URL})
    opened = db.connect(settings)
    content_sites.sync(settings)
    yield settings
    opened.close()


@pytest.fixture
def app(config: Config, monkeypatch: pytest.MonkeyPatch) -> Flask:
    # Only what every part rests on.
    for part in (application.pages, application.dashboard):
        monkeypatch.setattr(part, "add_routes", lambda *_: None)
    made = create_app(config)
    made.testing = False
    return made


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes every request come from a user with these roles."""

    def sign_in(pending: Pending = "", **roles: Role) -> None:
        named = {"*" if site == "everywhere" else site: role for site, role in roles.items()}
        principal = Principal(1, "ada", named, pending=pending)
        monkeypatch.setattr(application, "authenticate", lambda *_: (principal, None))

    return sign_in


def client(app: Flask) -> FlaskClient:
    return app.test_client(use_cookies=False)


def test_a_route_that_does_not_say_who_may_use_it_is_for_nobody(app: Flask, sign_in: Callable[..., None]) -> None:
    @app.get("/forgotten-check")
    def forgotten() -> str:
        raise AssertionError("the view was called")

    sign_in(everywhere="admin")
    assert client(app).get("/forgotten-check").status_code == 404
    with pytest.raises(LookupError, match="does not say who may use it"):
        guard.registered(app)


def test_a_route_says_either_an_action_or_that_it_is_public(app: Flask) -> None:
    for given in ({}, {"action": "entry.read", "public": True}, {"action": "entry.juggle"}):
        with pytest.raises(ValueError, match="table of rights"):
            guard.route(app, "/x", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("roles", "path", "status"),
    [
        ({}, "/sites/blog/jobs", 404),
        ({"blog": "viewer"}, "/sites/blog/jobs", 200),
        ({"blog": "viewer"}, "/sites/news/jobs", 404),
        ({"blog": "viewer"}, "/sites/nowhere/jobs", 404),
        ({"everywhere": "viewer"}, "/sites/news/jobs", 200),
        ({"everywhere": "admin"}, "/sites/nowhere/jobs", 404),
        ({"blog": "viewer"}, "/sites/blog/entries/1", 403),
        ({"blog": "author"}, "/sites/blog/entries/1", 200),
        ({"blog": "author"}, "/sites/blog/entries/2", 403),
        ({"blog": "editor"}, "/sites/blog/entries/2", 200),
        ({"blog": "admin"}, "/targets", 403),
        ({"everywhere": "viewer"}, "/targets", 200),
        ({"blog": "viewer"}, "/entries", 200),
        ({}, "/entries", 403),
        ({}, "/account", 200),
    ],
)
def test_the_guard_decides_before_the_view(
    app: Flask, sign_in: Callable[..., None], roles: dict[str, Role], path: str, status: int
) -> None:
    add_views(app)
    sign_in(**roles)
    assert client(app).get(path).status_code == status


def add_views(app: Flask) -> None:
    guard.route(app, "/sites/<site:site>/jobs", action="job.read", endpoint="jobs")(lambda site: site)
    guard.route(app, "/targets", action="target.read", endpoint="targets")(lambda: "targets")
    guard.route(app, "/account", action="account.read", endpoint="account")(lambda: "account")

    @guard.route(app, "/entries", action="entry.read")
    def entries() -> str:
        return ",".join(guard.allowed_sites("entry.read"))

    @guard.route(app, "/sites/<site:site>/entries/<int:entry>", action="entry.edit")
    def edit(site: str, entry: int) -> str:
        guard.require("entry.edit", site, owns=entry == 1)
        return "edited"


def test_sites_that_do_not_exist_look_like_those_of_others(app: Flask, sign_in: Callable[..., None]) -> None:
    add_views(app)
    sign_in(blog="admin")
    answers = [client(app).get(f"/sites/{site}/jobs") for site in ("news", "nowhere")]
    said = [answer.text.replace(answer.headers["X-Request-Id"], "") for answer in answers]
    assert said[0] == said[1]


def test_a_view_that_leaves_its_decision_out_is_found_out(app: Flask, sign_in: Callable[..., None]) -> None:
    guard.route(app, "/sites/<site:site>/x", action="entry.edit", endpoint="x")(lambda site: site)
    sign_in(blog="author")
    assert client(app).get("/sites/blog/x").status_code == 500


@pytest.mark.parametrize(
    ("pending", "method", "path", "status", "location"),
    [
        (None, "GET", "/account?a=b", 303, "/sign-in?next=/account%3Fa%3Db"),
        (None, "POST", "/change", 401, None),
        (None, "GET", "/api/v1/x", 401, None),
        ("second_factor", "GET", "/account", 303, "/sign-in/second-factor?next=/account"),
        ("set_up", "GET", "/account", 303, "/sign-in/set-up?next=/account"),
        ("set_up", "GET", "/enrol", 200, None),
        ("", "POST", "/change", 200, None),
    ],
)
def test_whoever_has_not_signed_in_completely_is_sent_to_do_so(
    app: Flask, sign_in: Callable[..., None], pending: Pending | None, method: str, path: str, status: int,
    location: str | None,
) -> None:  # fmt: skip
    add_views(app)
    guard.route(app, "/enrol", action="account.edit", pending=True, endpoint="enrol")(lambda: "enrol")
    guard.route(app, "/change", action="account.edit", methods=("POST",), endpoint="change")(lambda: "changed")
    guard.route(app, "/api/v1/x", action="account.read", endpoint="x")(lambda: "x")
    if pending is not None:
        sign_in(pending)
    answer = client(app).open(path, method=method, headers=OWN)
    assert (answer.status_code, answer.headers.get("Location")) == (status, location)


def test_no_table_of_accounts_is_asked_for_what_is_public(app: Flask) -> None:
    assert client(app).get("/healthz").text == "ok\n"
    assert client(app).get("/healthz", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 404


@pytest.mark.parametrize(
    ("method", "headers", "foreign"),
    [
        ("GET", {}, False),
        ("HEAD", {"Sec-Fetch-Site": "cross-site"}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, False),
        ("POST", {"Sec-Fetch-Site": "same-site"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "https://admin.example.org"}, True),
        ("POST", {"Sec-Fetch-Site": "something new"}, True),
        ("POST", {}, True),
        ("POST", {"Origin": "https://admin.example.org"}, False),
        ("POST", {"Origin": "http://admin.example.org"}, True),
        ("POST", {"Origin": "https://admin.example.org:8443"}, True),
        ("POST", {"Origin": "https://admin.example.org.evil.example"}, True),
        ("POST", {"Origin": "https://preview.example.org"}, True),
        ("POST", {"Origin": "null"}, True),
        ("POST", {"Origin": ""}, True),
        ("POST", {"Referer": "https://admin.example.org/"}, True),
        ("DELETE", {}, True),
        ("PUT", {"Origin": "https://evil.example"}, True),
        ("PATCH", {"Sec-Fetch-Site": "cross-site"}, True),
        ("QUERY", {}, True),
    ],
)
def test_only_our_own_pages_change_anything(method: str, headers: dict[str, str], foreign: bool) -> None:
    assert csrf.is_foreign(method, headers.get, URL) is foreign


def test_a_foreign_form_reaches_no_view(app: Flask, sign_in: Callable[..., None]) -> None:
    @guard.route(app, "/act", action="account.edit", methods=("POST",))
    def act() -> str:
        raise AssertionError("the view was called")

    sign_in(everywhere="admin")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        answer = client(app).post("/act", headers=headers)
        assert (answer.status_code, "was not sent from a page" in answer.text) == (403, True)


HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/api/v1/nowhere", "/fails", "/static/nothing.css"])
def test_every_answer_has_the_headers(app: Flask, path: str) -> None:
    @guard.route(app, "/fails", public=True)
    def fails() -> str:
        raise ZeroDivisionError

    answer = client(app).get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert len(answer.headers["X-Request-Id"]) == 16


def test_static_files_are_kept_under_addresses_with_their_digest(app: Flask) -> None:
    address = app.jinja_env.globals["file"]("admin.css")
    answer = client(app).get(address, buffered=True)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    again = client(app).get(address, headers={"If-None-Match": answer.headers["ETag"]}, buffered=True)
    assert again.status_code == 304
    assert client(app).get("/static/admin.css", buffered=True).headers["Cache-Control"] == "no-cache"


def test_a_request_has_an_id_of_ours_and_somebody_who_acts(app: Flask, sign_in: Callable[..., None]) -> None:
    seen: list[Any] = []

    @guard.route(app, "/who", action="account.read")
    def who() -> str:
        seen.append(actor.current())
        return str(g.request_id)

    sign_in(blog="viewer")
    answer = client(app).get("/who", headers={"X-Request-Id": "mine"})
    assert answer.text == answer.headers["X-Request-Id"] != "mine"
    assert [each.name for each in seen] == ["ada"]
    assert actor.current() is actor.UNKNOWN


def test_errors_are_pages_for_people_and_problems_for_programs(app: Flask, sign_in: Callable[..., None]) -> None:
    def conflict() -> str:
        raise EditConflict("Entry 7")

    def fail() -> str:
        secret = "hunter2"  # noqa: F841 - must not be shown
        raise ZeroDivisionError("a value")

    for prefix in ("/", "/api/"):
        guard.route(app, f"{prefix}conflict", action="account.read", endpoint=f"{prefix}c")(conflict)
        guard.route(app, f"{prefix}fail", action="account.read", endpoint=f"{prefix}f")(fail)
    sign_in(blog="viewer")
    page, problem = client(app).get("/conflict"), client(app).get("/api/conflict")
    assert (page.status_code, page.mimetype) == (409, "text/html")
    assert SENTENCE in page.text
    assert (problem.status_code, problem.mimetype) == (409, "application/problem+json")
    assert problem.json == {
        "type": "about:blank", "title": "Conflict", "status": 409, "detail": SENTENCE,
        "request": problem.headers["X-Request-Id"], "exit_status": 1,
    }  # fmt: skip
    for path in ("/fail", "/api/fail"):
        failed = client(app).get(path)
        assert failed.status_code == 500
        assert not any(word in failed.text for word in ("hunter2", "a value", "ZeroDivision", "Traceback"))
    assert client(app).post("/api/conflict").headers["Allow"] == "GET, HEAD"


def test_a_body_beyond_the_limit_is_refused(app: Flask, sign_in: Callable[..., None]) -> None:
    @guard.route(app, "/take", action="account.edit", methods=("POST",))
    def take() -> str:
        return str(len(request.form))

    sign_in(blog="viewer")
    assert client(app).post("/take", data={"a": "x" * 2_000_000}, headers=OWN).status_code == 413
    many = {str(number): "x" for number in range(600)}
    answer = client(app).post("/take", data=many, headers=OWN, content_type="multipart/form-data")
    assert answer.status_code == 413
    assert client(app).post("/take", data={"a": "x"}, headers=OWN).text == "1"


def test_an_upload_may_be_longer_than_a_form(app: Flask, config: Config, sign_in: Callable[..., None]) -> None:
    @guard.route(app, "/upload", action="account.edit", methods=("POST",))
    def upload() -> str:
        body_limits.allow_upload(config.admin)
        return str(len(request.get_data()))

    sign_in(blog="viewer")
    for size, status in ((config.admin.upload, 200), (config.admin.upload + 100_000, 413)):
        assert client(app).post("/upload", data=b"x" * size, headers=OWN).status_code == status


def test_the_cookie_is_for_this_host_alone_and_for_no_script() -> None:
    response = Response()
    session_cookie.set_secret(response, "secret")
    assert response.headers["Set-Cookie"] == "__Host-appliance=secret; Secure; HttpOnly; Path=/; SameSite=Strict"
    session_cookie.forget_secret(response)
    assert "__Host-appliance=; Expires=Thu, 01 Jan 1970" in response.headers.getlist("Set-Cookie")[1]


def test_each_name_has_its_application_and_no_other_name_has_any() -> None:
    def named(text: str) -> WsgiResponse:
        return WsgiResponse(text)

    switch = HostSwitch({URL: named("admin"), "https://preview.example.org:8443/": named("preview")}, named("admin"))

    def get(host: str, path: str = "/", **headers: str) -> TestResponse:
        return Client(switch).get(path, headers={"Host": host, **headers})

    for host in ("admin.example.org", "ADMIN.example.org", "admin.example.org:443"):
        assert get(host).text == "admin"
    assert get("preview.example.org:8443").text == "preview"
    for host in ("", "10.0.0.1", "preview.example.org", "admin.example.org.evil.example", "admin.example.org:8443"):
        refused = get(host)
        assert refused.status_code == 421
        assert refused.headers["Cache-Control"] == "no-store"
    assert get("localhost", "/healthz").text == "admin"
    assert get("localhost", "/healthz", **{"X-Forwarded-For": "192.0.2.1"}).status_code == 421
    assert host_of("https://[2001:db8::1]:8443/") == "[2001:db8::1]:8443"


def test_a_missing_database_is_said_and_gets_over(app: Flask, config: Config, sign_in: Callable[..., None]) -> None:
    guard.route(app, "/count", action="account.read", endpoint="count")(lambda: str(db.now() > 0))
    guard.route(app, "/api/count", action="account.read", endpoint="api")(lambda: str(db.now() > 0))
    sign_in(blog="viewer")
    assert client(app).get("/count").text == "True"
    away = config.database_file.with_name("away")
    db.disconnect()
    config.database_file.rename(away)
    for path in ("/count", "/api/count", "/readyz"):
        answer = client(app).get(path)
        assert answer.status_code == 503
    assert client(app).get("/api/count").headers["Retry-After"] == "5"
    away.rename(config.database_file)
    assert client(app).get("/count").text == "True"
    assert client(app).get("/readyz").text == "ready\n"


def test_tables_of_another_release_are_noticed_soon(
    app: Flask, config: Config, sign_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(everywhere="admin")
    client = app.test_client()
    monkeypatch.setattr(database, "release", database._Release())
    assert client.get(f"{URL}api/v1/sites", base_url=URL).status_code == 200
    with db.write():
        db.execute("DELETE FROM schema_migration WHERE name = (SELECT MAX(name) FROM schema_migration)")
    # Not at once, since every request would pay for it.
    assert client.get(f"{URL}api/v1/sites", base_url=URL).status_code == 200
    database.release.look()
    answer = client.get(f"{URL}api/v1/sites", base_url=URL)
    assert answer.status_code == 503 and "belongs to another release" in answer.text


def test_no_view_leaves_a_transaction_open(app: Flask, sign_in: Callable[..., None]) -> None:
    @guard.route(app, "/begin", action="account.read")
    def begin() -> Response:
        db.database.begin()
        return Response("begun")

    sign_in(blog="viewer")
    assert client(app).get("/begin").status_code == 200
    assert not db.database.in_transaction()


def test_a_cookie_opens_pages_and_a_token_the_api_and_neither_the_other(app: Flask) -> None:
    for prefix in ("/", "/api/v1/", "/hooks/"):
        guard.route(app, f"{prefix}who", action="job.read", endpoint=prefix)(
            lambda: f"{guard.principal().via} {guard.allowed_sites('job.read')}"
        )
    ada = users.add_user("ada", "ada@example.org", "", {"blog": "viewer"})
    cookie, _ = sessions.start(ada, "192.0.2.1", factors=["password"])
    token, _ = tokens.create(ada, "a script")
    by_cookie, by_token = {"Cookie": f"__Host-appliance={cookie}"}, {"Authorization": f"Bearer {token}"}
    answers = {
        (path, kind): client(app).get(path, headers=headers)
        for path in ("/who", "/api/v1/who", "/hooks/who")
        for kind, headers in (("cookie", by_cookie), ("token", by_token), ("both", {**by_cookie, **by_token}))
    }
    assert {way: answer.status_code for way, answer in answers.items()} == {
        ("/who", "cookie"): 200, ("/who", "token"): 303, ("/who", "both"): 200,
        ("/api/v1/who", "cookie"): 401, ("/api/v1/who", "token"): 200, ("/api/v1/who", "both"): 200,
        ("/hooks/who", "cookie"): 401, ("/hooks/who", "token"): 401, ("/hooks/who", "both"): 401,
    }  # fmt: skip
    assert answers["/who", "both"].text == "browser ['blog']"
    assert answers["/api/v1/who", "both"].text == "api ['blog']"
    assert answers["/api/v1/who", "cookie"].headers["WWW-Authenticate"] == 'Bearer realm="appliance"'
    sessions.end_all(ada)
    tokens.revoke(tokens.list_tokens(ada)[0].id)
    assert client(app).get("/who", headers=by_cookie).status_code == 303
    assert client(app).get("/api/v1/who", headers=by_token).status_code == 401


def test_edits_in_requests_need_neither_themes_nor_the_docroot(app: Flask, sign_in: Callable[..., None]) -> None:
    """In its unit the application sees neither."""

    @guard.route(app, "/edit", action="account.edit", methods=("POST",))
    def edit() -> str:
        unseen = [site.model_copy(update={"theme": "/nowhere/theme"}) for site in app.config["APPLIANCE"].sites]
        config = app.config["APPLIANCE"].model_copy(update={"docroot": Path("/nowhere/www"), "sites": unseen})
        entry = editorial.add_entry(config, "blog", "Title", status="published", later=True).subject
        editorial.edit_entry(config, "blog", entry, text="Other", later=True)
        editorial.delete_entries(config, "blog", entry, later=True)
        return str(db.execute("SELECT count(*) FROM job WHERE kind = 'plan' AND key = 'blog'").fetchone()[0])

    sign_in(blog="viewer")
    assert client(app).post("/edit", headers=OWN).text == "1"
