"""The pages of the admin application as a client without scripts sees them, on each database."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import html5lib
import pyotp
import pytest
from argon2 import PasswordHasher
from flask import Flask
from werkzeug.test import TestResponse

from appliance import audit, db
from appliance.accounts import links, passwords, sessions, totp, users
from appliance.accounts.models import Passkey, Session, User
from appliance.actor import Actor
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content import sites
from appliance.web.admin import guard, session_cookie
from appliance.web.admin.app import create_app
from appliance.web.admin.pages.changes import changes_of
from appliance.web.admin.pages.devices import device_of
from appliance.web.admin.pages.own_addresses import own_address, with_query
from tests.conftest import MakeConfig, empty_database

URL = "https://admin.example"
PASSWORD = "correct horse battery staple"
SITES = [
    {"name": name, "title": name.title(), "url": f"https://{name}.example/", "folder": name}
    for name in ("blog", "news")
]


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Config]:
    """An installation with two sites and an admin application on each database in turn."""
    settings: dict[str, Any] = {"sites": SITES, "admin": {"url": URL}}
    settings |= empty_database(request)
    made = make_config(**settings)
    opened = db.connect(made)
    sites.sync(made)
    yield made
    opened.close()


@pytest.fixture
def app(config: Config) -> Flask:
    made = create_app(config)
    made.testing = False
    return made


@dataclass
class Visitor:
    """Somebody with a browser without scripts."""

    app: Flask

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def get(self, path: str) -> TestResponse:
        """Fetch a page, which must be valid."""
        return self._checked(self.client.get(path, base_url=URL))

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send a form from a page of ours."""
        sent = self.client.post(path, data=fields, base_url=URL, headers={"Sec-Fetch-Site": "same-origin"})
        return self._checked(sent)

    def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> TestResponse:
        """Give name and password."""
        return self.post("/sign-in", name=name, password=password, **more)

    @property
    def secret(self) -> str:
        """The secret in the cookie."""
        found = self.client.get_cookie(session_cookie.NAME, domain="admin.example")
        return found.value if found else ""

    @staticmethod
    def _checked(response: TestResponse) -> TestResponse:
        assert response.status_code != 500, response.text
        if response.mimetype == "text/html" and response.text:
            html5lib.HTMLParser(strict=True).parse(response.text)
        return response


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor(app)


def person(name: str = "ines", **roles: str) -> User:
    """Add a user with a password."""
    user = users.add_user(name, f"{name}@example.org", name.title(), roles or {"blog": "editor"})
    passwords.set_password(user, PASSWORD)
    return user


def administrator(app: Flask, name: str = "ada") -> tuple[Visitor, User]:
    """Add an administrator of all sites, who has signed in with an authenticator app."""
    user = users.add_user(name, f"{name}@example.org", name.title(), {"*": "admin"})
    passwords.set_password(user, PASSWORD)
    visitor = Visitor(app)
    visitor.sign_in(name)
    set_up_app(visitor)
    return visitor, user


def set_up_app(visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    """Set up an authenticator app; return it and the recovery codes."""
    shown = visitor.post("/account/second-factor/app").text
    key = re.search(r'id="key">([A-Z2-7 ]+)<', shown)
    assert key is not None, shown
    phone = pyotp.TOTP(key[1].replace(" ", ""))
    # With a code of a step that is over, so that the current one can be used to sign in.
    for _ in range(2):  # a step can end between making a code and the look at it
        done = visitor.post("/account/second-factor/app/confirm", code=phone.at(db.now() - phone.interval))
        if done.status_code == 200:
            break
    assert done.status_code == 200, done.text
    return phone, re.findall(r"<li>([a-z0-9-]{19})</li>", done.text)


def location(response: TestResponse) -> str:
    assert response.status_code == 303, response.text
    return response.headers["Location"]


def long_ago(user: User) -> None:
    """Let the last time that a user showed a password lie back a while."""
    Session.update(confirmed_at=db.now() - 901).where(Session.user == user.id).execute()


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil.example", "\\\\evil", "evil", "",
               "/ /evil", "javascript:alert(1)", "/\r\nX: y", "/#//evil", "/" + "x" * 2001],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(wanted: str) -> None:
    assert own_address(wanted) == "/"


