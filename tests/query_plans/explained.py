"""What a query planner would do with a statement in a large installation, and what of it grows with the tables.

A finding is one of these, with the table and the index: `scan` reads every row of a table, `walk` every entry of an
index, `broad` a good part of an index, and `sort` sorts what one of them read.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.query_plans import filled

#: Rows of each table on which statements are explained.
ROWS: Final = 4000
#: The part of a table's rows above which what is found by one value counts as broad.
PART: Final = 0.05
#: Indexes of few rows, however long the tables are: what runs at once, or has a date.
FEW: Final = frozenset({"job_lease", "job_holder", "job_one_running", "entry_scheduled", "entry_expiring"})

_STEP: Final = re.compile(
    r"(?P<how>SCAN|SEARCH) (?P<name>\S+)(?: USING (?:AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?(?:INDEX (?P<index>\S+)"
    r"|(?P<primary>INTEGER PRIMARY KEY)))?(?: \((?P<terms>.*)\))?"
)
#: Conditions that no row meets, of which a plan says nothing true.
_NOTHING: Final = re.compile(r"\(0 = 1\)|\bWHERE false\b|\bAND false\b")


class Reference:
    """An SQLite database with the tables of an installation, filled, on which statements are explained, never run."""

    def __init__(self, tables: sqlite3.Connection) -> None:
        """Copy the tables and fill them."""
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        tables.backup(self._connection)
        self._connection.create_function("appliance_now", 0, lambda: 1.6e9)
        with self._connection:
            for statement in filled.statements(ROWS, server=False):
                self._connection.execute(statement)
        self._connection.execute("ANALYZE")
        made = self._connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        self._growing = {name for kind, name, _, _ in made if kind == "table" and filled.grows(name)}
        self._table_of = {name: table for kind, name, table, _ in made if kind == "index"}
        self._condition = {name: " ".join(sql.partition(" WHERE ")[2].split()) for _, name, _, sql in made if sql}
        stat = self._connection.execute("SELECT idx, stat FROM sqlite_stat1 WHERE idx IS NOT NULL").fetchall()
        self._found = {index: [int(word) for word in numbers.split() if word.isdigit()] for index, numbers in stat}

    def findings(self, sql: str, parameters: Sequence[Any]) -> list[str]:
        """What the plan of a statement does that grows; nothing for one that only its own transaction understands."""
        if _NOTHING.search(sql):
            return []
        try:
            with self._lock:
                rows = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        except sqlite3.Error:
            return []
        return list(dict.fromkeys(self._judged(" ".join(sql.split()), [(row[1], row[3]) for row in rows])))

    def _judged(self, sql: str, steps: list[tuple[int, str]]) -> Iterator[str]:
        """Judge the steps of a plan, each with the number of the query that it is a part of."""
        sorting, wide = {part for part, step in steps if step.startswith("USE TEMP B-TREE")}, dict[int, str]()
        for part, step in steps:
            if match := _STEP.match(step):
                table = self._resolved(match, sql)
                how = self._how(match, table, sql, part in sorting) if table in self._growing else ""
                if how:
                    wide[part] = table
                    yield f"{how} {table}" + (f" by {match['index']}" if match["index"] else "")
            elif step.startswith("USE TEMP B-TREE") and part in wide:
                yield f"sort {wide[part]}"

    def _how(self, match: re.Match[str], table: str, sql: str, sorts: bool) -> str:
        index, terms = match["index"] or "", match["terms"] or ""
        if index in FEW:
            return ""
        if match["how"] == "SCAN":
            return "" if not sorts and self._ends_soon(table, index, sql) else "walk" if index else "scan"
        if match["primary"] or "<" in terms or ">" in terms or (" LIMIT " in sql and not sorts):
            return ""
        if re.search(rf"SELECT (?:MIN|MAX)\(\w+\) FROM {table} WHERE", sql) and not sorts:
            return ""  # the first or the last entry of an index
        found, equal = self._found.get(index, []), len(terms.split(" AND "))
        return "broad" if len(found) > equal and found[equal] > PART * ROWS else ""

    def _ends_soon(self, table: str, index: str, sql: str) -> bool:
        """Whether every row that is read counts towards a limit: nothing is left out but by the index itself."""
        condition = self._condition.get(index, "")
        named = rf'(?:FROM|JOIN) "?{table}"?(?: (?:AS )?"?\w+"?)?'
        where = rf"(?: WHERE (?:true|{re.escape(condition)}))?" if condition else "(?: WHERE true)?"
        return bool(re.search(rf"{named}{where}(?: ORDER BY [^()]*?)? LIMIT (?:\?|\d)", sql))

    def _resolved(self, match: re.Match[str], sql: str) -> str:
        """The table that a step of a plan reads, which names it by its alias."""
        if match["index"] in self._table_of:
            return str(self._table_of[match["index"]])
        name = match["name"].strip('"')
        if name in self._growing:
            return name
        found = re.findall(rf'"?(\w+)"? (?:AS )?"?{re.escape(name)}"?(?!\w)', sql)
        return next((one for one in found if one in self._growing), "")


def server_findings(plan: Any, growing: set[str], rows: int) -> list[str]:
    """What a plan of PostgreSQL, as EXPLAIN gives it in JSON, does that grows; tables have so many rows."""
    return list(dict.fromkeys(_server(plan[0]["Plan"], growing, rows, limited=False)))


def _server(node: dict[str, Any], growing: set[str], rows: int, *, limited: bool) -> Iterator[str]:
    kind, table, index = node["Node Type"], node.get("Relation Name", ""), node.get("Index Name", "")
    many = node["Plan Rows"] > PART * rows
    if table in growing and index not in FEW and "Scan" in kind:
        condition = node.get("Index Cond", "") or node.get("Recheck Cond", "")
        # Every row that is read counts towards the limit of the query, or all are named one by one.
        if not (limited and "Filter" not in node):
            if kind == "Seq Scan":
                yield f"scan {table}"
            elif not condition and many:
                yield f"walk {table}" + (f" by {index}" if index else "")
            elif many and not re.search(r"[<>]|ANY", condition):
                yield f"broad {table}" + (f" by {index}" if index else "")
    children = node.get("Plans", [])
    if kind == "Sort" and many and not limited:
        yield from (f"sort {name}" for name in sorted(_relations(node) & growing)[:1])
    within = kind == "Limit" or (limited and kind not in ("Sort", "Aggregate", "Hash", "HashAggregate", "WindowAgg"))
    for child in children:
        yield from _server(child, growing, rows, limited=within)


def _relations(node: dict[str, Any]) -> set[str]:
    found = {node["Relation Name"]} if "Relation Name" in node else set[str]()
    return found.union(*(_relations(child) for child in node.get("Plans", [])))
