"""What works once works for one of two processes that try it at the same moment, on both databases."""

from __future__ import annotations

import json

import pyotp
import pytest

from appliance import db
from appliance.accounts import links, passkeys, recovery_codes, sessions, sign_in, tokens, totp, users
from appliance.accounts.models import Passkey, User
from appliance.config import Config
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import HOME, race

ROUNDS = range(5)


def test_a_recovery_code(ada: User, installation: Config) -> None:
    for code in recovery_codes.create(ada)[:5]:
        assert sorted(race(installation, lambda _, code=code: recovery_codes.use(ada, code))) == [False, True]


def test_a_code_of_an_app(ada: User, installation: Config) -> None:
    secret, _ = totp.begin(ada)
    app = pyotp.TOTP(secret)
    totp.confirm(ada, app.at(db.now()))
    for _ in ROUNDS:
        with db.write():
            db.execute("UPDATE account SET totp_step = 0")
        code = app.at(db.now())
        assert sorted(race(installation, lambda _, code=code: totp.check(ada, code))) == [False, True]


def test_a_one_time_link(ada: User, installation: Config) -> None:
    for _ in ROUNDS:
        secret = links.create(ada, "reset").rpartition("/")[2]
        found = race(installation, lambda _, secret=secret: links.consume(secret, "reset").name)
        assert sorted(found) == ["AccountError", "ada"]


def test_a_password_by_a_one_time_link(ada: User, installation: Config) -> None:
    secret = links.create(ada, "reset").rpartition("/")[2]
    found = race(
        installation, lambda number: links.set_password(secret, "reset", f"a fine password {number}", HOME).name
    )
    assert sorted(found) == ["AccountError", "ada"]


@pytest.mark.parametrize("counts", [True, False])
def test_an_answer_of_a_passkey(ada: User, installation: Config, counts: bool) -> None:
    key, options = Authenticator(counts=counts), passkeys.registration_options(ada)
    passkeys.register(ada, key.register(options.json), options.challenge)
    for _ in ROUNDS:
        asked = passkeys.authentication_options()
        answer = key.sign(asked.json)
        found = race(installation, lambda _, a=answer, c=asked.challenge: passkeys.authenticate(a, c).name)
        assert sorted(found) == ["AccountError", "ada"]


def test_a_copied_passkey(ada: User, installation: Config) -> None:
    key, options = Authenticator(), passkeys.registration_options(ada)
    passkeys.register(ada, key.register(options.json), options.challenge)
    answers = []
    for _ in range(2):
        asked = passkeys.authentication_options()
        answers.append((key.sign(asked.json), asked.challenge))
        key.count -= 1
    found = race(installation, lambda number: passkeys.authenticate(*answers[number]).name)
    assert sorted(found) == ["AccountError", "ada"]
    assert Passkey.get().sign_count == key.count + 1


def test_whatever_a_user_does_while_being_disabled(ada: User, installation: Config) -> None:
    """Each comes before or after, and none waits for the other for ever, which PostgreSQL would end with an error."""
    codes = recovery_codes.create(ada)
    for code in codes[:8]:
        session = sessions.start(ada, HOME, factors=["password"])[1]
        secret = links.create(ada, "reset").rpartition("/")[2]
        acts = [
            lambda: users.disable(ada),
            lambda secret=secret: links.set_password(secret, "reset", "another fine password", HOME).name,
            lambda session=session, code=code: sign_in.confirm_code(session, code, HOME).session.id and "",
            lambda code=code: users.edit_user(ada, display=f"Ada {code}").name,
        ]
        found = race(installation, lambda number, acts=acts: acts[number](), processes=4)
        assert set(found) <= {None, "", "ada", "AccountError", "SignInRefused"}, found
        users.enable(ada)


def test_a_session_or_token_that_begins_while_its_user_is_disabled(ada: User, installation: Config) -> None:
    """Whichever comes first, nothing is left that works."""

    def act(number: int) -> str:
        if number == 0:
            users.disable(ada)
            return ""
        if number == 1:
            return sessions.start(ada, HOME, factors=["password"])[0]
        return tokens.create(ada, "any")[0]

    for _ in ROUNDS:
        _, session, token = race(installation, act, processes=3)
        assert sessions.find(session, HOME) is None, json.dumps([session, token])
        assert tokens.find(token, HOME) is None
        users.enable(ada)
        assert tokens.find(token, HOME) is None
        assert sessions.list_sessions(ada) == []