def test_own_addresses_stay() -> None:
    for wanted in (
        "/",
        "/audit?actor=ada&after=abc",
        "/sites/blog/audit",
        "/users?text=h%C3%A4fen",
        "/users?text=häfen",
    ):
        assert own_address(wanted) == wanted
    assert with_query("/audit?actor=ada", done="saved", after="") == "/audit?actor=ada&done=saved"


def test_every_page_is_for_those_of_the_table(app: Flask) -> None:
    assert {action for _, _, action in guard.registered(app)} > {"account.read", "user.edit", "audit.read", None}


def test_sign_in_leads_to_where_one_wanted_to_go_and_nowhere_else(visitor: Visitor) -> None:
    person()
    assert location(visitor.get("/account/tokens")) == "/sign-in?next=/account/tokens"
    assert 'name="next" value="/account/tokens"' in visitor.get("/sign-in?next=/account/tokens").text
    assert location(visitor.sign_in("ines", next="/account/tokens")) == "/account/tokens"
    assert location(visitor.sign_in("ines@example.org", next="//evil.example/")) == "/"
    assert 'name="next" value="/"' in Visitor(visitor.app).get("/sign-in?next=//evil.example/").text


def test_a_secret_from_before_signing_in_is_worth_nothing(visitor: Visitor) -> None:
    person()
    visitor.sign_in("ines")
    before = visitor.secret
    visitor.sign_in("ines")
    assert sessions.find(before) is None
    assert visitor.secret != before
    cookie = visitor.sign_in("ines").headers["Set-Cookie"]
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"))


def test_a_refusal_does_not_tell_what_was_wrong(visitor: Visitor) -> None:
    person()
    person("bob")
    users.disable(users.find_user("bob"))
    answers = {
        re.sub(r' value="[^"]*"', "", visitor.sign_in(name, password).text)
        for name, password in (("ines", "wrong"), ("nobody", "wrong"), ("bob", PASSWORD))
    }
    assert len(answers) == 1
    assert "Name and password do not belong together" in answers.pop()


def test_a_wrong_password_is_slowed_down(visitor: Visitor) -> None:
    person()
    tried = [visitor.sign_in("ines", "wrong") for _ in range(6)]
    assert [one.status_code for one in tried] == [422] * 5 + [429]
    assert int(tried[-1].headers["Retry-After"]) > 0
    assert "wrong" not in tried[-1].text.replace("too many wrong attempts", "")
    assert visitor.sign_in("ines").status_code == 429


def test_who_has_an_app_comes_no_further_with_a_password(app: Flask) -> None:
    first = Visitor(app)
    person()
    first.sign_in("ines")
    phone, codes = set_up_app(first)
    thief = Visitor(app)
    assert location(thief.sign_in("ines", next="/account/tokens")) == "/sign-in/second-factor?next=%2Faccount%2Ftokens"
    assert location(thief.get("/account")) == "/sign-in/second-factor?next=/account"
    for path in ("/account/second-factor/app", "/account/second-factor/app/remove", "/account/passkeys/options",
                 "/account/recovery-codes", "/confirm", "/account/password", "/account/tokens/new"):  # fmt: skip
        assert thief.post(path, password=PASSWORD).status_code in (401, 403), path
    assert totp.check(User.get_by_id(1), "000000") is False
    assert thief.post("/sign-in/second-factor", code="000000").status_code == 422
    before = thief.secret
    assert location(thief.post("/sign-in/second-factor", code=phone.now(), next="/account/tokens")) == "/account/tokens"
    assert thief.secret != before
    assert thief.get("/account").status_code == 200
    other = Visitor(app)
    other.sign_in("ines")
    assert other.post("/sign-in/second-factor", code=phone.now()).status_code == 422, "a code counts once"
    assert location(other.post("/sign-in/recovery-code", code=codes[0])) == "/account/second-factor?done=recovery"
    assert "You have <b>9</b> unused codes" in other.get("/account/second-factor").text
    again = Visitor(app)
    again.sign_in("ines")
    assert again.post("/sign-in/recovery-code", code=codes[0]).status_code == 422


