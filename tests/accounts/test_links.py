"""One-time links, mailed by a job over a real SMTP server, and news of accounts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pyotp
import pytest

from appliance import db
from appliance.accounts import links, mails, notices, passwords, pruning, sessions, sign_in, totp, users
from appliance.accounts.models import OneTimeLink, User
from appliance.config import Config, QueueSettings
from appliance.db.listener import CommitListener
from appliance.errors import AccountError, SignInRefused, WeakPassword
from appliance.queue.handlers import registry
from appliance.queue.models import Job
from appliance.queue.worker import Worker
from tests.accounts.conftest import AWAY, HOME, PASSWORD, Install, acts, add
from tests.notifications.conftest import Server

KINDS = (links.LINK, notices.NOTICE)
NEW = "another fine password"


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    found.controller.start()
    yield found
    found.controller.stop()


@pytest.fixture
def mailing(install: Install, server: Server) -> Config:
    """An installation that can send mail."""
    return install(mail=server.settings().model_dump())


@pytest.fixture
def eve(mailing: Config) -> User:
    """An author, of whose first password no news is left to be mailed."""
    user = add("eve", blog="author")
    Job.delete().execute()
    return user


def work(config: Config) -> None:
    """Run the jobs that are due and mail users."""
    kinds = [kind for kind in registry.kinds(config, slow=True) if kind.name in KINDS]
    no_wait = cast(CommitListener, SimpleNamespace(begin=lambda: None, wait=lambda _seconds: False))
    Worker("here:1", kinds, QueueSettings(), no_wait).run(once=True)


def mailed_secret(server: Server, purpose: str) -> str:
    text = server.mails[-1].get_content()
    found = re.search(rf"https://admin\.example/{purpose}/(\w+)\s", text)
    assert found, text
    return found[1]


def test_an_invitation_is_mailed_and_chooses_the_first_password(mailing: Config, server: Server) -> None:
    new = users.add_user("new", "new@example.org", "New Author", {"blog": "author"})
    links.invite(new)
    work(mailing)
    (mail,) = server.mails
    assert (mail["To"], mail["From"]) == ("new@example.org", '"admin.example" <blog@blog.example>')
    assert "New Author" in mail.get_content()
    secret = mailed_secret(server, "invitation")
    assert links.find(secret, "invitation") == new
    links.set_password(secret, "invitation", PASSWORD, HOME)
    assert sign_in.sign_in("new", PASSWORD, HOME)
    about = [act for act in acts() if act.startswith("user.")]
    assert about[:4] == ["user.add", "user.invite", "user.mail_link", "user.set_password"]


def test_a_forgotten_password_is_replaced_by_a_link(mailing: Config, server: Server, eve: User) -> None:
    session, _ = sessions.start(eve, HOME, factors=["password"])
    links.reset(" Eve@example.org", AWAY)
    work(mailing)
    secret = mailed_secret(server, "reset")
    with pytest.raises(WeakPassword):
        links.set_password(secret, "reset", "short", HOME)
    assert links.set_password(secret, "reset", NEW, HOME) == eve
    assert sessions.find(session, HOME) is None
    with pytest.raises(SignInRefused):
        sign_in.sign_in("eve", PASSWORD, HOME)
    assert sign_in.sign_in("eve", NEW, HOME)
    with pytest.raises(AccountError, match="does not work"):
        links.set_password(secret, "reset", "a third fine password", HOME)


@pytest.mark.parametrize("email", ["nobody@example.org", "gone@example.org", "", "nonsense", "\ud800@x", "a" * 10_000])
def test_an_unknown_address_gets_the_same_job_and_no_mail(
    mailing: Config, server: Server, eve: User, email: str
) -> None:
    users.disable(add("gone"))
    Job.delete().execute()
    writes: list[list[str]] = []
    for asked in ("eve@example.org", email):
        with recorded() as statements:
            links.reset(asked, AWAY)
        writes.append(statements)
    assert writes[0] == writes[1]
    assert [job.kind for job in Job.select()] == [links.LINK] * 2
    assert not any("example.org" in str(job.__data__) for job in Job.select()), "a job tells nobody's address"
    work(mailing)
    assert [mail["To"] for mail in server.mails] == ["eve@example.org"]


class recorded:  # noqa: N801 - a context manager
    """The statements that a block executes, without their values."""

    def __enter__(self) -> list[str]:
        self._execute = db.database.execute_sql
        found: list[str] = []

        def execute(sql: str, *more: Any, **named: Any) -> Any:
            found.append(re.sub(r'"s[0-9a-f]{32}"', "", sql))  # a random name of peewee's
            return self._execute(sql, *more, **named)

        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(db.database.obj, "execute_sql", execute)
        return found

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def test_the_secret_is_in_no_job_and_no_table(mailing: Config, server: Server, eve: User) -> None:
    links.reset("eve@example.org", AWAY)
    work(mailing)
    secret = mailed_secret(server, "reset")
    rows = [str(row.__data__) for model in (Job, OneTimeLink, User) for row in model.select()]
    assert not any(secret in row for row in rows)


def test_a_mail_that_is_sent_again_has_the_only_link_that_works(mailing: Config, server: Server, eve: User) -> None:
    context = cast(
        Any, SimpleNamespace(config=mailing, kind=links.LINK, key=f"reset/{links.address_digest(eve.email)}")
    )
    mails.send_link({}, context)
    first = mailed_secret(server, "reset")
    mails.send_link({}, context)
    second = mailed_secret(server, "reset")
    assert links.find(first, "reset") is None
    assert links.find(second, "reset") == eve


def test_who_asks_often_is_sent_one_mail(mailing: Config, server: Server, eve: User) -> None:
    for _ in range(4):
        links.reset("eve@example.org", AWAY)
    work(mailing)
    links.reset("eve@example.org", AWAY)
    work(mailing)
    assert len(server.mails) == 1
    with pytest.raises(SignInRefused, match="too many"):
        links.reset("eve@example.org", AWAY)


def test_a_link_works_for_its_time_its_purpose_and_once(mailing: Config, eve: User) -> None:
    secret = links.create(eve, "reset").rpartition("/")[2]
    assert links.find(secret, "invitation") is None
    with pytest.raises(AccountError):
        links.consume(secret, "invitation")
    assert links.find(secret, "reset") == eve, "a wrong purpose uses nothing up"
    db.backend().now_at(3590)
    assert links.find(secret, "reset")
    db.backend().now_at(3601)
    assert links.find(secret, "reset") is None
    assert pruning.prune()["links"] == 1
    invitation = links.create(eve, "invitation").rpartition("/")[2]
    db.backend().now_at(3601 + 7 * 86_400 - 60)
    assert links.consume(invitation, "invitation") == eve
    with pytest.raises(AccountError):
        links.consume(invitation, "invitation")


def test_links_end_with_a_new_password_and_with_the_user(mailing: Config, eve: User) -> None:
    secret = links.create(eve, "reset").rpartition("/")[2]
    passwords.set_password(eve, NEW)
    assert links.find(secret, "reset") is None
    secret = links.create(eve, "reset").rpartition("/")[2]
    users.disable(eve)
    assert links.find(secret, "reset") is None
    with pytest.raises(AccountError, match="disabled"):
        links.create(eve, "reset")


def test_a_reset_leaves_the_second_factor(mailing: Config, eve: User) -> None:
    key, _ = totp.begin(eve)
    totp.confirm(eve, pyotp.TOTP(key).at(db.now()))
    links.set_password(links.create(eve, "reset").rpartition("/")[2], "reset", NEW, HOME)
    assert sign_in.sign_in("eve", NEW, HOME).session.pending == "second_factor"


def test_what_cannot_be_mailed_is_said(install: Install) -> None:
    install()
    with pytest.raises(AccountError, match=r"\[mail\]"):
        links.invite(users.add_user("new", "new@example.org"))
    with pytest.raises(AccountError, match=r"\[mail\]"):
        links.reset("any@example.org")


def test_who_has_no_address_cannot_be_invited(mailing: Config) -> None:
    with pytest.raises(AccountError, match="no e-mail address"):
        links.invite(users.add_user("new"))


def test_users_are_told_of_changes_of_their_accounts(mailing: Config, server: Server, eve: User) -> None:
    passwords.set_password(eve, NEW)
    key, _ = totp.begin(eve)
    totp.confirm(eve, pyotp.TOTP(key).at(db.now()))
    users.edit_user(eve, email="elsewhere@example.org")
    work(mailing)
    told = {mail["To"]: mail.get_content() for mail in server.mails}
    assert len(server.mails) == 3
    assert "address was changed" in told["eve@example.org"]
    assert "app was set up" in told["elsewhere@example.org"] or "password was changed" in told["elsewhere@example.org"]
    assert User.get_by_id(eve.id).former_email == ""


def test_a_sign_in_from_a_new_network_is_told_once_there_was_another(
    mailing: Config, server: Server, eve: User
) -> None:
    for address in (HOME, HOME, AWAY, AWAY):
        sign_in.sign_in("eve", PASSWORD, address)
    work(mailing)
    assert ["network" in mail.get_content() for mail in server.mails] == [True]


def test_the_time_of_asking_is_that_of_a_known_address(mailing: Config, eve: User) -> None:
    """By processor time: the same statements, so the ratio of the medians is near one."""
    times: dict[str, list[float]] = {"eve@example.org": [], "nobody@example.org": []}
    for number in range(8):
        for email, found in times.items():
            before = time.process_time()
            db.execute("DELETE FROM sign_in_failure")
            links.reset(email, f"198.51.{number}.1")
            found.append(time.process_time() - before)
    known, unknown = (sorted(found)[len(found) // 2] for found in times.values())
    assert 0.3 < known / unknown < 3.0
