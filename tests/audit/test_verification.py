"""Verifying: whatever somebody does to the rows by other means is found, and the first row that shows it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import audit, db
from appliance.audit.chain import COLUMNS, digest
from appliance.audit.verification import Head, Verification
from appliance.config import Config
from appliance.errors import AuditError

SELECT = f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY id"
INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({db.placeholders(len(COLUMNS))})"
ROWS = 6

Row = list[Any]

pytestmark = pytest.mark.usefixtures("unlocked")


@pytest.fixture
def unlocked(database: Config) -> Iterator[None]:
    """Rows can be changed, as the owner of the database can."""
    if not database.database_url:
        for verb in ("UPDATE", "DELETE"):
            db.execute(f"DROP TRIGGER audit_kept_from_{verb}")
        yield
        return
    db.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    yield
    db.execute("ALTER TABLE audit ENABLE TRIGGER USER")


def fill(number: int = ROWS) -> list[Row]:
    db.execute("DELETE FROM audit")
    for n in range(1, number + 1):
        audit.record("entry.edit", "entry", n, site="blog", label=f"Title {n}", before={"n": n}, after={"n": n + 1})
    return read()


def read() -> list[Row]:
    return [list(row) for row in db.execute(SELECT).fetchall()]


def write(rows: list[Row]) -> None:
    db.execute("DELETE FROM audit")
    for row in rows:
        db.execute(INSERT, row)


def rewritten(rows: list[Row]) -> list[Row]:
    """The rows with a chain of their own."""
    previous = ""
    for row in rows:
        row[-2] = previous
        row[-1] = previous = digest(row[:-1])
    return rows


def without(rows: list[Row], n: int) -> list[Row]:
    return rows[:n] + rows[n + 1 :]


def closed_up(rows: list[Row], n: int) -> list[Row]:
    """Without one row, the numbers of those after it put right."""
    left = without(rows, n)
    return [[number, *row[1:]] for number, row in enumerate(left, 1)]


def swapped(rows: list[Row]) -> list[Row]:
    rows[2], rows[3] = [rows[2][0], *rows[3][1:]], [rows[3][0], *rows[2][1:]]
    return rows


def inserted(rows: list[Row]) -> list[Row]:
    more = [*rows[:3], list(rows[2]), *rows[3:]]
    return [[number, *row[1:]] for number, row in enumerate(more, 1)]


def signed_again(rows: list[Row]) -> list[Row]:
    """One row changed, and given a digest that fits it."""
    rows[2][2] = "mallory"
    rows[2][-1] = digest(rows[2][:-1])
    return rows


TAMPERED: dict[str, tuple[Callable[[list[Row]], list[Row]], int, str]] = {
    "removed": (lambda rows: without(rows, 2), 3, "row 3 is missing after row 2: the next is row 4"),
    "removed and closed up": (lambda rows: closed_up(rows, 2), 3, "row 3 was changed"),
    "the first removed": (lambda rows: without(rows, 0), 1, "row 1 is missing at the beginning: the next is row 2"),
    "reordered": (swapped, 3, "row 3 was changed"),
    "inserted": (inserted, 4, "row 4 was changed"),
    "changed with a digest": (signed_again, 4, "row 4 does not follow row 3"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_the_first_row_that_does_not_fit_is_named(how: str) -> None:
    tamper, row, sentence = TAMPERED[how]
    write(tamper(fill()))
    found = audit.verify()
    assert (found.row, found.rows) == (row, row - 1)
    assert found.fault.startswith(sentence)


def test_an_empty_audit_fits() -> None:
    assert audit.verify() == Verification(0, Head())


def test_a_long_chain_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.audit.verification._MANY", 4)
    for number in (3, 4, 5, 8, 9):
        rows = fill(number)
        assert audit.verify() == Verification(number, Head(number, rows[-1][-1]))


def test_the_end_cut_off_is_found_by_a_noted_head() -> None:
    rows = fill()
    noted = audit.read_head()
    write(rows[:-2])
    assert audit.verify().fault == ""
    found = audit.verify([noted])
    assert (found.row, found.rows) == (6, 4)
    assert found.fault == "row 6 was expected and is gone: rows were cut off from the end, the newest is row 4"
    write([])
    assert "there are none" in audit.verify([noted]).fault


def test_a_chain_written_anew_is_found_by_a_noted_head() -> None:
    rows = fill()
    noted = audit.read_head()
    rows[1][2] = "mallory"
    write(rewritten(rows))
    assert audit.verify().fault == ""
    assert audit.verify([noted]).row == 6
    assert "not the one that was expected" in audit.verify([noted]).fault


def test_rows_that_came_since_fit() -> None:
    fill()
    noted = audit.read_head()
    audit.record("entry.edit", "entry", 9)
    assert audit.verify([noted]).fault == ""


@pytest.mark.parametrize("text", ["", "5", "5:abc", f"x:{'0' * 64}", f"-1:{'0' * 64}", f"1:{'0' * 65}"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(AuditError, match="NUMBER:DIGEST"):
        audit.parse_head(text)


def test_a_head_is_read_as_it_is_printed() -> None:
    fill(1)
    assert audit.parse_head(str(audit.read_head())) == audit.read_head()


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_any_value_is_found(data: st.DataObject) -> None:
    rows = fill()
    number = data.draw(st.integers(1, ROWS), label="row")
    column = data.draw(st.sampled_from(COLUMNS[1:]), label="column")
    value: Any
    if column == "at":
        value = data.draw(st.floats(allow_nan=False, allow_infinity=False), label="value")
    else:
        value = data.draw(TEXTS | st.none() if column in ("before", "after") else TEXTS, label="value")
    place = COLUMNS.index(column)
    db.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", [value, number])
    found = audit.verify()
    if value == rows[number - 1][place]:
        assert found.fault == ""
    else:
        assert found.row in (number, number + 1)
        assert f"row {found.row}" in found.fault


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, ROWS - 1), max_size=ROWS + 2), numbered=st.booleans())
def test_any_other_rows_in_any_order_are_found(order: list[int], numbered: bool) -> None:
    """Rows removed, repeated and moved, with the numbers that they had or with new ones."""
    rows = fill()
    noted = audit.read_head()
    if numbered:
        changed = [[number, *rows[n][1:]] for number, n in enumerate(order, 1)]
    else:
        changed = [rows[n] for n in dict.fromkeys(order)]
    write(changed)
    found = audit.verify([noted])
    assert (found.fault == "") == (sorted(changed) == rows)
    if found.fault:
        assert found.row is not None
        assert read()[: found.rows] == rows[: found.rows]