def test_the_steps_of_signing_in_are_for_whoever_lacks_them(app: Flask) -> None:
    steps = ("/sign-in/second-factor", "/sign-in/recovery-code", "/sign-in/second-factor/passkey")
    stranger, complete, new = Visitor(app), Visitor(app), Visitor(app)
    user = person()
    complete.sign_in("ines")
    _, codes = set_up_app(complete)
    long_ago(user)
    person("ada", **{"*": "admin"})
    new.sign_in("ada")
    for path in steps:
        assert location(stranger.post(path, code="000000")) == "/sign-in"
        assert location(complete.post(path, code=codes[0])) == "/"
        assert location(new.post(path, code="000000")) == "/sign-in/set-up"
    assert location(complete.get("/account/tokens/new")).startswith("/confirm"), "a code is no password"
    assert location(complete.get("/sign-in/set-up")) == "/"


def test_an_admin_has_to_set_up_a_second_factor_first(app: Flask) -> None:
    user = person("ada", **{"*": "admin"})
    visitor = Visitor(app)
    assert location(visitor.sign_in("ada")) == "/sign-in/set-up"
    assert "Users" not in visitor.get("/sign-in/set-up").text
    for path in ("/", "/users", "/audit", "/account"):
        assert location(visitor.get(path)).startswith("/sign-in/set-up"), path
    _, codes = set_up_app(visitor)
    assert len(codes) == 10
    assert visitor.get("/users").status_code == 200
    assert users.look_up(user.id).totp is not None


def test_a_wrong_code_shows_the_same_key_again(visitor: Visitor) -> None:
    person()
    visitor.sign_in("ines")
    key = re.search(r'id="key">(.+?)<', visitor.post("/account/second-factor/app").text)
    again = visitor.post("/account/second-factor/app/confirm", code="12345")
    assert again.status_code == 422
    assert key is not None
    assert key[1] in again.text
    assert "<title>Error: " in again.text
    assert 'href="#code"' in again.text


def test_sensitive_acts_ask_again_after_15_minutes(app: Flask) -> None:
    visitor, user = administrator(app)
    other = person()
    long_ago(user)
    assert location(visitor.get("/account/tokens/new")) == "/confirm?next=%2Faccount%2Ftokens%2Fnew"
    acts: list[tuple[str, dict[str, str]]] = [
        ("/account/tokens/new", {"label": "x", "days": "1", "limit": "all"}),
        ("/account/second-factor/app", {}),
        ("/account/second-factor/app/remove", {}),
        ("/account/recovery-codes", {}),
        (f"/users/{other.id}/roles", {"site": "*", "role": "admin"}),
        (f"/users/{other.id}/disable", {}),
        (f"/users/{other.id}/factors/remove", {}),
        ("/users/new", {"name": "eve", "email": "eve@example.org", "site": "*", "role": "admin"}),
    ]
    for path, fields in acts:
        assert location(visitor.post(path, **fields)).startswith("/confirm?next="), path
    assert users.look_up("eve") is None
    assert sessions.roles_of(other.id) == {"blog": "editor"}
    assert visitor.post("/confirm", password="wrong", next="/users").status_code == 422
    before = visitor.secret
    assert location(visitor.post("/confirm", password=PASSWORD, next="//evil")) == "/?done=confirmed"
    assert visitor.secret != before
    assert location(visitor.post(acts[4][0], **acts[4][1])) == f"/users/{other.id}?done=role"


def test_the_old_password_is_asked_for_and_other_sessions_end(app: Flask) -> None:
    person()
    here, there = Visitor(app), Visitor(app)
    for visitor in (here, there):
        visitor.sign_in("ines")
    new = "a lighthouse without a keeper"
    assert here.post("/account/password", old="wrong", new=new).status_code == 422
    short = here.post("/account/password", old=PASSWORD, new="short")
    assert short.status_code == 422
    assert 'id="new-problem">The password is too short' in short.text
    assert new not in here.post("/account/password", old="", new=new).text
    assert location(here.post("/account/password", old=PASSWORD, new=new)) == "/account/password?done=password"
    assert here.get("/account").status_code == 200
    assert location(there.get("/account")) == "/sign-in?next=/account"
    assert location(Visitor(app).sign_in("ines", new)) == "/"


