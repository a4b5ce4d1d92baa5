"""Limits on guessing: they hold for all processes, and do not keep the owner of an account out."""

from __future__ import annotations

from collections.abc import Callable

import pyotp
import pytest

from appliance import db
from appliance.accounts import links, passkeys, pruning, sessions, sign_in, throttling, totp
from appliance.accounts.models import SignInFailure, User
from appliance.config import Config
from appliance.errors import SignInRefused
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import AWAY, HOME, PASSWORD, acts, add, race

DAY = 86_400


def wait(attempt: Callable[[], object]) -> float:
    """For how long an attempt has to wait that would be refused in any case."""
    with pytest.raises(SignInRefused) as refused:
        attempt()
    return refused.value.wait


def guess(named: str, address: str) -> float:
    return wait(lambda: sign_in.sign_in(named, "wrong", address))


def networks() -> list[str]:
    """Addresses in many networks."""
    return [f"198.51.{number}.1" for number in range(100)]


@pytest.mark.parametrize("named", ["ada", "nobody"])
def test_each_further_guess_waits_twice_as_long(ada: User, named: str) -> None:
    waits, at, checked = [], 0.0, []
    while at < DAY:
        db.backend().now_at(at)
        found = guess(named, networks()[len(checked) % 100])
        if found:
            waits.append(round(found))
            at += found + 0.01
        else:
            checked.append(at)
    assert waits[:6] == [30, 60, 120, 240, 480, 900]
    assert len([one for one in checked if one < 3600]) == 12
    assert len(checked) < 210


def test_an_attempt_that_has_to_wait_is_not_checked_and_prolongs_nothing(ada: User) -> None:
    for _ in range(5):
        guess("ada", AWAY)
    before = SignInFailure.select().count()
    assert wait(lambda: sign_in.sign_in("ada", PASSWORD, AWAY)) == 30
    assert SignInFailure.select().count() == before
    db.backend().now_at(31)
    assert sign_in.sign_in("ada", PASSWORD, AWAY).session.pending == ""


def test_a_name_and_an_address_of_one_user_are_counted_apart(ada: User) -> None:
    for _ in range(5):
        guess("ada", AWAY)
    assert guess("ada", AWAY)
    assert guess("ada@example.org", AWAY) == 0, "it would tell whose address it is"


def test_guesses_at_many_accounts_are_limited_by_network(ada: User) -> None:
    for number in range(30):
        assert guess(f"user{number}", f"203.0.113.{number}") == 0
    assert guess("ada", "203.0.113.200") == 30
    assert guess("ada", HOME) == 0
    for number in range(30):
        guess(f"user{number}", f"2001:db8:1:{number}::1")
    assert guess("ada", "2001:db8:1:ffff::1") == 30
    assert guess("ada", "2001:db8:2::1") == 0


def test_the_owner_gets_in_from_a_known_network_while_others_guess(ada: User) -> None:
    sign_in.sign_in("ada", PASSWORD, HOME)
    for address in networks()[:5]:
        guess("ada", address)
    assert guess("ada", AWAY) > 0
    assert sign_in.sign_in("ada", PASSWORD, HOME)
    for _ in range(5):
        guess("ada", HOME)
    assert guess("ada", HOME) == 30, "which is limited by itself"


def test_a_network_is_known_for_ninety_days(ada: User) -> None:
    sign_in.sign_in("ada", PASSWORD, HOME)
    db.backend().now_at(91 * DAY)
    pruning.prune()
    for address in networks()[:5]:
        guess("ada", address)
    assert guess("ada", HOME) > 0


def test_a_passkey_and_a_session_work_while_others_guess(ada: User) -> None:
    key, options = Authenticator(), passkeys.registration_options(ada)
    passkeys.register(ada, key.register(options.json), options.challenge)
    secret, _ = sessions.start(ada, HOME, factors=["passkey"])
    for address in networks()[:5]:
        guess("ada", address)
    for number in range(40):
        guess(f"user{number}", AWAY)
    assert guess("ada", AWAY) > 0
    assert sessions.find(secret, AWAY)
    asked = passkeys.authentication_options()
    assert sign_in.with_passkey(key.sign(asked.json), asked.challenge, AWAY)


def test_a_link_makes_the_network_known(ada: User) -> None:
    for address in networks()[:5]:
        guess("ada", address)
    secret = links.create(ada, "reset").rpartition("/")[2]
    links.set_password(secret, "reset", "another fine password", AWAY)
    assert sign_in.sign_in("ada", "another fine password", AWAY)


def test_codes_are_limited_and_a_right_password_does_not_reset_that(ada: User) -> None:
    secret, _ = totp.begin(ada)
    totp.confirm(ada, pyotp.TOTP(secret).at(db.now()))
    for _ in range(5):
        session = sign_in.sign_in("ada", PASSWORD, HOME).session
        assert wait(lambda session=session: sign_in.confirm_code(session, "000000", HOME)) == 0
    session = sign_in.sign_in("ada", PASSWORD, HOME).session
    assert wait(lambda: sign_in.confirm_code(session, "000000", HOME)) == 30


def test_a_thief_with_an_account_of_his_own_cannot_reset_the_count_of_another(ada: User) -> None:
    add("bob")
    for _ in range(5):
        guess("ada", AWAY)
        sign_in.sign_in("bob", PASSWORD, AWAY)
    assert guess("ada", AWAY) == 30


def test_a_hundred_attempts_at_once_are_not_more_than_in_a_row(ada: User, installation: Config) -> None:
    found = race(installation, lambda number: [guess("ada", networks()[number]) > 0 for _ in range(4)], processes=4)
    assert sum(not waits for tried in found for waits in tried) == 5


def test_failures_from_the_future_bind_nobody(ada: User) -> None:
    db.backend().now_at(DAY)
    for _ in range(5):
        guess("ada", AWAY)
    db.backend().now_at(0)
    assert guess("ada", AWAY) == 0


def test_guesses_are_forgotten_after_an_hour(ada: User) -> None:
    for _ in range(5):
        guess("ada", AWAY)
    db.backend().now_at(3601)
    assert guess("ada", AWAY) == 0
    assert pruning.prune()["sign-in failures"] == 5
    assert throttling.WINDOW == 3600


def test_the_audit_has_a_row_for_each_guess_that_was_checked(ada: User) -> None:
    for _ in range(20):
        guess("ada", AWAY)
    assert acts().count("user.sign_in_failed") == 5
