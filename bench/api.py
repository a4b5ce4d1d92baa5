"""How long the lists of the JSON API take at 100,000 entries and a million jobs, on SQLite and on PostgreSQL.

    ./inv bench api [-- --entries 100000 --jobs 1000000 --rounds 15 --only sqlite --folder /var/tmp]

Each list is asked for through the whole application, from the token to the JSON: its first page, and one far along. The
median has to be below 50 ms of processor time, the server's process counted; the exit status says whether all are. On
an idle machine the time that passes is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask.testing import FlaskClient

from appliance import config, db
from appliance.accounts import tokens, users
from appliance.actor import Actor, acting
from appliance.content import sites
from appliance.web.admin.app import create_app
from appliance.web.api import dispatch
from bench.administration.databases import arguments, on_each
from bench.administration.installation import fill, timed

LIMIT = 50.0
#: Pages that are walked to be far along.
FAR = 20
LISTS = (
    "/sites", "/sites/blog", "/sites/blog/entries", "/sites/blog/entries?order=modified",
    "/sites/blog/entries?order=title", "/sites/blog/entries?order=id", "/sites/blog/entries?status=draft",
    "/sites/blog/entries?kind=page", "/sites/blog/entries?tag=tag-7", "/sites/blog/entries?text=nowhere",
    "/sites/blog/entries?total=true", "/sites/blog/comments", "/sites/blog/comments?status=pending",
    "/sites/blog/comments?entry=7", "/sites/blog/comments?total=true", "/sites/blog/assets",
    "/sites/blog/assets?path=nowhere", "/sites/blog/terms/tag", "/sites/blog/jobs", "/sites/blog/jobs?order=-id",
    "/sites/blog/jobs?order=path", "/sites/blog/jobs?state=failed", "/sites/blog/jobs?kind=publish&state=done",
    "/sites/blog/jobs?key_equals=posts/7/index.html", "/sites/blog/jobs?key=nowhere", "/sites/blog/jobs?total=true",
    "/sites/blog/jobs/counts", "/sites/blog/audit", "/audit", "/targets", "/processes", "/periodic",
    "/sites/blog/sources", "/sites/blog/bans", "/sites/blog/previews", "/users", "/tokens",
    "/sites/blog/entries/7", "/sites/blog/entries/7/status",
)  # fmt: skip


@contextmanager
def opened(made: config.Config, entries: int, jobs: int) -> Iterator[Callable[[str], dict[str, object]]]:
    """A filled installation; yields a function that asks for a path and returns the answer."""
    connection = db.connect(made)
    try:
        sites.sync(made)
        fill(entries, jobs)
        with acting(Actor("root", "shell")):
            secret, _ = tokens.create(users.add_user("root", roles={"*": "admin"}), "bench")
        client: FlaskClient = create_app(made).test_client()

        def ask(path: str) -> dict[str, object]:
            answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {secret}"})
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.status_code} {answer.text}")
            return dict(answer.json or {})

        yield ask
    finally:
        connection.close()


def far_along(ask: Callable[[str], dict[str, object]], path: str) -> str | None:
    """The path of a page far along; None if the list has no more pages."""
    mark, place = "&" if "?" in path else "?", path
    for _ in range(FAR):
        after = ask(place).get("next")
        if after is None:
            return None
        place = f"{path}{mark}after={after}"
    return place


def measure(name: str, made: config.Config, options: argparse.Namespace) -> dict[str, list[float]]:
    """Medians by list: milliseconds and processor time of the first page, and of one far along."""
    found = {}
    with opened(made, options.entries, options.jobs) as ask:
        for path in LISTS:
            found[path] = [*timed(ask, path, options.rounds)]
            if (far := far_along(ask, path)) is not None:
                found[path] += timed(ask, far, options.rounds)
            print(f"{name}: {path}: {' / '.join(f'{value:.1f}' for value in found[path])} ms", flush=True)
    return found


def main() -> None:
    """The command."""
    parser = arguments(__doc__, jobs=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    dispatch.MOST_REQUESTS = 10**9  # type: ignore[misc]
    results = on_each(measure, parser.parse_args())
    slow = [f"{name} {path}" for name, found in results.items() for path, times in found.items()
            if max(times[1::2]) >= LIMIT]  # fmt: skip
    print(f"\nslower than {LIMIT:.0f} ms in the median: {', '.join(slow) or 'none'}")
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