def test_sessions_are_listed_and_ended(app: Flask) -> None:
    user = person()
    here, there, other = Visitor(app), Visitor(app), Visitor(app)
    here.sign_in("ines")
    first = sessions.list_sessions(user)[0].id
    there.sign_in("ines")
    bob = person("bob")
    other.sign_in("bob")
    foreign = sessions.list_sessions(bob)[0].id
    assert here.post(f"/account/sessions/{foreign}/end").status_code == 422
    assert other.get("/account").status_code == 200
    assert there.get("/account/sessions").text.count("<tr>") == 3
    assert location(there.post(f"/account/sessions/{first}/end")) == "/account/sessions?done=ended"
    assert location(here.get("/account")) == "/sign-in?next=/account"
    here.sign_in("ines")
    assert location(here.post("/account/sessions/end-others")) == "/account/sessions?done=others-ended"
    assert location(there.get("/account")) == "/sign-in?next=/account"


def test_sign_out_ends_the_session_and_needs_a_post(visitor: Visitor) -> None:
    person()
    visitor.sign_in("ines")
    secret = visitor.secret
    assert visitor.get("/sign-out").status_code == 405
    assert sessions.find(secret) is not None
    assert location(visitor.post("/sign-out")) == "/sign-in?done=signed-out"
    assert sessions.find(secret) is None
    assert visitor.secret == ""


def test_a_token_is_shown_once_and_revoked(app: Flask) -> None:
    user = person()
    visitor = Visitor(app)
    visitor.sign_in("ines")
    form = visitor.get("/account/tokens/new").text
    assert "user.edit" not in form
    assert 'value="entry.edit"' in form
    assert 'value="news"' not in form
    foreign = visitor.post("/account/tokens/new", label="x", days="9", limit="read", sites="news")
    assert foreign.status_code == 422
    for wrong in ({"days": "x"}, {"days": "99999"}, {"label": ""}, {"limit": "chosen"}):
        answer = visitor.post("/account/tokens/new", **{"label": "Import", "days": "9", "limit": "read", **wrong})
        assert answer.status_code == 422, wrong
    made = visitor.post(
        "/account/tokens/new", label="Import", days="9", limit="chosen", scopes=["entry.edit"], sites=["blog"]
    )
    secret = re.search(r"app_\w{43}", made.text)
    assert secret is not None
    assert secret[0] not in visitor.get("/account/tokens").text
    assert "entry.edit on blog" in visitor.get("/account/tokens").text
    person("bob")
    other = Visitor(app)
    other.sign_in("bob")
    assert other.post("/account/tokens/1/revoke").status_code == 422
    assert "Import" in visitor.get("/account/tokens").text
    assert location(visitor.post("/account/tokens/1/revoke")) == "/account/tokens?done=revoked"
    assert "You have no tokens" in visitor.get("/account/tokens").text
    assert user.id == 1


def test_a_link_is_used_up_by_its_form_and_by_no_fetch(app: Flask) -> None:
    user = users.add_user("ines", "ines@example.org", roles={"blog": "editor"})
    path = links.create(user, "invitation").removeprefix(URL)
    visitor = Visitor(app)
    for _ in range(3):
        assert 'autocomplete="new-password"' in visitor.get(path).text
    assert visitor.get(path.replace("/invitation/", "/reset/")).status_code == 410
    assert visitor.post(path, password="short").status_code == 422
    assert visitor.post(path).status_code == 422
    assert location(visitor.post(path, password=PASSWORD)) == "/sign-in?done=password-set"
    assert visitor.post(path, password="another one of many words").status_code == 410
    assert visitor.get(path).status_code == 410
    assert location(visitor.sign_in("ines")) == "/"


