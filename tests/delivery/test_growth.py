"""What is asked of the journal all the time costs the same however long it is and however far behind a target is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance import caches, db
from appliance.config import Config, DeliverySettings, TargetSettings
from appliance.delivery import backlogs, journal, target_state
from appliance.delivery.journal import Put
from appliance.delivery.positions import Position
from appliance.delivery.send_plan import SendPlan, rebuild_nothing
from appliance.delivery.targets import Target
from tests import growth

TARGET = Target(
    TargetSettings(name="front", address="/srv/front", other_path=True), Path("/srv/www"), DeliverySettings()
)
SEVEN = "posts/7/index.html"

#: Of a target that has confirmed nothing, or something long ago.
QUERIES: dict[str, Callable[[], Any]] = {
    "origins": journal.origins,
    "newest": lambda: journal.newest("here"),
    "oldest_after": lambda: journal.oldest_after("here", 0),
    "first_since": lambda: journal.first_since("here", 0, db.now() - 3),
    "first_latest_since": lambda: journal.first_latest_since("here", 0, db.now() - 3),
    "first_latest_after": lambda: journal.first_latest_after("here", 0),
    "latest_after": lambda: journal.latest_after("here", 0, 100),
    "latest_after, up to another's turn": lambda: journal.latest_after("here", 0, 100, 1_000_000),
    "latest_through": lambda: journal.latest_through("here", 90_000, 16),
    "latest_through, some time ago": lambda: journal.latest_through("here", 15_000, 16),
    "backlogs": lambda: backlogs.read("here", [Position(), Position(7, 9000, 9100), Position(14_000)], 500),
    "state": lambda: target_state.read(TARGET),
    "send plan": lambda: SendPlan(TARGET, "here", True, rebuild_nothing).due(),
    "send plan of another host": lambda: SendPlan(TARGET, "there", True, rebuild_nothing).due(),
    "files": lambda: journal.read_files("", 100),
    "published": lambda: journal.select_published([SEVEN, "posts/7"]),
    "latest_of": lambda: journal.latest_of(SEVEN),
    "deleted_below": lambda: journal.deleted_below("posts/7"),
}


@pytest.fixture(autouse=True)
def counting_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of counting that the smaller journal reaches too."""
    monkeypatch.setattr(target_state, "MAX_COUNTED", 500)


@pytest.mark.parametrize("gathered", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("versions", [1, 10], ids=["one version a path", "ten versions a path"])
def test_no_query_costs_more_with_ten_times_as_much_unconfirmed(
    database: Config, gathered: bool, versions: int
) -> None:
    if growth.is_server(database):
        pytest.skip("steps are SQLite's")
    growth.publications(1, 10_000, 10_000 // versions)
    if gathered:
        db.execute("ANALYZE")
    before = {name: growth.steps(query) for name, query in QUERIES.items()}
    growth.publications(10_001, 100_000, 100_000 // versions)
    after = {name: growth.steps(query) for name, query in QUERIES.items()}
    assert {name: (before[name], after[name]) for name in QUERIES if after[name] > 1.5 * before[name] + 5} == {}


def test_pruning_costs_what_there_is_to_prune(database: Config) -> None:
    if growth.is_server(database):
        pytest.skip("steps are SQLite's")
    growth.publications(1, 10_000)
    before = growth.steps(lambda: journal.prune(caches.confirmed_by_all(database)))
    growth.publications(10_001, 100_000)
    assert growth.steps(lambda: journal.prune(caches.confirmed_by_all(database))) <= 1.5 * before + 5
    growth.publications(100_001, 100_010, 1)
    assert journal.prune(caches.confirmed_by_all(database)) == 9


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("versions", [1, 10], ids=["one version a path", "ten versions a path"])
def test_no_query_scans_the_journal(monkeypatch: pytest.MonkeyPatch, versions: int) -> None:
    growth.publications(1, 30_000, 30_000 // versions)
    plans = {name: growth.plans(monkeypatch, query) for name, query in QUERIES.items()}
    assert {name: some for name, some in plans.items() if any(growth.walks(one, "publication") for one in some)} == {}


def test_no_query_of_a_server_reads_superseded_rows(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are read and thrown away are those that a longer history has more of."""
    if not growth.is_server(database):
        pytest.skip("a server says what a plan read")
    growth.publications(1, 30_000, 3_000)
    read = {name: growth.rows_read(monkeypatch, query) for name, query in QUERIES.items()}
    assert {name: rows for name, rows in read.items() if rows > 2_000} == {}


def test_publishing_a_path_costs_the_same_however_often_it_was(database: Config) -> None:
    """A plan made while the journal was short reads it as a long one's should, too."""
    with db.write():
        journal.append([Put("home", 1, "d", 1)] * 20, "here")
    db.execute("ANALYZE")
    for _ in range(10):  # often enough for a server to keep its plan
        growth.undone(lambda: journal.append([Put("home", 2, "d", 1)], "here"))
    growth.publications(1001, 11_000, 1)
    if growth.is_server(database):
        growth.undone(_append_and_see_that_nothing_is_walked_through)
        return
    before = growth.steps(lambda: growth.undone(lambda: journal.append([Put("posts/0/index.html", 1, "d", 1)], "here")))
    growth.publications(11_001, 60_000, 1)
    after = growth.steps(lambda: growth.undone(lambda: journal.append([Put("posts/0/index.html", 1, "d", 1)], "here")))
    assert after <= 1.5 * before + 5


def _append_and_see_that_nothing_is_walked_through() -> None:
    read = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'publication'"
    journal.append([Put("home", 2, "d", 1)], "here")
    assert db.execute(read).fetchone() == (0,)


def test_the_first_of_recent_publications_is_found(database: Config) -> None:
    growth.publications(1, 100)
    with db.write():
        journal.append([Put(SEVEN, 4_000_000_000, "d", 1), Put("new", 1, "d", 1)], "here")
    assert journal.first_since("here", 0, db.now() - 60) == 101
    assert journal.first_since("here", 101, db.now() - 60) == 102
    assert journal.first_latest_since("here", 0, db.now() - 60) == 101
    assert journal.first_since("here", 102, db.now() - 60) is None
    assert journal.first_since("elsewhere", 0, 0) is None
    assert journal.first_latest_after("here", 0) == 1
    assert journal.first_latest_after("here", 6) == 8
