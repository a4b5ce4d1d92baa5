"""Users: added, changed, listed, and never without an admin."""

from __future__ import annotations

import pytest

from appliance import audit
from appliance.accounts import links, ownership, sessions, users
from appliance.accounts.models import User
from appliance.accounts.user_rows import UserFilter, list_users, user_row
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Site
from appliance.errors import AccountError, CursorError, EditConflict
from appliance.paging import all_rows
from tests.accounts.conftest import HOME, acts, add, race


def test_a_user_is_found_by_name_address_and_number(ada: User) -> None:
    for named in ("ada", "ADA", "ada@example.org", ada.id, str(ada.id)):
        assert users.find_user(named).id == ada.id
    for named in ("bob", "", "@", "ada@", 99, "99", "\0", "\ud800", "1" * 30):
        with pytest.raises(AccountError, match="no user"):
            users.find_user(named)


@pytest.mark.parametrize("name", ["", "a b", "ä", "-x", "x" * 65, "a@b", "12", "a\n"])
def test_a_name_is_one_word(installation: Config, name: str) -> None:
    if name == "a\n":
        assert users.add_user(name).name == "a"
        return
    with pytest.raises(AccountError, match="cannot be a user's name"):
        users.add_user(name)


@pytest.mark.parametrize("email", ["ada", "a@b@c", "a b@c.de", "a@b.de\nBcc: x@y.de"])
def test_an_address_is_one(installation: Config, email: str) -> None:
    with pytest.raises(AccountError, match="not a mail address"):
        users.add_user("bob", email)


def test_names_and_addresses_are_one_user_s(ada: User) -> None:
    with pytest.raises(AccountError, match="already"):
        users.add_user("Ada")
    with pytest.raises(AccountError, match="Another user"):
        users.add_user("bob", "ADA@example.org")
    bob = users.add_user("bob")
    with pytest.raises(AccountError, match="Another user"):
        users.edit_user(bob, email="ada@example.org")
    users.add_user("eve")  # two without an address


def test_of_two_who_add_a_user_at_once_one_is_told(installation: Config) -> None:
    found = race(installation, lambda _: users.add_user("bob", "bob@example.org").name)
    assert sorted(found) == ["AccountError", "bob"]


@pytest.mark.parametrize(("site", "role"), [("blog", "owner"), ("other", "editor"), ("", "editor"), ("*", "")])
def test_roles_and_sites_are_known(ada: User, site: str, role: str) -> None:
    with pytest.raises(AccountError, match="There is no"):
        users.set_role(ada, site, role)
    with pytest.raises(AccountError, match="There is no"):
        users.add_user("bob", roles={site: role})
    assert users.look_up("bob") is None


def test_roles_are_given_changed_and_taken(ada: User) -> None:
    users.set_role(ada, "blog", "author")
    users.set_role(ada, "*", "viewer")
    users.set_role(ada, "*", "viewer")
    assert sessions.roles_of(ada.id) == {"*": "viewer", "blog": "author"}
    users.set_role(ada, "blog", None)
    assert user_row(ada).roles == {"*": "viewer"}
    rows = audit.list_audit(AuditFilter(action="user.set_role"), after=None, size=9).rows
    assert [(row.before, row.after) for row in rows][::-1] == [
        ({"blog": "editor"}, {"blog": "author"}),
        ({"*": None}, {"*": "viewer"}),
        ({"blog": "author"}, {"blog": None}),
    ]


def test_the_last_admin_stays(ada: User) -> None:
    eve = add("eve", **{"*": "admin"})
    users.set_role(ada, "blog", "admin")
    for act in (
        lambda: users.disable(eve),
        lambda: users.set_role(eve, "*", None),
        lambda: users.set_role(eve, "*", "editor"),
    ):
        with pytest.raises(AccountError, match="last admin"):
            act()
    users.set_role(ada, "*", "admin")
    users.disable(eve)
    with pytest.raises(AccountError, match="last admin"):
        users.disable(ada)
    users.set_role(eve, "*", None)


def test_who_was_only_invited_is_no_other_admin(ada: User) -> None:
    """Who could then let anybody in?"""
    eve = add("eve", **{"*": "admin"})
    User.update(password="a hash").where(User.id == eve.id).execute()
    users.set_role(ada, "*", "admin")
    User.update(password="").where(User.id == ada.id).execute()
    with pytest.raises(AccountError, match="last admin"):
        users.disable(eve)
    users.disable(ada)


