"""Passwords: which are taken, and how they are kept."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from appliance.accounts import passwords, sessions, sign_in
from appliance.accounts.models import User
from appliance.errors import WeakPassword
from tests.accounts.conftest import HOME, PASSWORD

ADA = User(name="ada-lovelace", email="countess@engine.example", display="Ada King")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "xkcd-936-xkcd",
        "            spaces count           ok",
        "pässwörter sind lang",
        "密码是一句很长的话，没有人会猜到",
        "monkey-9471-2268-1187",
        "ada-lovelace wrote the first program",
        "x1" * 6 + "yzuvw",
        "q" * 1000 + "werty",
    ],
)
def test_long_passwords_are_taken_whatever_they_are_made_of(password: str) -> None:
    passwords.require_strong(password, ADA)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "too short"),
        ("Tr0ub4dor&3", "too short"),
        ("x" * 1025, "too long"),
        ("é" * 513, "too long"),
        ("qwerty123456", "try first"),
        ("Password1234", "try first"),
        ("!!PASSWORD123", "try first"),
        ("sunshinesunshine", "try first"),
        ("aaaaaaaaaaaaaaaa", "try first"),
        ("abababababababab", "try first"),
        ("abcdefghijklmn", "try first"),
        ("mnbvcxzlkjhgfdsa", "try first"),
        ("１２３４５６７８９０１２", "try first"),
        ("ada-lovelace1", "name or address"),
        ("Ada-Lovelace-1!", "name or address"),
        ("countess@engine.example", "name or address"),
        ("engine.example42", "name or address"),
    ],
)
def test_passwords_that_are_guessed_first_are_refused(password: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why):
        passwords.require_strong(password, ADA)


def test_the_parameters_are_those_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "hasher", PasswordHasher())
    made = passwords.make_hash(PASSWORD)
    assert made.startswith("$argon2id$")
    assert extract_parameters(made) == RFC_9106_LOW_MEMORY
    assert passwords.make_hash(PASSWORD) != made, "each has a salt of its own"


def test_a_hash_with_other_parameters_is_replaced_at_the_next_sign_in(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = User.get_by_id(ada.id).password
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert not passwords.is_right(ada, "wrong")
    assert User.get_by_id(ada.id).password == before
    signed_in = sign_in.sign_in("ada", PASSWORD, HOME)
    after = User.get_by_id(ada.id).password
    assert extract_parameters(after).time_cost == 2
    assert sessions.find(signed_in.secret, HOME), "a session stays, since the password is the same"
    sign_in.sign_in("ada", PASSWORD, HOME)
    assert User.get_by_id(ada.id).password == after


def test_the_same_characters_are_the_same_password_however_they_are_composed(ada: User) -> None:
    passwords.set_password(ada, "caf\u00e9 au lait et croissant")
    assert passwords.is_right(ada, "cafe\u0301 au lait et croissant")
    assert not passwords.is_right(ada, "cafe au lait et croissant")


def test_nothing_is_cut_off(ada: User) -> None:
    long = "a fine start " * 70
    passwords.set_password(ada, long)
    assert passwords.is_right(ada, long)
    assert not passwords.is_right(ada, long[:-1])
    assert not passwords.is_right(ada, long + "x")
    assert not passwords.is_right(ada, long + "x" * 100_000)


def test_a_user_without_a_password_has_none_that_is_right(ada: User) -> None:
    User.update(password="").where(User.id == ada.id).execute()
    user = User.get_by_id(ada.id)
    assert not passwords.is_right(user, "")
    assert not passwords.is_right(None, "")
