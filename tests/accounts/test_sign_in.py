"""Signing in: by password, with the same refusal for everything that is wrong."""

from __future__ import annotations

import pytest

from appliance.accounts import sessions, sign_in, users
from appliance.accounts.models import User
from appliance.errors import SignInRefused
from tests.accounts.conftest import HOME, PASSWORD


@pytest.mark.parametrize("named", ["ada", " ADA", "Ada@Example.org"])
def test_a_name_or_an_address_with_the_password_starts_a_session(ada: User, named: str) -> None:
    signed_in = sign_in.sign_in(named, PASSWORD, HOME, "Firefox")
    found = sessions.find(signed_in.secret, HOME)
    assert found is not None
    principal, row = found
    assert (principal.name, principal.roles, principal.session, principal.address) == (
        "ada", {"blog": "editor"}, row.id, HOME,
    )  # fmt: skip
    assert (row.pending, row.factors, row.agent) == ("", {"password"}, "Firefox")


@pytest.mark.parametrize("named", ["ada", "nobody", "nobody@example.org", "", "a\0da", "\ud800", "1"])
def test_every_refusal_has_the_same_words(ada: User, named: str) -> None:
    users.disable(users.add_user("gone"))
    with pytest.raises(SignInRefused, match=r"^Name and password do not belong together\.$"):
        sign_in.sign_in(named, "wrong", HOME)
