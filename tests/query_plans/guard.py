"""Refuses, in every test, statements of the product whose cost grows with an installation.

Each statement that a test makes the product send is explained on tables as long as those of a large installation, once
for each process of the tests. The test during which it was first sent fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from tests import tables
from tests.query_plans.exceptions import refused
from tests.query_plans.explained import Reference
from tests.query_plans.recorded import recording


@cache
def reference() -> Reference:
    """The database to explain on."""
    return Reference(tables.ready())


def judge(found: list[str]) -> Callable[[str, str, Sequence[Any]], None]:
    """Return a judge of statements, which adds a sentence to `found` for each that is refused."""
    judged: set[tuple[str, str]] = set()

    def look(sender: str, sql: str, values: Sequence[Any]) -> None:
        if (sender, sql) in judged or "%s" in sql:
            return
        judged.add((sender, sql))
        if wrong := refused(sender, reference().findings(sql, values)):
            found.append(f"{sender}: {'; '.join(wrong)}: {sql}")

    return look


@contextmanager
def watching() -> Iterator[list[str]]:
    """Yield a list that gets a sentence for each statement that is refused."""
    found: list[str] = []
    with recording(judge(found)):
        yield found
