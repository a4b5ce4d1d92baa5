"""Passkeys: made and used with an authenticator in software, and refused for everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance import db
from appliance.accounts import passkeys, pruning, recovery_codes, sessions, sign_in, users
from appliance.accounts.models import Passkey, User
from appliance.errors import AccountError, SignInRefused
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import HOME, PASSWORD, acts, add


def register(user: User, authenticator: Authenticator, label: str = "Key") -> passkeys.PasskeyRow:
    options = passkeys.registration_options(user)
    return passkeys.register(user, authenticator.register(options.json), options.challenge, label)


def sign(authenticator: Authenticator, user: User | None = None) -> tuple[str, str]:
    options = passkeys.authentication_options(user)
    return authenticator.sign(options.json), options.challenge


@pytest.fixture
def key(ada: User) -> Authenticator:
    made = Authenticator()
    register(ada, made)
    return made


def test_a_passkey_signs_in_without_a_name_and_is_two_factors(ada: User, key: Authenticator) -> None:
    signed_in = sign_in.with_passkey(*sign(key), HOME, "Firefox")
    assert (signed_in.user.name, signed_in.session.pending, signed_in.session.factors) == ("ada", "", {"passkey"})
    assert passkeys.list_passkeys(ada)[0].used_at is not None
    assert acts()[-2:] == ["user.add_passkey", "user.sign_in"]


def test_a_passkey_completes_a_password(ada: User, key: Authenticator) -> None:
    first = sign_in.sign_in("ada", PASSWORD, HOME)
    assert first.session.pending == "second_factor"
    second = sign_in.confirm_passkey(first.session, *sign(key, ada), HOME)
    assert (second.session.pending, second.session.factors) == ("", {"password", "passkey"})
    assert sessions.find(first.secret) is None


def test_an_admin_with_a_passkey_needs_no_code(ada: User, key: Authenticator) -> None:
    users.set_role(ada, "*", "admin")
    assert sign_in.with_passkey(*sign(key), HOME).session.pending == ""


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: setattr(key, "verifies", False),
        lambda key: setattr(key, "origin", "https://admin.example.evil"),
        lambda key: setattr(key, "origin", "http://admin.example"),
        lambda key: setattr(key, "host", "evil.example"),
        lambda key: setattr(key, "credential", b"another"),
        lambda key: setattr(key, "key", Authenticator().key),
        lambda key: setattr(key, "count", -1),
    ],
    ids=["unverified", "other origin", "no TLS", "other host", "unknown", "other key", "counter of a copy"],
)
def test_a_wrong_answer_is_refused(ada: User, key: Authenticator, spoil: Callable[[Authenticator], None]) -> None:
    sign_in.with_passkey(*sign(key), HOME)
    spoil(key)
    with pytest.raises(SignInRefused):
        sign_in.with_passkey(*sign(key), HOME)


@pytest.mark.parametrize("answer", ["", "null", "[]", "{}", '{"id": 1}', '{"id": "x"}', "[" * 100_000, "\ud800"])
def test_what_is_no_answer_is_refused(ada: User, key: Authenticator, answer: str) -> None:
    challenge = passkeys.authentication_options().challenge
    with pytest.raises(SignInRefused):
        sign_in.with_passkey(answer, challenge, HOME)
    with pytest.raises(AccountError):
        passkeys.register(ada, answer, passkeys.registration_options(ada).challenge)


def test_a_challenge_is_answered_once(ada: User, key: Authenticator) -> None:
    answer = sign(key)
    sign_in.with_passkey(*answer, HOME)
    Passkey.update(sign_count=0).execute()
    with pytest.raises(SignInRefused, match="over"):
        sign_in.with_passkey(*answer, HOME)


def test_a_challenge_is_for_its_purpose_its_user_and_five_minutes(ada: User, key: Authenticator) -> None:
    bob = add("bob")
    with pytest.raises(SignInRefused):
        sign_in.with_passkey(key.sign(passkeys.registration_options(ada).json), sign(key)[1], HOME)
    options = passkeys.registration_options(ada)
    with pytest.raises(AccountError, match="over"):
        passkeys.register(bob, Authenticator().register(options.json), options.challenge)
    with pytest.raises(AccountError, match="over"):
        passkeys.authenticate(*sign(key, ada))
    answer = sign(key)
    db.backend().now_at(301)
    with pytest.raises(AccountError, match="over"):
        passkeys.authenticate(*answer)


def test_a_network_cannot_fill_the_table_of_challenges(ada: User, key: Authenticator) -> None:
    for number in range(100):
        passkeys.authentication_options(address=f"192.0.2.{number}")
    with pytest.raises(AccountError, match="too many requests"):
        passkeys.authentication_options(address="192.0.2.200")
    assert passkeys.authentication_options(address="203.0.113.1")
    assert passkeys.authentication_options(ada, address="192.0.2.200")
    db.backend().now_at(301)
    assert passkeys.authentication_options(address="192.0.2.200")
    assert pruning.prune()["challenges"] == 102


def test_a_session_is_confirmed_only_by_a_passkey_of_its_own_user(ada: User, key: Authenticator) -> None:
    bob = add("bob")
    other = Authenticator()
    register(bob, other)
    first = sign_in.sign_in("ada", PASSWORD, HOME)
    with pytest.raises(SignInRefused):
        sign_in.confirm_passkey(first.session, *sign(other, ada), HOME)
    with pytest.raises(SignInRefused):
        sign_in.confirm_passkey(first.session, *sign(other), HOME)


def test_authenticators_that_do_not_count_are_taken(ada: User) -> None:
    synced = Authenticator(counts=False)
    register(ada, synced)
    for _ in range(2):
        assert sign_in.with_passkey(*sign(synced), HOME).user.id == ada.id


def test_a_disabled_user_cannot_sign_in_with_a_passkey(ada: User, key: Authenticator) -> None:
    users.disable(ada)
    with pytest.raises(SignInRefused):
        sign_in.with_passkey(*sign(key), HOME)


def test_registering_needs_a_verified_user_and_the_right_origin(ada: User) -> None:
    for wrong in (Authenticator(verifies=False), Authenticator(origin="https://evil.example")):
        with pytest.raises(AccountError, match="not accepted"):
            register(ada, wrong)
    assert passkeys.list_passkeys(ada) == []


def test_a_passkey_belongs_to_one_user(ada: User, key: Authenticator) -> None:
    with pytest.raises(AccountError, match="registered already"):
        register(add("bob"), key)


def test_passkeys_are_listed_and_removed(ada: User, key: Authenticator) -> None:
    second = register(ada, Authenticator(), "  Phone\n")
    assert [row.label for row in passkeys.list_passkeys(ada)] == ["Phone", "Key"]
    recovery_codes.create(ada)
    with pytest.raises(AccountError):
        passkeys.remove(add("bob"), second.id)
    for row in passkeys.list_passkeys(ada):
        passkeys.remove(ada, row.id)
    assert recovery_codes.left(ada) == 0
    assert sign_in.sign_in("ada", PASSWORD, HOME).session.pending == ""
    with pytest.raises(SignInRefused):
        sign_in.with_passkey(*sign(key), HOME)


def test_options_ask_for_what_is_required(ada: User, key: Authenticator) -> None:
    made, asked = passkeys.registration_options(ada).json, passkeys.authentication_options(ada).json
    assert '"residentKey": "required"' in made
    assert '"userVerification": "required"' in made
    assert '"userVerification": "required"' in asked
    for options in (made, asked):
        assert passkeys.bytes_to_base64url(key.credential) in options
