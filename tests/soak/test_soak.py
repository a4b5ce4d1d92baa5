"""What a fault run looks with sees what it has to see. The run itself is in tests/acceptance."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.demo.frontend import HOST, free_port
from tests.soak import fault_schedule
from tests.soak.link import Links, can_forget
from tests.soak.load import Removals
from tests.soak.readers import Readers

PATH = "page-7/index.html"


class Front(SimpleNamespace):
    """A docroot, and what a reader says of it."""

    def show(
        self, path: str, change: int, version: int, text: str = "<!-- page 7 change {} -->\n<!-- page 7 change {} -->"
    ) -> list[str]:
        file = self.docroot / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.format(change, change))
        os.utime(file, (version, version))
        return self.look(path)

    def remove(self, path: str) -> list[str]:
        (self.docroot / path).unlink()
        return self.look(path)

    def look(self, path: str) -> list[str]:
        self.readers.faults.clear()
        self.readers._look(self.name, path)
        return self.readers.faults


@pytest.fixture
def front(tmp_path: Path) -> Front:
    made = Front(name="front", docroot=tmp_path, removals=Removals())
    made.readers = Readers([made], made.removals, 1.0, 1)  # type: ignore[list-item]
    return made


def test_a_reader_is_content_with_what_goes_forth(front: Front) -> None:
    assert front.show(PATH, 3, 100) == []
    assert front.show(PATH, 3, 100) == []
    assert front.show(PATH, 4, 101) == []
    front.removals.begin(PATH, 5)
    assert front.remove(PATH) == []
    assert front.show(PATH, 6, 105) == []
    assert len(front.readers.seen) == 3


@pytest.mark.parametrize(
    ("change", "version", "text", "said"),
    [
        (2, 101, "", "shows change 2 of page 7 after 3"),
        (3, 99, "", "shows version 99 after 100"),
        (4, 101, "", ""),
        (4, 101, "<!-- page 7 change {} -->\n", "is torn"),
        (4, 101, "<!-- page 7 change {} -->\nhalf", "is torn"),
        (4, 101, "<!-- page 7 change {} -->\n<!-- page 7 change 3 -->", "is torn"),
        (4, 101, " <a>page 7 change {}</a> <!-- en", "is torn"),
    ],
)
def test_a_reader_sees_what_goes_back_and_what_is_torn(
    front: Front, change: int, version: int, text: str, said: str
) -> None:
    assert front.show(PATH, 3, 100) == []
    found = front.show(PATH, change, version, *[text] if text else [])
    assert said in " ".join(found)
    assert bool(found) == bool(said)


def test_a_reader_misses_what_nobody_removed(front: Front) -> None:
    front.removals.begin(PATH, 2)
    front.show(PATH, 3, 100)
    assert "is missing" in " ".join(front.remove(PATH))
    assert front.show("index.html", 3, 100, "page 7 change {}\n<!-- end -->") == []
    front.removals.begin("index.html", 9)
    assert "is missing" in " ".join(front.remove("index.html"))


def test_what_was_removed_must_come_back_newer(front: Front) -> None:
    front.show(PATH, 3, 100)
    front.removals.begin(PATH, 5)
    assert front.remove(PATH) == []
    assert "after 5" in " ".join(front.show(PATH, 4, 106))


def test_a_front_end_out_of_service_is_not_looked_at_and_begins_anew(front: Front) -> None:
    front.show(PATH, 3, 100)
    front.readers.out_of_service("front")
    assert front.remove(PATH) == []
    front.readers.in_service("front")
    assert front.show(PATH, 2, 99) == []


def test_a_plan_is_that_of_its_seed_and_has_every_kind_and_no_two_at_once() -> None:
    fronts, hosts = [f"front{n}" for n in range(6)], ["pub0", "pub1"]

    def plan(seed: int) -> list[fault_schedule.Fault]:
        return fault_schedule.plan(seed, 180, gap=4, fronts=fronts, hosts=hosts, small="front0")

    assert plan(1) == plan(1) != plan(2)
    for seed in range(20):
        planned = plan(seed)
        assert {f.kind for f in planned} == {*fault_schedule.FRONTS, *fault_schedule.HOSTS, *fault_schedule.DATABASE}
        assert all(f.end <= 180 for f in planned)
        for name in fronts:
            its = [f for f in planned if f.subject == name]
            assert all(one.end < other.at for one, other in pairwise(its))
        ill = [f for f in planned if f.subject in hosts]
        assert all(one.end < other.at for one, other in pairwise(ill))


def test_a_cut_link_holds_what_is_under_way_and_passes_it_on_once_mended() -> None:
    with closing(socket.create_server((HOST, 0))) as server:
        own = free_port()
        with Links([(own, server.getsockname()[1])]) as links, closing(socket.create_connection((HOST, own))) as near:
            far, _ = server.accept()
            with closing(far):
                links.say("cut", 0, 10)
                sent = threading.Thread(target=near.sendall, args=(b"x" * 5 + b"y" * 100_000,))
                sent.start()
                far.settimeout(0.3)
                got = b""
                with pytest.raises(TimeoutError):
                    while chunk := far.recv(65536):
                        got += chunk
                assert len(got) < 100_005
                links.say("mend", 0)
                far.settimeout(5)
                while len(got) < 100_005:
                    got += far.recv(65536)
                sent.join()


def test_what_cannot_be_had_is_left_out() -> None:
    planned = fault_schedule.plan(
        1, 180, gap=4, fronts=["front0"], hosts=["pub0"], small=None, without=["connections half open"]
    )  # fmt: skip
    kinds = {f.kind for f in planned}
    assert {*fault_schedule.FRONTS, *fault_schedule.HOSTS, *fault_schedule.DATABASE} - kinds == {
        "disk full",
        "connections half open",
    }


def test_a_forgotten_connection_is_half_open_and_new_ones_work() -> None:
    if not can_forget():
        pytest.skip("a connection is only forgotten with CAP_NET_ADMIN")
    with closing(socket.create_server((HOST, 0))) as server:
        own = free_port()
        with Links([(own, server.getsockname()[1])]) as links, closing(socket.create_connection((HOST, own))) as near:
            far, _ = server.accept()
            with closing(far):
                near.sendall(b"a")
                assert far.recv(1) == b"a"
                links.say("forget", 0)
                with closing(socket.create_connection((HOST, own))) as another:
                    later, _ = server.accept()
                    with closing(later):
                        another.sendall(b"b")
                        assert later.recv(1) == b"b"
                for end in (near, far):
                    end.settimeout(0.3)
                    with pytest.raises(TimeoutError):  # nobody tells it
                        end.recv(1)
                    end.settimeout(5)
                    with pytest.raises(ConnectionResetError):  # who says something is told
                        end.sendall(b"c")
                        end.recv(1)
