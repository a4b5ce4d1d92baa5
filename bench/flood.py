"""Five hundred comments a second for ten seconds, from one address and from 200, and what else goes on meanwhile.

    ./inv bench flood [-- --rate 500 --seconds 10 --only sqlite]

All of it is real: `work` with intake, web process, workers and a courier, and a front end with nginx, sshd and rsync.
Limits are those that a site has by default, but for moderation: what they let through is accepted and published. The
third flood is on 20 entries, which lets ten times as many comments through as one does. What sends shares the
processors with what receives.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import shutil
import statistics
import sys
import tempfile
import urllib.parse
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from appliance import clock, db
from appliance.content import entry_edits
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Entry
from appliance.demo.frontend import descendants
from appliance.queue import store
from appliance.signing import Signer, load_signer
from bench.commenting import flooding, machine, probes
from bench.commenting.flooding import Flood, Post
from bench.commenting.probes import Probed
from tests import postgresql
from tests.web_stack import WebStack, web_stack

#: The limits of a site by default, which COMMENTS of the stack lifts.
LIMITS = {"rate": 6, "entry_rate": 120, "least_seconds": 0.0, "spam_check": "local"}
#: The floods: from how many addresses, and on how many entries. Each has addresses and entries of its own.
FLOODS = ((1, 1), (200, 1), (200, 20))
#: An entry that is not flooded.
_EDITED = "edited"
#: Edits of the idle system, and the seconds between two.
_IDLE_EDITS = 12
_PAUSE = (0.1, 0.3)
_FORK = multiprocessing.get_context("fork")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Outcome:
    """What came of a flood."""

    flood: Flood
    #: The most comments that were accepted from one network, and on one entry.
    most_of_network: int
    most_of_entry: int
    accepted: int
    #: Accepted comments that are not in the database, and those that the front end's pages do not show in the end.
    lost: int
    unseen: int
    #: What else was asked for meanwhile, by name.
    probed: dict[str, Probed]
    #: Seconds until an edit of another page was on the front end: medians idle and meanwhile.
    idle: float
    meanwhile: float
    #: Seconds until everything was published.
    settled: float

    def __str__(self) -> str:
        """The figures, a few lines."""
        asked = "".join(f"\n  {name}: {probed}" for name, probed in self.probed.items())
        return (
            f"  {self.flood}\n"
            f"  {self.accepted:,} accepted, at most {self.most_of_network} of a network and {self.most_of_entry} on an"
            f" entry; {self.lost} lost, {self.unseen} not on their pages; all published {self.settled:.1f} s later"
            f"{asked}\n"
            f"  an edit of another page reached the front end in {self.idle * 1000:.0f} ms before, and in"
            f" {self.meanwhile * 1000:.0f} ms meanwhile: {self.meanwhile / self.idle:.1f} times as long"
        )


def slugs(floods: Sequence[tuple[int, int]] = FLOODS) -> list[str]:
    """The entries that a site needs to be flooded."""
    return [slug for number, (_, entries) in enumerate(floods) for slug in _flooded(number, entries)] + [_EDITED]


def flood(stack: WebStack, number: int, addresses: int, entries: int, rate: float, seconds: float) -> Outcome:
    """Flood a running site from so many addresses on so many entries; `number` tells floods apart."""
    flooded = _flooded(number, entries)
    idle = edit_for(stack, lambda done: done < _IDLE_EDITS)
    sources = [flooding.network(1000 * number + address) for address in range(addresses)]
    nonces, posts = zip(*_posts(stack, flooded, sources, int(rate * seconds)), strict=True)
    paths = {
        "/healthz": "/healthz",
        "search": stack.endpoint("search?q=harbours"),
        "a form": stack.endpoint(f"comments/form?entry={stack.entry_id(_EDITED)}"),
    }
    with ProcessPoolExecutor(2, mp_context=_FORK) as pool:
        port = stack.fronts[0].http_port
        probing = pool.submit(probes.probe, port, stack.web_socket, paths, seconds)
        sending = pool.submit(flooding.send, port, posts, rate)
        end = clock.monotonic() + seconds
        meanwhile = edit_for(stack, lambda _done: clock.monotonic() < end)
        made, probed = sending.result(), probing.result()
    began = clock.monotonic()
    unseen = _await_pages(stack, flooded)
    accepted = [nonce for nonce, reply in zip(nonces, made.replies, strict=True) if reply.status == 303]
    by_nonce = {row.submission: (row.network, row.comment.entry_id) for row in CommentOrigin.select()}
    kept = [by_nonce[nonce] for nonce in accepted if nonce in by_nonce]
    of_network, of_entry = (Counter(kind) for kind in zip(*kept, strict=True))
    return Outcome(
        made, max(of_network.values()), max(of_entry.values()), len(accepted), len(accepted) - len(kept), unseen,
        probed,
        statistics.median(idle), statistics.median(meanwhile), clock.monotonic() - began,
    )  # fmt: skip


def edit_for(stack: WebStack, goes_on: Callable[[int], bool]) -> list[float]:
    """Edit a page again and again; returns the seconds from each commit until the front end has the page."""
    file = stack.fronts[0].docroot / stack.address(_EDITED).lstrip("/") / "index.html"
    entry, found = Entry.get(Entry.slug == _EDITED), list[float]()
    while goes_on(len(found)) or not found:
        clock.sleep(random.uniform(*_PAUSE))
        title = f"Edited {next(_numbers)} times"
        entry_edits.edit(entry, title=title)
        began = clock.monotonic()
        stack.await_that(lambda wanted=title: wanted in file.read_text("utf-8"))
        found.append(clock.monotonic() - began)
    return found


def memory(stack: WebStack) -> dict[str, float]:
    """MiB of the intake, and of the web process with its workers."""
    intake = stack.pids("intake")
    others = {pid for role in ("supervisor", "worker", "errands", "courier", "schedule") for pid in stack.pids(role)}
    web = [pid for pid in descendants(stack.daemon.process.pid, but=others) if pid not in intake]
    return {"intake": _mib(intake), "web process": _mib(web)}


def _mib(pids: Sequence[int]) -> float:
    return sum(map(machine.memory, pids)) / (1 << 20)


def _posts(stack: WebStack, flooded: Sequence[str], sources: Sequence[str], number: int) -> list[tuple[str, Post]]:
    """Comments with valid forms, and the nonce of each."""
    signer, now = load_signer(), db.now()
    turns = zip(range(number), itertools.cycle(flooded), itertools.cycle(sources), strict=False)
    return [_post(stack, signer, slug, source, now) for _, slug, source in turns]


def _post(stack: WebStack, signer: Signer, slug: str, source: str, now: float) -> tuple[str, Post]:
    entry = stack.entry_id(slug)
    token = signer.form(entry, now)
    made = signer.read_form(token, entry, now)
    text = f"Comment number {next(_numbers)} of a flood. It is one of many about harbours, ferries and the tide."
    body = urllib.parse.urlencode(
        {"entry": entry, "token": token, "name": f"Reader of {source}", "text": text}
    ).encode()
    head = (
        f"POST {stack.endpoint()} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return made.nonce if made else "", Post(source, head.encode() + body)


def _await_pages(stack: WebStack, flooded: Sequence[str]) -> int:
    """Wait until all is published; returns how many approved comments the front end does not show."""
    stack.await_that(lambda: not store.count_unfinished(), 120)
    missing = 0

    def are_shown() -> bool:
        nonlocal missing
        missing = sum(_missing(stack, slug) for slug in flooded)
        return not missing

    with suppress(AssertionError):
        stack.await_that(are_shown)
    return missing


def _missing(stack: WebStack, slug: str) -> int:
    page = stack.page(slug)
    sql = "SELECT text FROM comment WHERE entry_id = ? AND status = 'approved'"
    rows = db.execute(sql, [stack.entry_id(slug)]).fetchall()
    return sum(text.partition(".")[0] not in page for (text,) in rows)


def _flooded(number: int, entries: int) -> list[str]:
    return [f"flood-{number}-{entry}" for entry in range(entries)]


def run(folder: Path, database: str, options: argparse.Namespace) -> bool:
    """Flood a new site from few and from many addresses, and print what came of it; returns whether all was kept."""
    kept = True
    with web_stack(folder, database, fronts=1, comments=LIMITS, slugs=slugs()) as stack:
        print(f"  memory at first: {_describe(memory(stack))}", flush=True)
        for number, (addresses, entries) in enumerate(FLOODS):
            print(f"  from {addresses} addresses on {entries} entries:", flush=True)
            with machine.watched():
                outcome = flood(stack, number, addresses, entries, options.rate, options.seconds)
            print(f"{outcome}\n  memory: {_describe(memory(stack))}", flush=True)
            kept = kept and not (outcome.lost or outcome.unseen)
    return kept


def _describe(sizes: dict[str, float]) -> str:
    return ", ".join(f"{name} {size:.0f} MiB" for name, size in sizes.items())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=500, help="posts a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    print(machine.describe())
    kept = True
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        databases: dict[str, Callable[[], str]] = {"SQLite": str}
        if postgresql.installed() and options.only != "sqlite":
            databases["PostgreSQL"] = ending.enter_context(postgresql.Server(durable=True, folder=home)).fresh
        for name, fresh in databases.items():
            if options.only in (None, name.lower()):
                print(f"{name}:", flush=True)
                (home / name).mkdir()
                kept = run(home / name, fresh(), options) and kept
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
