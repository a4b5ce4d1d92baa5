"""The first page as a client without scripts sees it, on each database: for whom it shows what, and what it costs."""

from __future__ import annotations

import itertools
import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance import db
from appliance.accounts import passwords, users
from appliance.config import Config
from appliance.delivery import cursors, journal
from appliance.delivery.journal import Put
from appliance.delivery.targets import front_ends
from appliance.history import disks, measuring
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.processes import RegisteredProcess
from appliance.queue.store import FailureDetails
from appliance.web.admin.app import create_app
from tests.history.installation import with_targets
from tests.statements import statements
from tests.web.test_admin_pages import (  # noqa: F401 - fixtures
    PASSWORD,
    URL,
    Visitor,
    app,
    config,
    person,
    quick_hashes,
)

REGIONS = ("now", "charts", "targets", "failures", "processes", "schedule")
#: Statements of the page, those of signing in included, and of a poll while what it shows is kept.
MOST, MOST_KEPT = 50, 8


def ask(site: str, *paths: str) -> None:
    enqueue("publish", [JobRequest(path, scope=site) for path in paths], ageing=60.0, reason="edited")


def fail(site: str, path: str, message: str) -> None:
    ask(site, path)
    (claim,) = store.claim("pub1:1", ["publish"], 1, 30.0, keys=[path])
    store.fail(claim, FailureDetails("TemplateFailure", message, ""), retry_after=None)


def region(visitor: Visitor, name: str, tag: str = "") -> TestResponse:
    headers = {"HX-Region": name, **({"If-None-Match": tag} if tag else {})}
    return visitor.client.get("/", base_url=URL, headers=headers)


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def viewer(app: Flask, name: str = "vera", **roles: str) -> Visitor:  # noqa: F811
    """Return somebody who has signed in; without roles, one who may see everything."""
    person(name, **(roles or {"*": "viewer"}))
    visitor = Visitor(app)
    visitor.sign_in(name)
    return visitor


@pytest.fixture
def busy(config: Config) -> Config:  # noqa: F811
    """An installation with two front ends, where something was published, something waits and something failed."""
    made = with_targets(config, "www1", "www2")
    RegisteredProcess("worker", "pub1").register()
    db.backend().now_at(-130.0)
    ask("blog", "blog/a.html")
    for claim in store.claim("pub1:1", ["publish"], 1, 30.0):
        with db.write():
            journal.append([Put("blog/a.html", 1_700_000_000, "00", 5)], "pub1", [claim.id])
            store.complete({claim: "changed"})
    for target in front_ends(made):
        cursors.confirm(target, "pub1", journal.newest("pub1"))
    measuring.measure(made)
    db.backend().now_at(0.0)
    measuring.measure(made)
    disks.look(made)
    fail("blog", "blog/b.html", "archive.html, line 41: no readingtime")
    fail("news", "news/b.html", "the picture is broken")
    ask("news", "news/c.html", "news/d.html")
    return made


def test_it_tells_whether_all_is_well_and_all_the_numbers(busy: Config) -> None:
    page = viewer(create_app(busy)).get("/").text
    shown = text(page)
    assert "2 jobs failed for 2 reasons" in shown
    assert 'href="/failures">Failures' in page
    assert re.search(r"waiting 2 oldest \d+", shown)
    assert "failed 2 2 reasons" in shown
    assert "done in the last hour 1 0 % of files unchanged" in shown
    assert re.search(r"change → everywhere \d+ ms", shown)
    assert "archive.html, line 41: no readingtime" in shown and "the picture is broken" in shown
    assert re.search(r"www1 level 0 s 0 .* ago", shown)
    assert re.search(r"pub1 worker 0 \d", shown)
    assert "Next on the schedule" in shown and re.search(r"Task Next Last (\S+ )?\S+ due never", shown)
    assert "GiB" in shown or "MiB" in shown
    assert page.count('data-chart="') == 4
    assert "Your sites" in shown and "viewer on all sites" in shown


def test_a_quiet_installation_says_so(app: Flask) -> None:  # noqa: F811
    shown = text(viewer(app).get("/").text)
    assert "No job waits." in shown
    assert "There is no front end." in shown and "No process runs." in shown and "No job is failed." in shown
    assert "change → published – nothing in the last hour" in shown


def test_somebody_with_one_site_sees_that_site_alone(busy: Config) -> None:
    page = viewer(create_app(busy), "ines", blog="author").get("/").text
    shown = text(page)
    assert "1 job failed for 1 reason" in shown
    assert "no readingtime" in shown and "picture" not in shown
    assert re.search(r"waiting 0 nothing to do", shown)
    assert "done in the last hour 1" in shown
    for word in ("www1", "pub1", "schedule", "GiB", "News", "news"):
        assert word not in shown
    for name in ("targets", "processes", "schedule"):
        assert f'id="{name}"' not in page


@pytest.mark.parametrize("name", ["targets", "processes", "schedule"])
def test_somebody_with_one_site_gets_no_region_of_the_installation(busy: Config, name: str) -> None:
    shown = region(viewer(create_app(busy), "ines", blog="author"), name).text
    assert not re.search("www1|pub1|rescue", shown)


def test_somebody_without_a_role_is_told_so_and_nothing_else(app: Flask) -> None:  # noqa: F811
    users.add_user("nobody", "nobody@example.org")
    passwords.set_password(users.find_user("nobody"), PASSWORD)
    visitor = Visitor(app)
    visitor.sign_in("nobody")
    page = visitor.get("/").text
    assert "You have no role on any site yet." in page
    assert "data-live" not in page and "tiles" not in page


def test_each_region_is_answered_alone_and_its_tag_says_that_nothing_changed(busy: Config) -> None:
    visitor = viewer(create_app(busy))
    page = visitor.get("/").text
    for name in REGIONS:
        assert f'id="{name}" data-live' in page
        answer = region(visitor, name)
        assert answer.status_code == 200 and "<html" not in answer.text
    answer = region(visitor, "failures")
    assert region(visitor, "failures", answer.headers["ETag"]).status_code == 304


def test_the_page_costs_a_fixed_number_of_statements(busy: Config) -> None:
    def cost() -> int:
        number = next(numbers)
        visitor = viewer(create_app(busy), f"vera{number}")
        with statements() as sent:
            assert visitor.get("/").status_code == 200
        return len(sent)

    numbers = itertools.count()
    first = cost()
    for number in range(30):
        fail("blog", f"blog/x{number}.html", f"{'abcdefghij'[number % 10]}.html, line 7: broken")
        ask("news", f"news/y{number}.html")
        RegisteredProcess("worker", f"pub{number}", pid=number + 1).register()
    assert cost() <= first + 1
    assert first <= MOST


def test_those_who_see_the_same_have_it_read_once(busy: Config) -> None:
    made = create_app(busy)
    one, two = viewer(made, "one"), viewer(made, "two")
    one.get("/")
    for visitor in (one, two):
        for name in REGIONS:
            with statements() as sent:
                region(visitor, name)
            assert len(sent) <= MOST_KEPT, (name, sent)
    other = viewer(made, "ines", blog="author")
    assert "picture" not in other.get("/").text


def test_without_scripts_everything_is_there(busy: Config) -> None:
    """The tables beneath the charts hold all numbers."""
    page = viewer(create_app(busy)).get("/").text
    assert re.search(
        r'<th scope="row" data-at="\d+"><time datetime="[^"]+">[^<]+</time></th><td class="n" data-n="1">1<', page
    )
    assert re.search(r'data-n="0\.\d+">\d+ ms<', page)
