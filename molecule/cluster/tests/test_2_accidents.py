"""Hosts that fail: one loses power in the middle of publishing everything and taking comments, one comes back empty."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from commenting import Commenters
from operating import DOCROOT, LEVEL, Cluster
from reading import Readers, await_everywhere, says

#: Once so many pages have been written, the power fails.
_WRITTEN = 30

#: Comments that readers send before the power fails, and once more after it.
_REMARKS = 6

_PUBLISH = "touch /tmp/began && appliance content.add Colophon --text Set. --kind page --status published --later"


def test_a_publishing_host_loses_power(cluster: Cluster) -> None:
    """pub1 loses power while all is published and readers comment: pub2 ends it, and no comment is lost"""
    before = cluster.files("pub2")["pub2"]
    commenters = Commenters(cluster.served(), "/clockwork/")
    cluster.run("pub1", _PUBLISH)  # a page in the navigation of all others
    with commenters.at_work(), ThreadPoolExecutor(1) as pool:
        _await_saved(commenters, _REMARKS)
        publishing = pool.submit(cluster.host("pub1").run, "appliance publish --all --force")
        _await_written(cluster, "pub1")
        cluster.cut_power("pub1")
        cluster.publishers.remove("pub1")
        waiting = json.loads(cluster.appliance("pub2", "status", "--json"))["jobs"]
        publishing.cancel()
        _await_saved(commenters, len(commenters.saved) + _REMARKS)
    left = waiting["pending"] + waiting["running"]
    assert left, "the power failed too late: everything was published already"
    print(f"\n{left} files were still to be published when the power had failed", end="")
    began = time.monotonic()
    after = cluster.await_level()
    print(f"\nall published and level {time.monotonic() - began:.1f} s later", end="")
    assert before.keys() <= after.keys()
    await_everywhere(cluster.served(), "/", says("Colophon"))
    await_everywhere(cluster.served(), "/clockwork/", commenters.are_all_there)
    print(
        f"\n{len(commenters.saved)} comments were taken, the slowest after {commenters.slowest:.1f} s; all are there",
        end="",
    )
    assert not commenters.refused


def _await_saved(commenters: Commenters, count: int) -> None:
    deadline = time.monotonic() + LEVEL
    while len(commenters.saved) < count:
        assert time.monotonic() < deadline, f"of {count} comments only {len(commenters.saved)}: {commenters.refused}"
        time.sleep(0.05)


def _await_written(cluster: Cluster, name: str) -> None:
    count = f"find {DOCROOT} -newer /tmp/began -name '*.html' | head -n {_WRITTEN} | wc -l"
    deadline = time.monotonic() + LEVEL
    while int(cluster.run(name, count)) < _WRITTEN:
        assert time.monotonic() < deadline, f"{name} publishes nothing"


def test_it_comes_back(cluster: Cluster) -> None:
    """pub1 is switched on again: it is brought level by itself"""
    cluster.start("pub1")
    cluster.publishers.insert(0, "pub1")
    cluster.await_level()


def test_a_front_end_comes_back_empty(cluster: Cluster, readers: Readers) -> None:
    """www1 is taken out of service, wiped and returned: it is brought level"""
    readers.leave("www1")
    cluster.frontends.remove("www1")
    # What is just being sent may come in between: it does not count as left.
    cluster.run("www1", f"systemctl stop nginx && find {DOCROOT} -mindepth 1 -delete 2>/dev/null; true")
    cluster.frontends.append("www1")
    began = time.monotonic()
    cluster.await_level(seconds=LEVEL)
    print(f"\nit was sent everything by itself, {time.monotonic() - began:.1f} s after it had been wiped", end="")
    cluster.run("www1", "systemctl start nginx")
    readers.join("www1", cluster.addresses["www1"])