def test_users_are_invited_given_roles_and_disabled(app: Flask) -> None:
    visitor, admin = administrator(app)
    for wrong in ({"name": ""}, {"name": "no spaces"}, {"email": "x"}, {"role": "king"}):
        fields = {"name": "ines", "email": "ines@example.org", "site": "blog", "role": "editor", **wrong}
        assert visitor.post("/users/new", **fields).status_code == 422, wrong
    made = visitor.post("/users/new", name="ines", email="ines@example.org", site="blog", role="editor")
    link = re.search(r"https://admin.example(/invitation/\w+)", made.text)
    assert link is not None, "without a mail server the link is shown"
    ines = Visitor(app)
    ines.post(link[1], password=PASSWORD)
    ines.sign_in("ines")
    user = users.find_user("ines")
    page = f"/users/{user.id}"
    assert ines.get("/users").status_code == 403
    assert ines.post(f"{page}/roles", site="*", role="admin").status_code == 403
    assert "ines" in visitor.get("/users?text=INES").text
    assert location(visitor.post(f"{page}/roles", site="news", role="viewer")) == f"{page}?done=role"
    assert "News" in ines.get("/").text
    assert location(visitor.post(f"{page}/roles", site="news", role="")) == f"{page}?done=role"
    assert "News" not in ines.get("/").text
    assert location(visitor.post(page, display="Ines B.", email="ib@example.org")) == f"{page}?done=saved"
    assert "ib@example.org" in visitor.get(page).text
    assert location(visitor.post(f"{page}/disable")) == f"{page}?done=disabled"
    assert location(ines.get("/")) == "/sign-in"
    assert location(visitor.post(f"{page}/enable")) == f"{page}?done=enabled"
    assert "/reset/" in visitor.post(f"{page}/link").text
    last = visitor.post(f"/users/{admin.id}/disable")
    assert last.status_code == 422
    assert "the last admin" in last.text
    assert visitor.get("/users/99").status_code == 404


def test_lost_factors_are_removed_by_an_administrator(app: Flask) -> None:
    visitor, _ = administrator(app)
    user = person()
    ines = Visitor(app)
    ines.sign_in("ines")
    set_up_app(ines)
    page = f"/users/{user.id}"
    assert location(visitor.post(f"{page}/factors/remove")) == f"{page}?done=factors-removed"
    assert location(ines.get("/account")) == "/sign-in?next=/account"
    assert location(Visitor(app).sign_in("ines")) == "/"


def test_tokens_and_sessions_of_others_are_ended(app: Flask) -> None:
    visitor, _ = administrator(app)
    user = person()
    ines = Visitor(app)
    ines.sign_in("ines")
    ines.post("/account/tokens/new", label="Import", days="9", limit="read")
    page = f"/users/{user.id}"
    assert "Import" in visitor.get(page).text
    assert location(visitor.post(f"{page}/tokens/1/revoke")) == f"{page}?done=revoked"
    assert "Import" not in visitor.get(page).text
    number = sessions.list_sessions(user)[0].id
    assert location(visitor.post(f"{page}/sessions/{number}/end")) == f"{page}?done=user-session"
    assert location(ines.get("/account")) == "/sign-in?next=/account"


def test_the_list_of_users_goes_on_with_a_cursor(app: Flask) -> None:
    visitor, _ = administrator(app)
    for number in range(60):
        users.add_user(f"user-{number:02}")
    seen: list[str] = []
    path = "/users"
    while path:
        text = visitor.get(path).text
        seen += re.findall(r'<a href="/users/\d+">([\w-]+)</a>', text)
        found = re.search(r'href="([^"]+)" rel="next"', text)
        path = found[1].replace("&amp;", "&") if found else ""
    assert seen == ["ada", *(f"user-{number:02}" for number in range(60))]


def test_there_is_nothing_at_a_number_that_no_database_holds(app: Flask) -> None:
    visitor, user = administrator(app)
    for number in (2**31, 2**63, 10**40):
        for path in (f"/users/{number}", f"/audit/{number}", f"/sites/blog/audit/{number}"):
            assert visitor.get(path).status_code == 404, path
        for path in (
            f"/users/{number}/disable", f"/users/{user.id}/sessions/{number}/end", f"/account/sessions/{number}/end",
            f"/users/{user.id}/tokens/{number}/revoke", f"/account/tokens/{number}/revoke",
            f"/account/passkeys/{number}/remove",
        ):  # fmt: skip
            assert visitor.post(path).status_code == 404, path


def test_the_audit_is_filtered_by_its_address(app: Flask) -> None:
    visitor, _ = administrator(app)
    for site in ("blog", "news"):
        audit.record(
            "entry.edit", "entry", 7, site=site, label=f"Fog over {site}", actor=Actor("ines", "shell"),
            before={"title": "Fog"}, after={"title": f"Fog over {site}"},
        )  # fmt: skip
    both = visitor.get("/audit?actor=ines").text
    assert "Fog over blog" in both
    assert "Fog over news" in both
    assert "user.add" not in re.findall(r"<td.*", both)
    one = visitor.get("/audit?actor=ines&site=blog&action=entry.edit&subject=entry&subject_id=7").text
    assert "Fog over blog" in one
    assert "Fog over news" not in one
    assert "No row matches" in visitor.get("/audit?until=2001-01-01").text
    assert visitor.get("/audit?since=yesterday").status_code == 422
    assert visitor.get("/audit?after=nonsense").status_code == 400
    number = re.search(r'href="/audit/(\d+)"', one)
    assert number is not None
    row = visitor.get(f"/audit/{number[1]}").text
    assert "<del>Fog</del><ins>Fog over blog</ins>" in row
    assert visitor.get("/audit/999").status_code == 404