def test_two_admins_who_disable_each_other_at_once_leave_one(installation: Config) -> None:
    both = [add("eve", **{"*": "admin"}), add("joe", **{"*": "admin"})]

    def act(number: int) -> str:
        users.disable(both[number]) if number else users.set_role(both[number], "*", None)
        return "done"

    assert sorted(race(installation, act)) == ["AccountError", "done"]
    assert len(list_users(UserFilter(role="admin", enabled=True)).rows) == 1


def test_an_edit_changes_what_is_given(ada: User) -> None:
    link = links.create(ada, "invitation").rpartition("/")[2]
    edited = users.edit_user(ada, display=" Ada  King\n")
    assert (edited.display, edited.email) == ("Ada King", "ada@example.org")
    assert links.find(link, "invitation")
    edited = users.edit_user(ada, email="Ada@king.example")
    assert (edited.display, edited.email) == ("Ada King", "ada@king.example")
    assert links.find(link, "invitation") is None, "it may lie in the mailbox of the old address"
    assert users.edit_user(ada, email="").email == ""
    (row, *_) = audit.list_audit(AuditFilter(action="user.edit"), after=None, size=9).rows
    assert row.before == {"email": "a…@king.example"}


def test_an_edit_of_an_outdated_user_is_refused(ada: User) -> None:
    version = user_row(ada).version
    users.edit_user(ada, display="One", expected_version=version)
    with pytest.raises(EditConflict):
        users.edit_user(ada, display="Two", expected_version=version)
    version = user_row(ada).version
    users.set_role(ada, "press", "viewer")
    assert user_row(ada).version != version
    assert user_row(ada).display == "One"


def test_lists_are_paged_and_filtered(ada: User) -> None:
    names = [f"user{number:02}" for number in range(12)]
    for name in names:
        users.add_user(name, roles={"press": "viewer"})
    users.disable(users.find_user("user03"))
    rows = list(all_rows(lambda after: list_users(size=5, after=after)))
    assert [row.name for row in rows] == ["ada", *names]
    total = list_users(size=1).total
    assert total is not None
    assert total.number == 13
    assert [row.name for row in list_users(UserFilter(text="LOVELACE")).rows] == []
    assert [row.name for row in list_users(UserFilter(text="EXAMPLE.org")).rows] == ["ada"]
    assert [row.name for row in list_users(UserFilter(site="blog")).rows] == ["ada"]
    assert len(list_users(UserFilter(site="press", role="viewer")).rows) == 12
    assert [row.name for row in list_users(UserFilter(enabled=False)).rows] == ["user03"]
    with pytest.raises(CursorError):
        list_users(after="nonsense")


def test_a_row_tells_what_an_admin_has_to_know(ada: User) -> None:
    row = user_row(ada)
    assert (row.name, row.has_password, row.has_totp, row.passkeys) == ("ada", True, False, 0)
    assert (row.seen_at, row.disabled_at) == (None, None)
    assert row.password_at is not None
    sessions.start(ada, HOME, factors=["password"])
    assert user_row(ada).seen_at is not None
    users.disable(ada)
    assert user_row(ada).disabled_at is not None


def test_an_entry_is_owned_by_one_user_and_ends_with_it(ada: User) -> None:
    bob = add("bob")
    site = Site.get(Site.name == "blog")
    entry, _ = entries.save(site, EntryData(title="One", slug="one", published_at=0))
    assert ownership.owner_of(entry.id) is None
    assert not ownership.owns(ada.id, entry.id)
    ownership.own(entry.id, ada.id)
    assert ownership.owns(ada.id, entry.id)
    ownership.own(entry.id, bob.id)
    assert not ownership.owns(ada.id, entry.id)
    assert ownership.owner_of(entry.id) == bob.id
    entries.delete(entry)
    assert ownership.owner_of(entry.id) is None


def test_the_audit_has_a_row_for_each_act(ada: User) -> None:
    before = len(acts())
    users.disable(ada)
    users.disable(ada)
    users.enable(ada)
    users.enable(ada)
    users.edit_user(ada, display="Ada")
    assert acts()[before:] == ["user.disable", "user.enable"], "nothing changed by the others"
