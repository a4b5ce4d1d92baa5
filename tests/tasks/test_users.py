"""Commands about users and tokens."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from appliance import config as settings
from appliance import db
from appliance.accounts import links, passwords, recovery_codes, sessions, sign_in, tokens, users
from appliance.accounts.models import RecoveryCode
from appliance.audit import ANYTHING, list_audit
from tests.tasks.conftest import Typed

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with an admin application, in the working folder."""
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APPLIANCE_CONFIG", raising=False)
    (tmp_path / "appliance.toml").write_text(
        f'docroot = "{tmp_path}/www"\n[admin]\nurl = "https://admin.example/"\n'
        '[[sites]]\nname = "blog"\ntitle = "Blog"\nurl = "https://blog.example/"\n'
    )
    return tmp_path


def reopen() -> None:
    db.connect(settings.load())


def test_the_first_user_chooses_the_password_by_a_link(command_line: Typed) -> None:
    told = command_line("users.add ada --email ada@example.org --admin")
    found = re.search(r"https://admin\.example/invitation/(\w+)", told)
    assert found, told
    reopen()
    assert links.set_password(found[1], "invitation", PASSWORD).name == "ada"
    assert sign_in.sign_in("ada", PASSWORD, "").session.pending == "set_up"
    (row,) = [row for row in list_audit(ANYTHING, after=None, size=50).rows if row.action == "user.add"]
    assert (row.via, row.after and row.after["roles"]) == ("shell", {"*": "admin"})


def test_a_password_is_read_from_the_standard_input(command_line: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\nmore\n"))
    assert command_line("users.add ada --password --role blog:editor --role *:viewer") == "added ada\n"
    reopen()
    assert sign_in.sign_in("ada", PASSWORD, "").session.pending == ""
    assert sessions.roles_of(users.find_user("ada").id) == {"*": "viewer", "blog": "editor"}


@pytest.mark.parametrize("given", ["", "short\n", "password1234\n"])
def test_a_weak_password_adds_nobody(command_line: Typed, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert "password" in command_line("users.add ada --password", status=1)
    assert command_line("users.list") == "none\n"


def test_without_an_admin_application_a_password_is_needed(
    home: Path, command_line: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "appliance.toml"
    file.write_text(file.read_text().replace('url = "https://admin.example/"\n', ""))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "too short" in command_line("users.add ada", status=1)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert command_line("users.add ada") == "added ada\n"


def test_users_are_listed_and_shown(command_line: Typed) -> None:
    command_line("users.add ada --email ada@example.org --display Ada --role blog:editor")
    command_line("users.add bob")
    lines = command_line("users.list").splitlines()
    assert [line.split()[0] for line in lines] == ["name", "ada", "bob"]
    assert "blog:editor" in lines[1]
    assert [row["name"] for row in json.loads(command_line("users.list --json"))] == ["ada", "bob"]
    assert "ada@example.org" in command_line("users.show ada")
    assert json.loads(command_line("users.show ada --json"))["roles"] == {"blog": "editor"}
    assert "no user" in command_line("users.show eve", status=1)


def test_roles_are_given_and_taken(command_line: Typed) -> None:
    command_line("users.add ada")
    assert command_line("users.role ada blog:editor") == "ada: blog:editor\n"
    assert command_line("users.role ada blog:none") == "ada: no role\n"
    for wrong in ("blog", "blog:", ":editor", "blog:owner", "other:editor"):
        command_line("users.role ada", wrong, status=1)


def test_a_user_is_disabled_and_enabled(command_line: Typed) -> None:
    command_line("users.add ada --admin")
    assert "last admin" in command_line("users.disable ada", status=1)
    command_line("users.add bob --admin")
    command_line("users.disable ada")
    assert "disabled since" in command_line("users.show ada")
    command_line("users.enable ada")
    assert "enabled" in command_line("users.show ada")


def test_somebody_who_lost_everything_is_let_in_again(command_line: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    command_line("users.add ada")
    reopen()
    ada = users.find_user("ada")
    users.set_role(ada, "blog", "admin")
    recovery_codes.create(ada)
    told = command_line("users.reset ada --second-factor")
    found = re.search(r"https://admin\.example/reset/(\w+)", told)
    assert found, told
    assert "removed the second factors" in told
    reopen()
    assert RecoveryCode.select().count() == 0
    assert links.find(found[1], "reset") == ada
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert command_line("users.reset ada --password") == "ada has the new password\n"
    assert "[mail]" in command_line("users.reset ada --mail", status=1)


def test_sessions_are_listed_and_ended(command_line: Typed) -> None:
    command_line("users.add ada")
    assert command_line("users.sessions ada") == "none\n"
    reopen()
    ada = users.find_user("ada")
    for agent in ("Firefox", "Chromium"):
        sessions.start(ada, "192.0.2.1", agent, factors=["password"])
    rows = json.loads(command_line("users.sessions ada --json"))
    assert {row["agent"] for row in rows} == {"Firefox", "Chromium"}
    told = command_line(f"users.sessions ada --end {rows[0]['id']}")
    assert rows[1]["agent"] in told
    assert rows[0]["agent"] not in told
    assert command_line("users.sessions ada --end-all") == "1 session ended\n"


def test_tokens_are_made_listed_and_revoked(command_line: Typed) -> None:
    command_line("users.add ada --role blog:editor")
    told = command_line("tokens.add ada --scope read --site blog --days 7", "nightly build")
    secret = told.splitlines()[0]
    reopen()
    principal = tokens.find(secret)
    assert principal is not None
    assert (principal.token, principal.may("entry.edit", "blog")) == ("nightly build", False)
    (row,) = json.loads(command_line("tokens.list --user ada --json"))
    assert (row["label"], row["scopes"], row["sites"]) == ("nightly build", ["read"], ["blog"])
    assert secret not in command_line("tokens.list")
    assert "is revoked" in command_line(f"tokens.revoke {row['id']}")
    assert command_line("tokens.list") == "none\n"
    assert "revoked" in command_line("tokens.list --all")
    reopen()
    assert tokens.find(secret) is None
    assert "no token" in command_line("tokens.revoke 99", status=1)
