"""What twenty open overviews cost the server, with a million finished and 100,000 pending jobs, on each database.

    ./inv bench watching [-- --watchers 20 --seconds 60 --jobs 1100000 --targets 32 --only sqlite --folder /var/tmp]

Each watcher asks for the live regions of the page by HTTP as its script does, for as long as told. The processes of the
admin application and those of the database's server that work for it may take 5 % of a core in all. The exit status
says whether they do.
"""

from __future__ import annotations

import argparse
import heapq
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance import clock, config, db
from appliance.accounts import sessions, users
from appliance.config import admin_of
from appliance.content import sites
from appliance.history import disks
from appliance.history.histogram import Histogram
from appliance.history.minutes import MINUTE, Minute, insert
from appliance.overview.reading import Reader
from appliance.overview.visibility import EVERYTHING
from appliance.web import listening, server
from appliance.web.admin import session_cookie
from appliance.web.admin.served import served
from bench.administration.databases import arguments, on_each
from bench.administration.installation import fill, fill_cluster, timed
from tests.web_stack import UnixConnection

LIMIT = 0.05
HOST = "a.example"
_LIVE = re.compile(r'id="(\w+)" data-live="(\d+)"')


class Watcher:
    """Somebody who has the overview open."""

    def __init__(self, socket: Path, secret: str) -> None:
        self._connection = UnixConnection(socket)
        self._headers = {"Host": HOST, "Cookie": f"{session_cookie.NAME}={secret}"}
        self._tags: dict[str, str] = {}

    def open(self) -> list[tuple[str, int]]:
        """Ask for the page; return its live regions, with the seconds between two polls."""
        return [(name, int(seconds)) for name, seconds in _LIVE.findall(self._ask({}))]

    def poll(self, region: str) -> None:
        """Ask for a region."""
        tag = {"If-None-Match": self._tags[region]} if region in self._tags else {}
        self._ask({"HX-Region": region, **tag}, region)

    def _ask(self, more: dict[str, str], region: str = "") -> str:
        self._connection.request("GET", "/", headers={**self._headers, **more})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status not in (200, 304):
            raise SystemExit(f"the overview answered {answer.status}: {text[:1000]}")
        if region:
            self._tags[region] = answer.headers["ETag"]
        return text


def fill_history() -> None:
    """Write the minutes of a day in which much was published."""
    times = Histogram(dict.fromkeys(range(30, 60), 40))
    now = int(db.now()) // MINUTE * MINUTE
    with db.write():
        for number in range(1, 1441):
            at = now - number * MINUTE
            insert("", Minute(at, 1300, 100, 1200, 0, 100_000, times, times, times))


def read(made: config.Config) -> None:
    """Read everything that the page shows, as a process does that has kept nothing."""
    reader = Reader(made)
    reader.facts(EVERYTHING)
    reader.series(EVERYTHING)


@contextmanager
def serving(made: config.Config) -> Iterator[int]:
    """Run the admin application in a process of its own; yields the number of that process."""
    opened = listening.open_sockets(admin_of(made), "admin")
    pid = os.fork()
    if not pid:
        os._exit(server.serve(lambda: served(made, ""), opened, file=made.path))
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def spent(main: int) -> float:
    """The processor time in seconds of the application's processes, and of the database's that work for it."""
    stats = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(file.parent.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    wanted = {pid for pid, (parent, _) in stats.items() if main in (pid, parent)}
    if "Postgres" in type(db.backend()).__name__:
        rows = db.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        wanted |= {pid for (pid,) in rows.fetchall()}
    return sum(stats[pid][1] for pid in wanted if pid in stats) / os.sysconf("SC_CLK_TCK")


def watch(watchers: list[Watcher], main: int, seconds: float) -> tuple[float, int]:
    """Have all of them watch; return the share of a core that it took, and the number of requests."""
    begun = clock.monotonic()
    due = [
        (begun + every * number / len(watchers), number, region, every)
        for number, watcher in enumerate(watchers)
        for region, every in watcher.open()
    ]
    heapq.heapify(due)
    before, asked = spent(main), 0
    while due[0][0] < begun + seconds:
        at, number, region, every = heapq.heappop(due)
        clock.sleep(max(0.0, at - clock.monotonic()))
        watchers[number].poll(region)
        asked += 1
        heapq.heappush(due, (at + every, number, region, every))
    clock.sleep(max(0.0, begun + seconds - clock.monotonic()))
    return (spent(main) - before) / (clock.monotonic() - begun), asked


def measure(name: str, plain: config.Config, options: argparse.Namespace) -> bool:
    """Fill an installation and measure; return whether it costs too much."""
    socket = plain.path.with_name("admin.sock")
    made = plain.model_copy(update={"admin": plain.admin.model_copy(update={"listen": f"unix:{socket}"})})
    connection = db.connect(made)
    try:
        sites.sync(made)
        fill(options.entries, options.jobs)
        fill_cluster(made, options.jobs)
        fill_history()
        disks.look(made)
        elapsed, used = timed(lambda _: read(made), "", 5)
        print(f"{name}: to read all of it anew: {elapsed:.1f} ms, {used:.1f} of processor", flush=True)
        user = users.add_user("root", "root@bench.example", roles={"*": "admin"})
        secrets = [sessions.start(user, "127.0.0.1", factors=["password"])[0] for _ in range(options.watchers)]
        with serving(made) as main:
            while not socket.exists():
                clock.sleep(0.05)
            watchers = [Watcher(socket, secret) for secret in secrets]
            watch(watchers, main, 5.0)  # which does not count: the first request of a process compiles templates
            share, asked = watch(watchers, main, options.seconds)
    finally:
        connection.close()
    print(f"{name}: {options.watchers} overviews, {asked} requests in {options.seconds:.0f} s: {share:.1%} of a core")
    return share >= LIMIT


def main() -> None:
    """The command."""
    parser = arguments(__doc__, jobs=1_100_000, targets=32)
    parser.add_argument("--watchers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    refused = [name for name, is_dear in on_each(measure, parser.parse_args()).items() if is_dear]
    print(f"\nmore than {LIMIT:.0%} of a core: {', '.join(refused) or 'none'}")
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