def test_the_audit_of_a_site_shows_that_site_alone(app: Flask) -> None:
    for site in ("blog", "news"):
        audit.record("entry.edit", "entry", 7, site=site, label=f"Fog over {site}", actor=Actor("ines", "shell"))
    person("eve", blog="admin")
    visitor = Visitor(app)
    visitor.sign_in("eve")
    set_up_app(visitor)
    shown = visitor.get("/sites/blog/audit?site=news").text
    assert "Fog over blog" in shown
    assert "Fog over news" not in shown
    assert visitor.get("/sites/news/audit").status_code == 404
    assert location(visitor.get("/audit")) == "/sites/blog/audit"
    assert visitor.get("/audit/1").status_code == 403
    rows = {row.site: row.id for row in audit.list_audit().rows if row.site}
    assert visitor.get(f"/sites/blog/audit/{rows['blog']}").status_code == 200
    assert visitor.get(f"/sites/blog/audit/{rows['news']}").status_code == 404
    lines = visitor.get("/sites/blog/audit/export.jsonl?site=news").text.splitlines()
    assert {json.loads(line)["site"] for line in lines} == {"blog"}


def test_exports_hold_what_matches_and_no_formulas(app: Flask) -> None:
    visitor, _ = administrator(app)
    audit.record("entry.edit", "entry", 7, label="=HYPERLINK(1)", after={"title": "Häfen"}, actor=Actor("ines"))
    lines = visitor.get("/audit/export.jsonl?actor=ines").text.splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["=HYPERLINK(1)"]
    answer = visitor.get("/audit/export.csv?actor=ines")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["label"], row["after"]) for row in rows] == [("'=HYPERLINK(1)", '{"title": "Häfen"}')]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    assert len(visitor.get("/audit/export.jsonl").text.splitlines()) == len(audit.list_audit(size=500).rows)


def test_the_appearance_is_kept_in_a_cookie(visitor: Visitor) -> None:
    assert 'data-appearance="dark"' not in visitor.get("/sign-in").text
    assert location(visitor.post("/appearance", appearance="dark", **{"return": "/sign-in"})) == "/sign-in"
    assert 'data-appearance="dark"' in visitor.get("/sign-in").text
    visitor.post("/appearance", appearance="system")
    assert "data-appearance" not in visitor.get("/sign-in").text
    visitor.post("/appearance", appearance='"><script>')
    assert "data-appearance" not in visitor.get("/sign-in").text


def test_a_notice_says_only_what_we_wrote(visitor: Visitor) -> None:
    assert "You are signed out" in visitor.get("/sign-in?done=signed-out").text
    assert "Call us" not in visitor.get("/sign-in?done=Call+us").text


def test_pages_change_nothing_when_they_are_fetched(app: Flask) -> None:
    visitor, _ = administrator(app)
    person()
    before = audit.list_audit(size=500).rows
    for path, methods, _ in guard.registered(app):
        if "GET" in methods and "/static/" not in path:
            made = path.replace("<int:number>", "1").replace("<site:site>", "blog").replace("<secret>", "x")
            # Some are no whole pages, but what a script puts into one.
            assert visitor.client.get(made, base_url=URL).status_code != 500
    assert audit.list_audit(size=500).rows == before


