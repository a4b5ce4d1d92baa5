"""Signing in: by password, with the same refusal for everything that is wrong, and a new secret after each step."""

from __future__ import annotations

import pyotp
import pytest
from argon2 import PasswordHasher

from appliance import audit, db
from appliance.accounts import passwords, recovery_codes, sessions, sign_in, totp, users
from appliance.accounts.models import User
from appliance.actor import Actor
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.errors import SignInRefused
from tests.accounts.conftest import HOME, PASSWORD, Install, acts, add


class CountingHasher(PasswordHasher):
    """Counts its work. Argon2 takes the same time for each, whatever the password."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.work: list[str] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.work.append("hash")
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        self.work.append("verify")
        return super().verify(hash, password)


@pytest.mark.parametrize("named", ["ada", " ADA", "Ada@Example.org"])
def test_a_name_or_an_address_with_the_password_starts_a_session(ada: User, named: str) -> None:
    signed_in = sign_in.sign_in(named, PASSWORD, HOME, "Firefox")
    found = sessions.find(signed_in.secret, HOME)
    assert found is not None
    principal, row = found
    assert (principal.name, principal.roles, principal.session) == ("ada", {"blog": "editor"}, row.id)
    assert principal.actor() == Actor("ada", "browser", address=HOME)
    assert (row.pending, row.factors, row.agent) == ("", {"password"}, "Firefox")


@pytest.mark.parametrize("named", ["ada", "gone", "new", "nobody", "nobody@example.org", "", "a\0da", "\ud800", "1"])
def test_every_refusal_has_the_same_words_and_the_same_work(
    ada: User, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.disable(add("gone"))
    users.add_user("new")
    monkeypatch.setattr(passwords, "hasher", hasher := CountingHasher())
    with pytest.raises(SignInRefused, match=r"^Name and password do not belong together\.$"):
        sign_in.sign_in(named, PASSWORD if named == "gone" else "wrong", HOME)
    assert hasher.work == ["hash", "verify"]  # the first is made once, whoever comes first
    hasher.work.clear()
    with pytest.raises(SignInRefused, match=r"^Name and password do not belong together\.$"):
        sign_in.sign_in(named, "wrong", HOME)
    assert hasher.work == ["verify"]


def test_a_failure_is_in_the_audit_if_it_is_about_a_user(ada: User) -> None:
    for named in ("ada", "nobody"):
        with pytest.raises(SignInRefused):
            sign_in.sign_in(named, "wrong", HOME)
    (row,) = audit.list_audit(AuditFilter(action="user.sign_in_failed"), after=None, size=9).rows
    assert (row.label, row.actor, row.address) == ("ada", "", HOME)
    assert "wrong" not in str(row)


def test_a_password_that_is_changed_during_the_check_does_not_sign_in(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_right = passwords.is_right

    def check(user: User | None, password: str) -> bool:
        found = is_right(user, password)
        passwords.set_password(ada, "another fine password")
        return found

    monkeypatch.setattr(passwords, "is_right", check)
    with pytest.raises(SignInRefused):
        sign_in.sign_in("ada", PASSWORD, HOME)
    assert sessions.list_sessions(ada) == []


def test_a_user_who_is_disabled_during_the_check_does_not_sign_in(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    is_right = passwords.is_right

    def check(user: User | None, password: str) -> bool:
        users.disable(ada)
        return is_right(user, password)

    monkeypatch.setattr(passwords, "is_right", check)
    with pytest.raises(SignInRefused):
        sign_in.sign_in("ada", PASSWORD, HOME)
    assert sessions.list_sessions(ada) == []


def test_each_step_gives_the_session_another_secret(ada: User) -> None:
    secret, _ = totp.begin(ada)
    totp.confirm(ada, pyotp.TOTP(secret).at(db.now()))
    codes = recovery_codes.create(ada)
    first = sign_in.sign_in("ada", PASSWORD, HOME)
    assert first.session.pending == "second_factor"
    second = sign_in.confirm_code(first.session, codes[0], HOME)
    assert sessions.find(first.secret, HOME) is None, "whoever planted the secret before would be signed in too"
    found = sessions.find(second.secret, HOME)
    assert found is not None
    assert (found[1].id, found[1].pending, found[0].roles) == (first.session.id, "", {"blog": "editor"})
    third = sign_in.confirm_password(found[1], PASSWORD, HOME)
    assert sessions.find(second.secret, HOME) is None
    assert sessions.find(third.secret, HOME) is not None
    assert acts()[-3:] == ["user.use_recovery_code", "user.confirm", "user.confirm"]


def test_with_the_password_alone_a_user_with_a_second_factor_may_do_nothing(ada: User) -> None:
    secret, _ = totp.begin(ada)
    totp.confirm(ada, pyotp.TOTP(secret).at(db.now()))
    found = sessions.find(sign_in.sign_in("ada", PASSWORD, HOME).secret, HOME)
    assert found is not None
    principal = found[0]
    assert (principal.pending, dict(principal.roles)) == ("second_factor", {})
    assert not principal.may("entry.read", "blog")
    assert not principal.may("account.edit"), "a thief of the password could remove the second factor"
    assert not principal.may("token.add")


def test_a_role_that_needs_a_second_factor_waits_until_there_is_one(installation: Config) -> None:
    eve = add("eve", **{"*": "admin"})
    signed_in = sign_in.sign_in("eve", PASSWORD, HOME)
    found = sessions.find(signed_in.secret, HOME)
    assert found is not None
    assert (found[0].pending, dict(found[0].roles)) == ("set_up", {})
    assert found[0].may("account.edit")
    assert not found[0].may("token.add")
    secret, _ = totp.begin(eve)
    totp.confirm(eve, pyotp.TOTP(secret).at(db.now()))
    raised = sessions.find(sessions.renew(found[1].id, factor="totp"), HOME)
    assert raised is not None
    assert (raised[0].pending, raised[0].roles) == ("", {"*": "admin"})
    assert sessions.find(signed_in.secret, HOME) is None


def test_the_settings_say_which_roles_need_a_second_factor(install: Install) -> None:
    install(admin={"url": "https://admin.example/", "second_factor": []})
    add("eve", **{"*": "admin"})
    assert sign_in.sign_in("eve", PASSWORD, HOME).session.pending == ""


def test_a_wrong_second_factor_keeps_the_session_as_it_is(ada: User) -> None:
    secret, _ = totp.begin(ada)
    totp.confirm(ada, pyotp.TOTP(secret).at(db.now()))
    first = sign_in.sign_in("ada", PASSWORD, HOME)
    for code in ("000000", "", "no code", "१२३४५६", "bbbb-bbbb-bbbb-bbbb"):
        with pytest.raises(SignInRefused):
            sign_in.confirm_code(first.session, code, HOME)
    found = sessions.find(first.secret, HOME)
    assert found is not None
    assert found[1].pending == "second_factor"


def test_the_factors_of_a_user_are_those_set_up(ada: User) -> None:
    assert sign_in.second_factors(ada) == frozenset()
    secret, _ = totp.begin(ada)
    assert sign_in.second_factors(ada) == frozenset(), "it has not been tried yet"
    totp.confirm(ada, pyotp.TOTP(secret).at(db.now()))
    recovery_codes.create(ada)
    assert sign_in.second_factors(ada) == {"totp", "recovery"}
    totp.remove(ada)
    assert sign_in.second_factors(ada) == frozenset()
