"""Sessions and tokens against a plain model of them: any sequence of acts and of time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from appliance import db
from appliance.accounts import pruning, sessions, tokens, users
from appliance.accounts.models import Passkey, User
from appliance.accounts.sessions import Factor
from appliance.config import Config
from appliance.errors import AccountError
from tests.accounts.conftest import HOME

EXAMPLES = int(os.environ.get("APPLIANCE_EXAMPLES", "25"))
IDLE, LONGEST, NOTED, DAY = 3600.0, 12 * 3600.0, 30.0, 86_400.0
CHOSEN = st.integers(0, 4)


@dataclass
class Known:
    """A secret that was given out, and what the model knows of it."""

    secret: str
    id: int
    began: float
    used: float
    days: float = 0.0
    factors: set[str] = field(default_factory=set)
    former: list[str] = field(default_factory=list)
    ended: bool = False


class Accounts(RuleBasedStateMachine):
    """One user with sessions and tokens; every rule does one thing to both."""

    def __init__(self) -> None:
        super().__init__()
        db.backend().now_at(0)
        for table in ("session", "token", "passkey", "role_grant", "account"):
            db.execute(f"DELETE FROM {table}")
        self.user = users.add_user("ada", roles={"blog": "editor"})
        self.other = users.add_user("root", roles={"*": "admin"})
        self.now, self.enabled, self.role, self.has_passkey = 0.0, True, "editor", False
        self.sessions: list[Known] = []
        self.tokens: list[Known] = []

    def teardown(self) -> None:
        db.backend().now_at(0)

    @rule(seconds=st.sampled_from([1.0, 31.0, 600.0, 3500.0, 4000.0, DAY]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        db.backend().now_at(self.now)

    @precondition(lambda self: self.enabled)
    @rule(factor=st.sampled_from(["password", "passkey"]))
    def start(self, factor: Factor) -> None:
        secret, row = sessions.start(self.user, HOME, factors=[factor])
        self.sessions.append(Known(secret, row.id, self.now, self.now, factors={factor}))

    @precondition(lambda self: self.sessions)
    @rule(number=CHOSEN)
    def use(self, number: int) -> None:
        one = self.sessions[-1 - number % len(self.sessions)]
        found = sessions.find(one.secret, HOME)
        assert (found is not None) == self._lives(one)
        if found is None:
            return
        if self.now - one.used > NOTED + 5:  # the clock runs on while the test does
            one.used = self.now
        pending = self._pending(one)
        assert found[0].pending == found[1].pending == pending
        assert found[0].roles == ({} if pending else {"blog": self.role})
        assert found[0].may("site.read", "blog") is not bool(pending)
        assert not found[0].knows("press")

    @precondition(lambda self: self.sessions)
    @rule(number=CHOSEN, factor=st.sampled_from([None, "totp"]))
    def renew(self, number: int, factor: Factor | None) -> None:
        one = self.sessions[-1 - number % len(self.sessions)]
        if not self._lives(one):
            with pytest.raises(AccountError, match="has ended"):
                sessions.renew(one.id, factor=factor)
        else:
            one.former.append(one.secret)
            one.secret, one.used = sessions.renew(one.id, factor=factor), self.now
            one.factors |= {factor} if factor else set()

    @precondition(lambda self: self.sessions)
    @rule(number=CHOSEN)
    def end(self, number: int) -> None:
        one = self.sessions[-1 - number % len(self.sessions)]
        if self._lives(one):
            sessions.end(one.id, user=self.user)
            one.ended = True

    @rule(number=CHOSEN)
    def end_others(self, number: int) -> None:
        kept = self.sessions[-1 - number % len(self.sessions)] if self.sessions else None
        sessions.end_all(self.user, except_=kept.id if kept else None)
        for one in self.sessions:
            one.ended = one.ended or one is not kept

    @precondition(lambda self: self.enabled)
    @rule(days=st.sampled_from([1.0, 3.0]))
    def create_token(self, days: float) -> None:
        secret, row = tokens.create(self.user, "any", days=days)
        self.tokens.append(Known(secret, row.id, self.now, self.now, days))

    @precondition(lambda self: self.tokens)
    @rule(number=CHOSEN)
    def revoke(self, number: int) -> None:
        one = self.tokens[-1 - number % len(self.tokens)]
        tokens.revoke(one.id)
        one.ended = True

    @rule(enabled=st.booleans())
    def set_enabled(self, enabled: bool) -> None:
        (users.enable if enabled else users.disable)(self.user)
        self.enabled = enabled
        for one in [*self.sessions, *self.tokens]:
            one.ended = one.ended or not enabled

    @rule(role=st.sampled_from(["viewer", "editor", "admin"]))
    def set_role(self, role: str) -> None:
        users.set_role(self.user, "blog", role)
        self.role = role

    @rule(has=st.booleans())
    def set_passkey(self, has: bool) -> None:
        Passkey.delete().execute()
        if has:
            values: dict[str, Any] = {"credential": "x", "public_key": "x", "sign_count": 0, "label": "x"}
            Passkey.insert(user=self.user.id, synced=False, created_at=0, **values).execute()
        self.has_passkey = has

    @rule()
    def prune(self) -> None:
        pruning.prune()

    @invariant()
    def agree(self) -> None:
        listed = {row.id: row.pending for row in sessions.list_sessions(self.user)}
        assert listed == {one.id: self._pending(one) for one in self.sessions if self._lives(one)}
        for former in (secret for one in self.sessions for secret in one.former):
            assert sessions.find(former) is None
        for one in self.tokens:
            found = tokens.find(one.secret, HOME)
            lives = self.enabled and not one.ended and self.now < one.began + one.days * DAY
            assert (found is not None) == lives
            if found is not None:
                assert found.roles == {"blog": self.role}

    def _lives(self, one: Known) -> bool:
        lasts = self.now < one.began + LONGEST and self.now < one.used + IDLE
        return self.enabled and not one.ended and lasts

    def _pending(self, one: Known) -> str:
        if one.factors & {"totp", "passkey"}:
            return ""
        return "second_factor" if self.has_passkey else "set_up" if self.role == "admin" else ""


def test_sessions_and_tokens_are_what_the_model_says(installation: Config) -> None:
    assert User.select().count() == 0
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    run_state_machine_as_test(
        Accounts,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=25, deadline=None, suppress_health_check=checks),
    )
