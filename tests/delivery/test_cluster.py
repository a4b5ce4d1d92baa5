"""Two publishing hosts on one database: processes with docroots of their own, and front ends, all of them real."""

from __future__ import annotations

import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from appliance import db
from appliance.content import assets, entries
from appliance.content.models import Asset
from appliance.queue import store
from tests.cluster import THEME, Cluster
from tests.local_site import tree
from tests.postgresql import Server

pytestmark = pytest.mark.slow

#: Notes when each run towards a destination began and ended, then does as rsync.
NOTING = """#!/bin/sh
[ "$1" = --version ] && exec rsync --version
for last; do :; done
echo "$(date +%s%N) + $$ $last" >> LOG
rsync "$@"
code=$?
echo "$(date +%s%N) - $$ $last" >> LOG
exit $code
"""


@pytest.fixture
def cluster(postgres: Server, tmp_path: Path) -> Iterator[Cluster]:
    script = tmp_path / "noting-rsync"
    script.write_text(NOTING.replace("LOG", str(tmp_path / "runs")))
    script.chmod(0o755)
    with Cluster(
        tmp_path, postgres.fresh(), delivery={"rsync": str(script)}, queue={"batch": 2, "pause": 0.01}
    ) as made:
        yield made


def overlapping(log: Path) -> list[str]:
    """Destinations to which two runs were under way at once; one that was killed ends when the next begins."""
    under_way: dict[str, set[str]] = defaultdict(set)
    found = []
    for line in sorted(log.read_text().splitlines()):
        _, sign, process, destination = line.split(" ", 3)
        if sign == "+":
            under_way[destination] = {p for p in under_way[destination] if Path(f"/proc/{p}").exists()}
            found += [destination] if under_way[destination] else []
            under_way[destination].add(process)
        else:
            under_way[destination].discard(process)
    return found


def test_two_hosts_publish_and_survive_kills(cluster: Cluster) -> None:
    shop, (one, two) = cluster.shop, cluster.hosts
    first, *_ = [shop.save(f"Entry {number}") for number in range(30)]
    one.start()
    two.start()
    cluster.await_that(lambda: one.pids("worker") and two.pids("worker"))
    shop.publish()
    cluster.await_that(lambda: store.count_unfinished() == 0)
    cluster.await_same(holding=["index.html", *(f"entry-{n}/index.html" for n in range(30))])
    origins = {origin for (origin,) in shop_ask("SELECT DISTINCT origin FROM publication")}
    assert origins == {"pub0", "pub1"}, "both published"

    # A courier is killed, then a whole host; the other goes on alone.
    os.kill(one.pids("courier")[0], signal.SIGKILL)
    shop.save("Entry 0", text="Edited after the courier was killed.", entry=first)
    shop.publish()
    cluster.await_that(lambda: store.count_unfinished() == 0)
    cluster.await_same()
    one.kill()
    entry = shop.save("Late", text="Published while a host is dead.")
    shop.publish()
    cluster.await_that(lambda: all((front.docroot / "late/index.html").is_file() for front in cluster.fronts))

    # The dead host comes back and has everything, also what was deleted meanwhile.
    entries.delete(entry)
    shop.publish()
    cluster.await_that(lambda: not any((front.docroot / "late").exists() for front in cluster.fronts))
    one.start()
    cluster.await_same()
    assert not (one.docroot / "late").exists()
    one.stop()
    two.stop()
    assert overlapping(cluster.folder / "runs") == []


def test_the_last_host_alive_rebuilds_what_a_dead_one_had_not_sent(postgres: Server, tmp_path: Path) -> None:
    """Front ends have what it published, the other publishing host does not: it is built again there."""
    never = dict.fromkeys(("verify", "verify_bytes", "verify_targets"), "never")  # which would find it some day
    with Cluster(tmp_path, postgres.fresh(), fronts=1, schedule=never) as cluster:
        shop, (one, two), front = cluster.shop, cluster.hosts, cluster.fronts[0].docroot
        written = [shop.save(f"Entry {number}") for number in range(5)]
        one.start()
        two.start()
        shop.publish()
        cluster.await_that(lambda: store.count_unfinished() == 0)
        cluster.await_same(holding=["entry-4/index.html"])
        two.door.stop()
        os.kill(two.pids("worker")[0], signal.SIGSTOP)
        for entry in written:
            shop.save(entry.title, text="Edited while nothing reaches the other.", entry=entry)
        shop.publish()
        cluster.await_that(lambda: store.count_unfinished() == 0)
        cluster.await_that(lambda: same(front, one.docroot))
        assert not same(front, two.docroot)
        cluster.await_that(lambda: all(state.level for state in cluster.states(1)))  # pub0's own docroot, and the front
        one.kill()
        one.door.stop()
        os.kill(two.pids("worker")[0], signal.SIGCONT)
        cluster.await_that(lambda: same(front, two.docroot), seconds=60.0)
        assert "nothing reaches" in (two.docroot / "entry-0/index.html").read_text()
        two.stop()


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same, while somebody writes there."""
    try:
        return tree(one) == tree(other)
    except OSError:  # a file went while it was read
        return False


def shop_ask(sql: str) -> list[tuple[str]]:
    return list(db.execute(sql).fetchall())


def test_uploads_of_a_host_that_is_gone_for_good(postgres: Server, tmp_path: Path) -> None:
    """Each host keeps its own uploads: all are published by whoever has them, and none is lost with its host."""
    theme = THEME + "[thumbnails]\nwidths = [10]\n"
    pictures = [f"picture-{number}.png" for number in range(12)]
    smaller = [name.replace(".png", "-10w.png") for name in pictures]
    with Cluster(tmp_path, postgres.fresh(), fronts=1, theme=theme, own_assets=True) as cluster:
        shop, (one, two) = cluster.shop, cluster.hosts
        one.start()
        two.start()
        cluster.await_that(lambda: one.pids("worker") and two.pids("worker"))
        for number, name in enumerate(pictures):
            file = tmp_path / name
            Image.new("RGB", (40, 40), (number, 0, 0)).save(file)
            assets.add_file(cluster.config(number % 2), shop.site, file, name)
        shop.publish()
        cluster.await_that(lambda: store.count_unfinished() == 0)
        cluster.await_same(holding=[*pictures, *smaller])
        assert store.recent_failures() == []

        one.kill()
        one.door.stop()
        shutil.rmtree(one.folder)
        before = tree(two.docroot)
        shop.publish(everything=True, force=True)
        cluster.await_that(lambda: store.count_unfinished() == 0)
        assert store.recent_failures() == []
        assert tree(two.docroot) == before
        for asset in Asset.select():
            assert assets.stored_path(cluster.config(1), asset.digest).is_file()
            assets.move(asset, f"moved/{asset.path}")
        shop.publish(allow_removals=True)
        cluster.await_that(lambda: store.count_unfinished() == 0)
        cluster.await_that(lambda: same(cluster.fronts[0].docroot, two.docroot))
        assert store.recent_failures() == []
        assert {f"moved/{name}" for name in (*pictures, *smaller)} == set(tree(two.docroot)) - {"index.html"}
