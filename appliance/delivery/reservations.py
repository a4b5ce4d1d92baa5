"""Versions that workers took for files which a host may show already, although the journal does not have them yet.

A worker puts its files in place before it commits. If that is rolled back, since the worker was killed or lost the
database, the files stay, the courier of that host may send them, and another host, which knows only its own docroot,
repeats the jobs. Guarantees that it knows what the first one may have shown: versions are reserved in a transaction of
their own before any file has them, and the publication of a path ends its reservation. So no version ever has two
contents, and what was never committed is outdone everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from appliance import db


def reserve(versions: Mapping[str, int]) -> None:
    """Reserve a version of each path, and commit that. Call it before a file with such a version is put in place."""
    if not versions:
        return
    with db.write():
        for paths in db.chunks(sorted(versions)):  # sorted, so that two that reserve cannot deadlock
            db.execute(
                f"""INSERT INTO reservation (path, version) VALUES {db.placeholders(len(paths), 2)}
                    ON CONFLICT (path) DO UPDATE SET version = excluded.version
                    WHERE reservation.version < excluded.version""",
                [value for path in paths for value in (path, versions[path])],
            )


def end(paths: Collection[str]) -> None:
    """End the reservations of these paths. Call it in the transaction that publishes them, with higher versions."""
    for some in db.chunks(sorted(paths)):
        db.execute(f"DELETE FROM reservation WHERE path IN ({db.placeholders(len(some))})", some)
