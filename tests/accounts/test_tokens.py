"""Tokens: what they may do, and when they end."""

from __future__ import annotations

import re

import pyotp
import pytest

from appliance import db
from appliance.accounts import pruning, tokens, totp, users
from appliance.accounts.models import Token, User
from appliance.accounts.principal import Principal
from appliance.accounts.rights import ACTIONS
from appliance.actor import Actor, acting
from appliance.errors import AccountError
from tests.accounts.conftest import AWAY, HOME, Install, acts, add

DAY = 86_400


def found(secret: str) -> Principal:
    principal = tokens.find(secret, HOME)
    assert principal is not None
    return principal


def test_a_token_acts_for_its_user(ada: User) -> None:
    secret, row = tokens.create(ada, "  nightly \n build ")
    principal = found(secret)
    assert principal.actor() == Actor("ada", "api", address=HOME, token="nightly build")
    assert (principal.roles, principal.session, row.user_name) == ({"blog": "editor"}, 0, "ada")
    assert principal.may("entry.edit", "blog")


def test_scanners_for_secrets_know_a_token(ada: User) -> None:
    secrets = [tokens.create(ada, "one")[0] for _ in range(50)]
    assert len(set(secrets)) == 50
    for secret in secrets:
        assert re.fullmatch(r"app_[0-9A-Za-z]{43}", secret)
    assert not any(secret in str(row.__data__) for secret, row in zip(secrets, Token.select(), strict=True))


@pytest.mark.parametrize("secret", ["", "app_", "app_" + "x" * 43, "App_" + "x" * 43, "app_" + "\ud800" * 43])
def test_what_is_no_token_finds_nobody(ada: User, secret: str) -> None:
    assert tokens.find(secret, HOME) is None


def test_a_token_for_reading_changes_nothing(ada: User) -> None:
    principal = found(tokens.create(ada, "reader", scopes=["read"])[0])
    for name, action in ACTIONS.items():
        if principal.may_somehow(name, "blog"):
            assert not action.changes, name
    assert principal.may("entry.read", "blog")


def test_no_token_changes_passwords_or_makes_tokens_by_a_group(ada: User) -> None:
    for scopes in (None, ["write"], ["read", "write"]):
        principal = found(tokens.create(ada, "any", scopes=scopes)[0])
        assert principal.may("entry.edit", "blog")
        assert not principal.may("account.edit")
        assert not principal.may("token.add")
    assert found(tokens.create(ada, "maker", scopes=["token.add"])[0]).may("token.add")


@pytest.mark.parametrize("scopes", [["account.edit"], ["all"], [""], ["entry.edit blog"], []])
def test_scopes_are_actions_or_groups(ada: User, scopes: list[str]) -> None:
    with pytest.raises(AccountError):
        tokens.create(ada, "any", scopes=scopes)


def test_a_scope_gives_no_right_that_the_user_has_not(ada: User) -> None:
    principal = found(tokens.create(ada, "any", scopes=["user.edit", "comment.erase", "entry.read"])[0])
    assert not principal.may("user.edit")
    assert not principal.may("comment.erase", "blog")
    assert not principal.may("entry.edit", "blog")
    assert principal.may("entry.read", "blog")
    assert not principal.may("entry.read", "press")


def test_a_token_for_sites_has_no_say_about_others_nor_the_whole(ada: User) -> None:
    users.set_role(ada, "*", "editor")
    principal = found(tokens.create(ada, "any", sites=["press"])[0])
    assert principal.may("entry.edit", "press")
    assert not principal.knows("blog")
    assert not principal.may("target.read")
    with pytest.raises(AccountError, match="no site"):
        tokens.create(ada, "any", sites=["other"])


def test_a_token_loses_what_its_user_loses(ada: User) -> None:
    secret, _ = tokens.create(ada, "any")
    users.set_role(ada, "blog", "viewer")
    assert not found(secret).may("entry.edit", "blog")
    users.set_role(ada, "blog", None)
    assert not found(secret).knows("blog")


def test_a_token_ends_on_its_day(ada: User) -> None:
    secret, row = tokens.create(ada, "any", days=2)
    db.backend().now_at(2 * DAY - 60)
    assert tokens.find(secret, HOME)
    db.backend().now_at(2 * DAY + 60)
    assert tokens.find(secret, HOME) is None
    assert tokens.list_tokens(ada) == []
    assert [one.id for one in tokens.list_tokens(ada, all_states=True)] == [row.id]
    db.backend().now_at(93 * DAY)
    assert pruning.prune()["tokens"] == 1


@pytest.mark.parametrize("days", [0, -1, 366, float("inf"), float("nan")])
def test_a_token_lasts_as_long_as_the_settings_allow(ada: User, days: float) -> None:
    with pytest.raises(AccountError, match="365 days at most"):
        tokens.create(ada, "any", days=days)


def test_a_revoked_token_fails_at_once(ada: User) -> None:
    secret, row = tokens.create(ada, "any")
    bob = add("bob")
    with pytest.raises(AccountError):
        tokens.revoke(row.id, user=bob)
    assert tokens.find(secret, HOME)
    tokens.revoke(row.id, user=ada)
    tokens.revoke(row.id)
    assert tokens.find(secret, HOME) is None
    assert [act for act in acts() if act.startswith("token.")] == ["token.add", "token.revoke"]


def test_the_last_use_is_noted_once_a_minute_at_most(ada: User) -> None:
    secret, row = tokens.create(ada, "any")
    tokens.find(secret, HOME)
    first = tokens.get_token(row.id)
    tokens.find(secret, AWAY)
    assert tokens.get_token(row.id) == first
    assert (first.used_address, first.used_at is not None) == (HOME, True)
    db.backend().now_at(61)
    tokens.find(secret, AWAY)
    assert tokens.get_token(row.id).used_address == AWAY


@pytest.mark.parametrize("label", ["", " ", "x" * 101, "a\0b", "\ud800"])
def test_a_label_says_what_a_token_is_for(ada: User, label: str) -> None:
    with pytest.raises(AccountError, match="label"):
        tokens.create(ada, label)


def test_a_token_of_a_password_alone_has_no_role_that_needs_more(install: Install) -> None:
    install()
    eve = add("eve", blog="editor")
    with acting(Actor("eve", "browser")):
        secret, _ = tokens.create(eve, "made by who knew the password")
    shell, _ = tokens.create(eve, "made on the shell")
    users.set_role(eve, "blog", "admin")
    users.set_role(eve, "press", "viewer")
    assert found(secret).roles == {"press": "viewer"}
    assert found(shell).roles == {"blog": "admin", "press": "viewer"}
    key, _ = totp.begin(eve)
    totp.confirm(eve, pyotp.TOTP(key).at(db.now()))
    with acting(Actor("eve", "browser")):
        strong, _ = tokens.create(eve, "made with a second factor")
    assert found(strong).roles == {"blog": "admin", "press": "viewer"}
