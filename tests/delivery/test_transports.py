"""What every transport promises (`transports.base`): the same tests for each way to reach a target."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from appliance.delivery.journal import Delete
from appliance.delivery.transports.base import Transport
from appliance.delivery.transports.factory import TransportFactory
from appliance.demo.frontend import FrontEnd
from appliance.errors import DeliveryError, TargetPaused

from .conftest import Publisher, tree

FrontEnds = Callable[..., list[FrontEnd]]


@pytest.fixture(params=["local", "ssh"])
def transport(request: pytest.FixtureRequest, publisher: Publisher, front_ends: FrontEnds) -> Iterator[Transport]:
    if request.param == "local":
        target = publisher.local("copy")
    else:
        front_ends(1)
        (target,) = publisher.targets
    with TransportFactory() as transports:
        yield transports.open(target)


def test_push_sends_and_removes_and_says_how_much(publisher: Publisher, transport: Transport) -> None:
    result = transport.push([publisher.put("a/b.html", "b"), publisher.put("c.html", "c")])
    assert (result.files, result.deleted, result.vanished, result.kept) == (2, 0, (), ())
    assert result.bytes > 0 and result.seconds > 0
    assert tree(transport.target.folder) == tree(publisher.docroot)
    publisher.delete("a/b.html")
    result = transport.push([Delete("a/b.html", publisher.version)])
    assert (result.files, result.deleted) == (0, 2)  # the folder that it leaves empty as well
    assert tree(transport.target.folder) == tree(publisher.docroot)


def test_push_names_what_has_left_the_docroot(publisher: Publisher, transport: Transport) -> None:
    changes = [publisher.put("a.html", "a"), publisher.put("b.html", "b")]
    (publisher.docroot / "a.html").unlink()
    result = transport.push(changes)
    assert (result.files, result.vanished) == (1, ("a.html",))


def test_push_replaces_a_newer_file_only_when_told(publisher: Publisher, transport: Transport) -> None:
    change = publisher.put("a.html", "ours")
    transport.push([change])
    there = transport.target.folder / "a.html"
    there.write_text("newer")
    os.utime(there, (change.version + 1, change.version + 1))
    transport.push([change])
    assert there.read_text() == "newer"
    transport.push([change], older=True)
    assert there.read_text() == "ours"


def test_warm_refuses_a_docroot_that_is_not_there(publisher: Publisher, transport: Transport) -> None:
    transport.warm()
    publisher.docroot.rmdir()
    with pytest.raises(DeliveryError, match="is not a folder"):
        transport.warm()


def test_differing_compares_by_content_and_changes_nothing(publisher: Publisher, transport: Transport) -> None:
    same, other, missing, newer = (
        publisher.put(f"{name}.html", name) for name in ("same", "other", "missing", "newer")
    )
    publisher.put("deleted.html", "deleted")
    transport.push([same, other, missing, newer])
    folder = transport.target.folder
    (folder / "other.html").write_text("rehto")
    os.utime(folder / "other.html", (other.version, other.version))
    (folder / "missing.html").unlink()
    os.utime(folder / "newer.html", (newer.version + 9, newer.version + 9))
    publisher.delete("deleted.html")
    (folder / "deleted.html").write_text("still there")
    deletion = Delete("deleted.html", publisher.version)
    before = tree(folder)
    changes = [same, other, missing, newer, deletion]
    assert transport.differing(changes) == [other, missing, deletion]
    assert transport.differing(changes, newer=True) == [other, missing, newer, deletion]
    assert transport.differing([]) == []
    assert tree(folder) == before


def test_extras_are_listed_and_cleared(publisher: Publisher, transport: Transport) -> None:
    transport.push([publisher.put("a.html", "a")])
    folder = transport.target.folder
    (folder / "theirs").mkdir()
    for name in ("theirs/b.html", "c.html", "kept.txt"):
        (folder / name).write_text("x")
    extras = transport.extras(["*.txt"])
    assert sorted(extras) == ["c.html", "theirs/", "theirs/b.html"]
    publisher.put("c.html", "published meanwhile")
    assert transport.clear(extras) == 2
    assert set(tree(folder)) == {"a.html", "c.html", "kept.txt"}


def test_sweep_removes_what_an_interrupted_push_left(publisher: Publisher, transport: Transport) -> None:
    transport.push([publisher.put("blog/a.html", "a")])
    folder = transport.target.folder
    (folder / "blog" / ".~tmp~").mkdir()
    for name in ("blog/.~tmp~/a.html", "blog/.a.html.AbC123", "blog/theirs.html"):
        (folder / name).write_text("half of")
    leftovers = {
        name: paths for name, paths in transport.leftovers(transport.extras([])).items() if "theirs" not in name
    }
    assert leftovers == {
        "blog/.~tmp~/": [],
        "blog/.~tmp~/a.html": ["blog/a.html"],
        "blog/.a.html.AbC123": ["blog/a.html", "blog/.a.html"],
    }
    assert transport.leftovers(["blog/theirs.html"]) == {}
    assert transport.sweep(["blog/a.html"]) == 3
    assert set(tree(folder)) == {"blog", "blog/a.html", "blog/theirs.html"}
    assert transport.sweep([]) == 0


def test_stop_refuses_every_later_operation(publisher: Publisher, transport: Transport) -> None:
    change = publisher.put("a.html", "a")
    thread = threading.Thread(target=transport.stop)
    thread.start()
    thread.join()
    for operation in (lambda: transport.push([change]), lambda: transport.differing([change])):
        with pytest.raises(DeliveryError, match="stopped"):
            operation()


def test_a_closed_transport_connects_again(publisher: Publisher, transport: Transport) -> None:
    transport.push([publisher.put("a.html", "a")])
    transport.close()
    transport.push([publisher.put("b.html", "b")])
    assert set(tree(transport.target.folder)) == {"a.html", "b.html"}


def test_a_permit_that_is_withdrawn_ends_a_push(publisher: Publisher) -> None:
    refusal = TargetPaused("paused")
    with TransportFactory() as transports:
        transport = transports.open(publisher.local("copy"), lambda: refusal)
        with pytest.raises(TargetPaused):
            transport.push([publisher.put("a.html", "a")])
    assert not transport.target.folder.exists()