def test_changes_are_shown_line_by_line() -> None:
    text = [f"line {number}" for number in range(20)]
    changed = [*text[:10], "another line", *text[11:]]
    found = changes_of(
        {"text": "\n".join(text), "tags": ["a"], "gone": 1},
        {"text": "\n".join(changed), "tags": ["a", "b"], "new": None},
    )
    lines = {change.name: change.lines for change in found}
    assert list(lines) == ["gone", "new", "tags", "text"]
    assert lines["gone"] == (("-", "1"),)
    assert lines["new"] == (("+", "null"),)
    assert ("-", "line 10") in lines["text"]
    assert ("+", "another line") in lines["text"]
    assert len(lines["text"]) == 8
    long = {"text": {"text": "much", "length": 12345, "sha256": "x"}}
    assert changes_of({}, long)[0].lines[-1] == ("+", "… (12,345 characters in all)")
    assert changes_of({"a": 1}, {"a": 1})[0].lines == ((" ", "1"),)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0"
         " Safari/537.36 Edg/156.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0"
         " Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("curl/8.9", "curl/8.9"),
        ("", "Unknown device"),
    ],
)  # fmt: skip
def test_devices_have_names(agent: str, device: str) -> None:
    assert device_of(agent) == device


def test_passkeys_are_renamed_and_removed_by_their_user_alone(app: Flask) -> None:
    here, there = Visitor(app), Visitor(app)
    for visitor, name in ((here, "ines"), (there, "bob")):
        user = person(name)
        Passkey.insert(
            user=user.id, credential=name, public_key="", sign_count=0, label=f"Key of {name}", synced=False,
            created_at=1.0,
        ).execute()  # fmt: skip
        assert location(visitor.sign_in(name)) == "/sign-in/second-factor"
    Session.update(factors="passkey").execute()
    assert "Key of ines" in here.get("/account/second-factor").text
    assert 'value="Key of ines"' in here.get("/account/passkeys/1").text
    assert there.get("/account/passkeys/1").status_code == 404
    assert there.post("/account/passkeys/1", name="Mine now").status_code == 422
    assert there.post("/account/passkeys/1/remove").status_code == 422
    assert here.post("/account/passkeys/1", name=" ").status_code == 422
    assert location(here.post("/account/passkeys/1", name="Blue key")) == "/account/second-factor?done=saved"
    assert "Blue key" in here.get("/account/second-factor").text
    renamed = audit.list_audit(AuditFilter(action="user.rename_passkey")).rows[0]
    assert (renamed.before, renamed.after) == ({"passkey": "Key of ines"}, {"passkey": "Blue key"})
    assert location(here.post("/account/passkeys/1/remove")) == "/account/second-factor?done=passkey-removed"
    assert "Blue key" not in here.get("/account/second-factor").text


def test_a_form_for_a_passkey_without_an_answer_says_so(app: Flask) -> None:
    person()
    visitor = Visitor(app)
    assert "sent no answer of a passkey" in visitor.post("/sign-in/passkey").text
    options = visitor.post("/sign-in/passkey/options").get_json()
    assert options["challenge"] == options["options"]["challenge"]
    assert visitor.post("/sign-in/passkey", credential="{", challenge=options["challenge"]).status_code == 422
    visitor.sign_in("ines")
    assert visitor.post("/account/passkeys", name="x").status_code == 422
    assert visitor.post("/account/passkeys", name="x", credential="{}", challenge="x").status_code == 422


def test_where_no_mail_can_be_sent_everybody_learns_the_same(visitor: Visitor) -> None:
    person()
    answers = {visitor.post("/forgotten", email=email).text for email in ("ines@example.org", "nobody@example.org")}
    assert len(answers) == 1
    assert "Ask an administrator for a link" in answers.pop()
    assert visitor.post("/forgotten", email=" ").status_code == 422


def test_whoever_may_read_the_audit_of_some_sites_is_led_there(app: Flask, config: Config) -> None:
    audit.record("entry.edit", "entry", 1, site="news", label="Secret", actor=Actor("ines", "browser"))
    person("nina", blog="admin")
    nina = Visitor(app)
    nina.sign_in("nina")
    set_up_app(nina)
    assert '<a href="/audit" data-key="g a">Audit</a>' in nina.get("/").text
    assert location(nina.get("/audit?subject=entry")) == "/sites/blog/audit"
    text = nina.get("/sites/blog/audit").text
    assert '<a href="/audit" data-key="g a" aria-current="true">Audit</a>' in text
    assert "Secret" not in text
    assert "/sites/news/audit" not in text
    users.set_role(users.find_user("nina"), "news", "admin")
    assert '<a href="/sites/news/audit">News</a>' in nina.get("/sites/blog/audit").text
    person("ines", blog="editor")
    ines = Visitor(app)
    ines.sign_in("ines")
    assert "/audit" not in ines.get("/").text
    assert ines.get("/audit").status_code == 403
