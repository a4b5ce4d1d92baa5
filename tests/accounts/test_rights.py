"""The table of rights, and what a principal may do by it."""

from __future__ import annotations

import pytest

from appliance import actor
from appliance.accounts.principal import Principal
from appliance.accounts.rights import ACTIONS, ALL_SITES, ROLES, Role, is_allowed
from appliance.actor import Actor


def principal(role: Role, site: str = "blog", **fields: object) -> Principal:
    return Principal(1, "ada", {site: role}, **fields)  # type: ignore[arg-type]


def test_each_role_may_do_what_the_one_before_may_read() -> None:
    for action in ACTIONS.values():
        if action.scope == "site" and not action.changes and action.name not in ("audit.read", "comment.read_sender"):
            assert action.roles == set(ROLES), action.name


def test_a_viewer_changes_nothing() -> None:
    assert not [
        one.name for one in ACTIONS.values() if one.changes and is_allowed("viewer", one) and one.scope != "self"
    ]


def test_an_admin_may_take_every_action_on_all_sites() -> None:
    admin = principal("admin", ALL_SITES)
    assert [one for one in ACTIONS if not admin.may(one, "blog")] == []


def test_a_site_without_a_role_does_not_exist() -> None:
    editor = principal("editor")
    assert editor.knows("blog")
    assert not editor.knows("press")
    assert not any(editor.may_somehow(name, "press") for name, one in ACTIONS.items() if one.scope == "site")


def test_a_role_on_one_site_is_none_on_the_installation() -> None:
    admin = principal("admin")
    assert not any(admin.may(name) for name, one in ACTIONS.items() if one.scope == "installation")


def test_an_author_edits_entries_of_their_own_only() -> None:
    author = principal("author")
    assert author.may("entry.edit", "blog", owns=True)
    assert not author.may("entry.edit", "blog")
    assert author.may_somehow("entry.edit", "blog")
    assert not author.may_somehow("entry.html", "blog")


def test_scopes_of_a_token_only_take_rights_away() -> None:
    token = principal("viewer", scopes=frozenset({"entry.read", "entry.edit"}))
    assert token.may("entry.read", "blog")
    assert not token.may("entry.edit", "blog")
    assert not token.may("comment.read", "blog")
    assert not token.may("account.read")


def test_a_token_of_one_site_has_no_say_elsewhere_nor_about_the_whole() -> None:
    token = principal("admin", ALL_SITES, sites=frozenset({"blog"}))
    assert token.may("job.delete", "blog")
    assert not token.may("job.delete", "press")
    assert not token.may("target.act")


def test_an_action_that_is_not_in_the_table_is_a_fault_of_the_code() -> None:
    with pytest.raises(KeyError):
        principal("admin", ALL_SITES).may("entry.frobnicate", "blog")


def test_who_acts_is_known_to_all_that_is_called() -> None:
    assert actor.current() == actor.UNKNOWN
    with actor.acting(principal("editor", via="api", token="nightly", address="192.0.2.7").actor()):
        assert actor.current() == Actor("ada", "api", "192.0.2.7", token="nightly")
    assert actor.current() == actor.UNKNOWN
