"""How long the pages of the dashboard take with 1,000,000 finished and 100,000 pending jobs, on each database.

    ./inv bench dashboard [-- --entries 100000 --jobs 1100000 --targets 32 --rounds 15 --only sqlite --folder /var/tmp]

Each page is asked for through the whole application, from the session to the HTML. The median has to be below 100 ms of
processor time, the server's process counted; and a page may send at most 60 statements. The exit status says whether
all do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from appliance import config, db
from appliance.accounts import passwords, users
from appliance.content import sites
from appliance.queue import failure_groups
from appliance.web.admin.app import create_app
from bench.administration.databases import arguments, on_each
from bench.administration.installation import fill, fill_cluster, timed
from tests.statements import statements

LIMIT = 100.0
MOST_STATEMENTS = 60
PASSWORD = "correct horse battery staple"
PAGES = (
    "/", "/audit", "/users",
    "/targets", "/targets/front1", "/targets/front1?span=day", "/pages?path=posts/7/index.html",
    "/jobs", "/jobs?q=state:pending", "/jobs?q=state:pending&order=-age", "/jobs?q=state:pending&order=priority",
    "/jobs?q=state:pending&order=path", "/jobs?q=state:failed&order=error", "/jobs?q=state:done&order=template",
    "/jobs?q=site:blog+path:1234", "/jobs?q=error:nowhere", "/jobs?q=trigger:edited+-kind:mail+age:>1h",
    "/failures", "/jobs/1000000", "/jobs/999999",  # failed, done
    "/comments", "/comments?status=approved", "/processes", "/schedule", "/settings",
)  # fmt: skip


@contextmanager
def opened(made: config.Config, entries: int, jobs: int) -> Iterator[Callable[[str], int]]:
    """A filled installation; yields a function that asks for a page and returns how many statements that took."""
    connection = db.connect(made)
    try:
        sites.sync(made)
        fill(entries, jobs)
        fill_cluster(made, jobs)
        failure_groups.group_others()
        passwords.set_password(users.add_user("root", "root@bench.example", roles={"*": "admin"}), PASSWORD)
        client, base = create_app(made).test_client(), str(made.admin.url)
        form = {"name": "root", "password": PASSWORD}
        client.post("/sign-in", data=form, base_url=base, headers={"Sec-Fetch-Site": "same-origin"})

        def ask(path: str) -> int:
            with statements() as sent:
                answer = client.get(path, base_url=base)
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.status_code} {answer.text[:1000]}")
            return len(sent)

        yield ask
    finally:
        connection.close()


def measure(name: str, made: config.Config, options: argparse.Namespace) -> list[str]:
    """Time each page; return those that are slow or send too many statements."""
    refused = []
    with opened(made, options.entries, options.jobs) as ask:
        for path in PAGES:
            elapsed, spent = timed(ask, path, options.rounds)
            number = ask(path)
            print(f"{name}: {path}: {elapsed:.1f} ms, {spent:.1f} of processor, {number} statements", flush=True)
            if spent >= LIMIT or number > MOST_STATEMENTS:
                refused.append(f"{name} {path}")
    return refused


def main() -> None:
    """The command."""
    parser = arguments(__doc__, jobs=1_100_000, targets=32)
    parser.add_argument("--rounds", type=int, default=15)
    refused = [one for found in on_each(measure, parser.parse_args()).values() for one in found]
    print(f"\nslower than {LIMIT:.0f} ms or more than {MOST_STATEMENTS} statements: {', '.join(refused) or 'none'}")
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
