"""Sessions: they end by time, by hand, and with their user."""

from __future__ import annotations

import hashlib

import pytest

from appliance import db, housekeeping
from appliance.accounts import passwords, pruning, sessions, tokens, users
from appliance.accounts.models import Session, User
from appliance.config import Config
from appliance.errors import AccountError
from tests.accounts.conftest import AWAY, HOME, acts, add

MINUTE, HOUR = 60.0, 3600.0


def start(user: User, **more: str) -> tuple[str, int]:
    secret, row = sessions.start(user, HOME, more.get("agent", ""), factors=["password"])
    return secret, row.id


def test_only_a_digest_of_the_secret_is_kept(ada: User) -> None:
    secret, number = start(ada)
    row = Session.get_by_id(number)
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row.__data__)
    assert len({start(ada)[0] for _ in range(50)}) == 50


@pytest.mark.parametrize("secret", ["", "x" * 43, "\ud800", "ä", "\0"])
def test_another_secret_finds_nothing(ada: User, secret: str) -> None:
    start(ada)
    assert sessions.find(secret, HOME) is None


def test_a_session_without_requests_ends(ada: User) -> None:
    secret, _ = start(ada)
    db.backend().now_at(59 * MINUTE)
    assert sessions.find(secret, HOME)
    db.backend().now_at(118 * MINUTE)
    assert sessions.find(secret, HOME), "the last request counts"
    db.backend().now_at(179 * MINUTE)
    assert sessions.find(secret, HOME) is None


def test_a_session_ends_in_any_case(ada: User) -> None:
    secret, _ = start(ada)
    for half_hours in range(1, 24):
        db.backend().now_at(half_hours * HOUR / 2)
        assert sessions.find(secret, HOME)
    db.backend().now_at(12 * HOUR + 1)
    assert sessions.find(secret, HOME) is None


def test_a_session_from_the_future_does_not_live_on(ada: User) -> None:
    db.backend().now_at(7 * 24 * HOUR)
    secret, _ = start(ada)
    db.backend().now_at(0)
    assert sessions.find(secret, HOME) is None


def test_a_new_secret_does_not_make_a_session_last_longer(ada: User) -> None:
    _, number = start(ada)
    db.backend().now_at(50 * MINUTE)
    secret = sessions.renew(number)
    before = sessions.find(secret, HOME)
    assert before is not None
    assert before[1].ends_at - before[1].created_at == 12 * HOUR
    assert before[1].used_at - before[1].created_at > 49 * MINUTE


def test_the_last_use_is_noted_twice_a_minute_at_most(ada: User) -> None:
    secret, number = start(ada)
    first = Session.get_by_id(number).used_at
    sessions.find(secret, AWAY)
    assert Session.get_by_id(number).used_at == first
    db.backend().now_at(31)
    sessions.find(secret, AWAY)
    row = Session.get_by_id(number)
    assert (row.used_at > first, row.address) == (True, AWAY)


def test_sessions_are_listed_and_ended_one_by_one(ada: User) -> None:
    bob = add("bob")
    one, two = start(ada, agent="one"), start(ada, agent="two")
    other = start(bob)
    assert [row.agent for row in sessions.list_sessions(ada)] == ["two", "one"]
    with pytest.raises(AccountError):
        sessions.end(other[1], user=ada)
    sessions.end(one[1], user=ada)
    sessions.end(one[1], user=ada)
    assert sessions.find(one[0], HOME) is None
    assert [row.id for row in sessions.list_sessions(ada)] == [two[1]]
    assert sessions.find(other[0], HOME)
    assert acts().count("user.sign_out") == 1


def test_a_new_password_ends_all_other_sessions(ada: User) -> None:
    (kept, number), (other, _) = start(ada), start(ada)
    passwords.set_password(ada, "another fine password", keep=number)
    assert sessions.find(kept, HOME)
    assert sessions.find(other, HOME) is None


def test_a_disabled_user_has_nothing_left_at_once(ada: User) -> None:
    secret, _ = start(ada)
    token, _ = tokens.create(ada, "a program")
    users.disable(ada)
    assert sessions.find(secret, HOME) is None
    assert tokens.find(token, HOME) is None
    with pytest.raises(AccountError, match="disabled"):
        start(ada)
    with pytest.raises(AccountError, match="disabled"):
        tokens.create(ada, "another")
    users.enable(ada)
    assert sessions.find(secret, HOME) is None
    assert tokens.find(token, HOME) is None
    assert acts().count("user.disable") == 1


def test_a_session_has_the_roles_of_the_moment(ada: User) -> None:
    secret, _ = start(ada)
    users.set_role(ada, "press", "viewer")
    users.set_role(ada, "blog", None)
    found = sessions.find(secret, HOME)
    assert found is not None
    assert found[0].roles == {"press": "viewer"}
    users.set_role(ada, "*", "admin")
    found = sessions.find(secret, HOME)
    assert found is not None
    assert (found[0].pending, found[0].roles) == ("set_up", {}), "the new role needs a second factor"


def test_what_has_ended_is_pruned(ada: User, installation: Config) -> None:
    start(ada)
    db.backend().now_at(2 * HOUR)
    living, _ = start(ada)
    assert pruning.prune()["sessions"] == 1
    assert sessions.find(living, HOME)


def test_housekeeping_prunes_where_there_is_an_admin_application(ada: User, installation: Config) -> None:
    start(ada)
    db.backend().now_at(13 * HOUR)
    (task,) = [task for task in housekeeping.periodic_tasks(installation) if task.name == "accounts"]
    assert task.run() == "1 sessions removed"
    quiet = installation.model_copy(update={"admin": installation.admin.model_copy(update={"url": ""})})
    assert "accounts" not in {task.name for task in housekeeping.periodic_tasks(quiet)}
