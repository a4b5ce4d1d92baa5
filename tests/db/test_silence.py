"""A database host that falls silent, in network namespaces: noticed, waited for, and in nobody's way of ending."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from appliance import clock, db, editorial
from appliance.queue import processes
from tests import netns, postgresql
from tests.local_site import LocalSite, archive, index, local_site
from tests.netns import HERE, Link

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="PostgreSQL's server programs are not installed"),
]

THEME = index("index.html") + archive("entry", "{slug}/index.html")
_MAIN = "import sys; from appliance.tasks import main; sys.argv[1:] = ['work', '--workers', '2']; main()"
#: Seconds within which all that were told to end must have.
END = 5.0
#: Seconds within which a connection must have been found dead: keepalives, and one more try to connect.
NOTICE = 5 + 3 * 2 + 5


@dataclass
class Cut:
    """A publishing host and its database, on both ends of a link."""

    link: Link
    server: postgresql.Server
    shop: LocalSite
    daemon: subprocess.Popen[bytes]

    def publish(self, title: str) -> Path:
        """Save an entry by the database's own host; the file it will be."""
        editorial.add_entry(self.shop.config, "", title, slug=title, status="published")
        return self.shop.docroot / title / "index.html"

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Have every process hang in a statement."""
        with psycopg.connect(self.shop.config.database) as other:
            other.execute("LOCK TABLE job, process, periodic IN ACCESS EXCLUSIVE MODE")
            waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            await_that(lambda: other.execute(waiting).fetchone()[0] >= 4)  # type: ignore[index]
            yield


def await_that(true: Callable[[], Any], seconds: float = 30) -> Any:
    end = clock.monotonic() + seconds
    while not (found := true()):
        assert clock.monotonic() < end
        clock.sleep(0.02)
    return found


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Cut]:
    if refusal := netns.refusal():
        pytest.skip(refusal)
    with Link() as link, postgresql.Server(namespace=link.here, address=HERE) as server:
        name = server.fresh().rpartition("/")[2]
        site = (
            f'[[sites]]\nname = "blog"\ntitle = "A Blog"\nurl = "https://blog.example/"\ntheme = "{tmp_path}/theme"\n'
        )
        settings = f'docroot = "{tmp_path}/www"\nhost = "here"\ndatabase = "{server.url(name)}"\n{site}'
        with local_site(tmp_path, THEME, database=server.local(name)) as shop:
            shop.run()
            (tmp_path / "appliance.toml").write_text(settings)
            daemon = subprocess.Popen(
                ["ip", "netns", "exec", link.there, sys.executable, "-c", _MAIN], cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, stderr=subprocess.PIPE,
            )  # fmt: skip
            try:
                await_that(
                    lambda: {row.role for row in processes.list_processes()} >= {"supervisor", "worker", "schedule"}
                )
                yield Cut(link, server, shop, daemon)
            finally:
                link.up()
                if daemon.poll() is None:
                    daemon.terminate()
                    daemon.wait(30)
                assert daemon.stderr is not None
                daemon.stderr.close()


def seconds(work: Callable[[], object]) -> float:
    began = clock.monotonic()
    work()
    return clock.monotonic() - began


def ended(cut: Cut) -> list[str]:
    """Tell the daemon to end and see that it does in time, with all it started; what it said."""
    children = Path(f"/proc/{cut.daemon.pid}/task/{cut.daemon.pid}/children").read_text().split()
    cut.daemon.send_signal(signal.SIGTERM)
    took = seconds(lambda: cut.daemon.wait(30))
    # What the machine takes now for a process of this size, which on an idle one is half a second.
    idle = seconds(lambda: subprocess.run([sys.executable, "-c", "import appliance.running"], check=True))
    assert cut.daemon.stderr is not None
    said = cut.daemon.stderr.read().decode().splitlines()
    assert took < END + 2 * idle, said
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    return said


def test_all_is_published_soon_after_a_link_is_back(cut: Cut) -> None:
    cut.link.down()
    clock.sleep(NOTICE)
    file = cut.publish("meanwhile")
    assert not file.exists()
    cut.link.up()
    await_that(file.exists, NOTICE)
    said = ended(cut)
    assert not [line for line in said if "Traceback" in line], said
    lost = [line for line in said if "the database cannot be used" in line]
    assert 1 <= len(lost) <= 4, "once each process"


def test_sigterm_ends_all_in_time_while_statements_are_under_way_on_a_silent_server(cut: Cut) -> None:
    with cut.under_way():
        cut.link.down()
        said = ended(cut)
    assert not [line for line in said if "Traceback" in line], said


def test_a_server_that_lost_its_power_under_statements_is_used_again(cut: Cut) -> None:
    with pytest.raises(psycopg.OperationalError), cut.under_way():  # the lock goes with the server
        cut.link.down()
        cut.server.lose_power()
        clock.sleep(NOTICE / 2)
    cut.server.start()
    cut.link.up()
    db.disconnect()
    file = cut.publish("afterwards")
    await_that(file.exists, NOTICE)
    assert not [line for line in ended(cut) if "Traceback" in line]


def test_a_client_that_lost_its_power_does_not_keep_what_it_had_locked(cut: Cut) -> None:
    hold = (
        "import sys; from appliance.db.connection import Connection\n"
        "held = Connection.open(sys.argv[1], 'x'); held.execute('BEGIN'); held.execute('LOCK TABLE job')\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    name = cut.shop.config.database.partition("?")[0].rpartition("/")[2]
    holder = subprocess.Popen(
        ["ip", "netns", "exec", cut.link.there, sys.executable, "-c", hold, cut.server.url(name)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        cut.link.down()
        with psycopg.connect(cut.shop.config.database, options="-c lock_timeout=30000") as other:
            took = seconds(lambda: other.execute("LOCK TABLE job"))
        assert took < NOTICE + 5
    finally:
        cut.link.up()
        holder.kill()
        holder.wait(30)
        for pipe in (holder.stdin, holder.stdout):
            if pipe:
                pipe.close()
