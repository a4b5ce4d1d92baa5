"""Where a page is: told by journal and cursors, alike on both databases, and never more than is known."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.config import Config, TargetSettings
from appliance.config.targets import PublishingHost
from appliance.delivery import cursors, journal, target_state
from appliance.delivery.journal import Delete, Put
from appliance.delivery.targets import Target, all_targets, front_ends
from appliance.delivery.whereabouts import Place, Whereabouts, whereabouts
from tests.statements import count_statements

PAGE = "2026/11/first/index.html"


@pytest.fixture
def installation(database: Config) -> Config:
    return with_targets(database, 2)


def with_targets(config: Config, count: int) -> Config:
    names = [f"www{number}" for number in range(1, count + 1)]
    targets = [TargetSettings(name=name, address=f"publish@{name}:/srv/www", other_path=True) for name in names]
    return config.model_copy(update={"targets": targets, "host": "pub1"})


def publish(path: str, version: int, origin: str = "pub1") -> int:
    with db.write():
        journal.append([Put(path, version, f"{version:064x}", version)], origin)
    return journal.newest(origin)


def delete(path: str, version: int, origin: str = "pub1") -> int:
    with db.write():
        journal.append([Delete(path, version)], origin)
    return journal.newest(origin)


def target(config: Config, name: str) -> Target:
    return next(one for one in all_targets(config) if one.name == name)


def place(found: Whereabouts, name: str) -> Place:
    return next(one for one in (*found.hosts, *found.front_ends) if one.name == name)


def test_a_path_that_nobody_published_is_nowhere(installation: Config) -> None:
    publish("other/index.html", 7)
    found = whereabouts(installation, PAGE)
    assert (found.latest, found.hosts, found.front_ends) == (None, [], [])


def test_a_front_end_shows_what_it_has_confirmed_and_no_more(installation: Config) -> None:
    www1, www2 = front_ends(installation)
    first = publish(PAGE, 100)
    cursors.confirm(www1, "pub1", first)
    cursors.confirm(www2, "pub1", first)
    second = publish(PAGE, 200)
    cursors.confirm(www2, "pub1", second)
    found = whereabouts(installation, PAGE)
    assert found.latest is not None
    assert (found.latest.version, found.latest.size, found.latest.origin) == (200, 200, "pub1")
    states = {name: (place(found, name).state, place(found, name).shown) for name in ("pub1", "www1", "www2")}
    earlier = states["www1"][1]
    assert earlier is not None
    assert earlier.version == 100
    assert states == {
        "pub1": ("current", found.latest),
        "www1": ("behind", earlier),
        "www2": ("current", found.latest),
    }
    assert not found.is_everywhere
    cursors.confirm(www1, "pub1", second)
    assert whereabouts(installation, PAGE).is_everywhere


def test_the_time_of_a_confirmation_is_that_of_the_cursor(installation: Config) -> None:
    www1, _ = front_ends(installation)
    before = db.now()
    cursors.confirm(www1, "pub1", publish(PAGE, 100))
    found = whereabouts(installation, PAGE)
    confirmed = place(found, "www1").confirmed_at
    assert confirmed is not None
    assert before <= confirmed <= db.now()
    assert place(found, "www2").confirmed_at is None
    assert found.latest is not None
    assert place(found, "pub1").confirmed_at == found.latest.at


def test_what_the_journal_no_longer_has_is_not_guessed(installation: Config) -> None:
    chosen = front_ends(installation)
    first = publish(PAGE, 100)
    for one in chosen:
        cursors.confirm(one, "pub1", first)
    publish(PAGE, 200)
    assert journal.prune({"pub1": cursors.confirmed_by_all(chosen)["pub1"].through}) == 1
    found = place(whereabouts(installation, PAGE), "www1")
    assert (found.state, found.shown, found.confirmed_at) == ("behind", None, None)


def test_a_deleted_page_is_gone_from_where_that_is_confirmed(installation: Config) -> None:
    www1, www2 = front_ends(installation)
    first = publish(PAGE, 100)
    cursors.confirm(www1, "pub1", first)
    cursors.confirm(www2, "pub1", delete(PAGE, 200))
    found = whereabouts(installation, PAGE)
    assert [place(found, name).state for name in ("pub1", "www1", "www2")] == ["gone", "behind", "gone"]
    shown = place(found, "www1").shown
    assert shown is not None
    assert (shown.version, shown.is_deletion) == (100, False)


def test_a_target_that_moved_has_confirmed_nothing_at_its_new_address(installation: Config) -> None:
    cursors.confirm(front_ends(installation)[0], "pub1", publish(PAGE, 100))
    assert place(whereabouts(installation, PAGE), "www1").state == "current"
    moved = TargetSettings(name="www1", address="publish@elsewhere:/srv/www", other_path=True)
    found = whereabouts(installation.model_copy(update={"targets": [moved]}), PAGE)
    assert place(found, "www1").state == "behind"


def test_a_pause_and_the_last_error_come_with_the_place(installation: Config) -> None:
    publish(PAGE, 100)
    target_state.pause("www1")
    cursors.record_failure(front_ends(installation)[1], "pub1", "it does not answer")
    found = whereabouts(installation, PAGE)
    assert [(one.paused, one.error) for one in found.front_ends] == [(True, None), (False, "it does not answer")]


def test_each_publishing_host_has_a_docroot_of_its_own(installation: Config) -> None:
    hosts = [
        *(PublishingHost(name=name, address=f"publish@{name}:/srv/www", other_path=True) for name in ("pub1", "pub2")),
        PublishingHost(name="pub3"),
    ]
    config = installation.model_copy(update={"publishing_hosts": hosts})
    first = publish(PAGE, 100, origin="pub2")
    found = whereabouts(config, PAGE)
    assert [(one.name, one.target, one.state) for one in found.hosts] == [
        ("pub1", "host:pub1", "behind"),
        ("pub2", "host:pub2", "current"),
        ("pub3", "", "unknown"),
    ]
    cursors.confirm(target(config, "host:pub1"), "pub2", first)
    publish(PAGE, 200, origin="pub1")
    found = whereabouts(config, PAGE)
    assert [one.state for one in found.hosts] == ["current", "behind", "unknown"]
    # What pub1 confirmed of pub2 says nothing about its own publications, nor the other way round.
    shown = place(found, "pub2").shown
    assert shown is None or shown.version == 100


def test_a_shared_docroot_is_one_place(installation: Config) -> None:
    config = installation.model_copy(update={"shared": "sites", "targets": []})
    publish(PAGE, 100)
    found = whereabouts(config, PAGE)
    assert [(one.name, one.state) for one in found.hosts] == [("sites", "current")]
    assert found.front_ends == []


def test_the_number_of_queries_does_not_grow_with_the_targets(database: Config) -> None:
    counts = []
    for count in (1, 32):
        config = with_targets(database, count)
        for one in front_ends(config):
            cursors.confirm(one, "pub1", publish(PAGE, 100 + count))
        counts.append(count_statements(lambda config=config: whereabouts(config, PAGE)))  # type: ignore[misc]
    assert counts[0] == counts[1] <= 6
