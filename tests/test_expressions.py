"""Every expression that the product applies to texts takes time in proportion to them."""

import ast
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.scaling import grows_too_fast, repeated

PACKAGE = Path(__file__).parent.parent / "appliance"
#: Rooms that read what others wrote.
ROOMS = ("building", "content", "editorial", "exporting", "importing", "mailing", "planning")
_CALLS = frozenset({"compile", "sub", "subn", "split", "search", "match", "fullmatch", "findall", "finditer"})
_ANCHORED = frozenset({"match", "fullmatch"})
_TRIES = 200


class Expression(NamedTuple):
    place: str
    pattern: str | bytes
    flags: int
    methods: frozenset[str]


def expressions(file: Path) -> Iterator[Expression]:
    """Those that are written out in a module, with the methods it calls on them."""
    tree = ast.parse(file.read_text("utf-8"))
    used: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.setdefault(node.value.id, set()).add(node.attr)
    names = {
        id(node.value): target.id
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.args):
            continue
        pattern = node.args[0]
        if not (isinstance(pattern, ast.Constant) and isinstance(pattern.value, (str, bytes))):
            continue
        flags = 0
        for part in [*node.args[1:], *(keyword.value for keyword in node.keywords)]:
            for one in ast.walk(part):
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "re":
                    flags |= getattr(re, one.attr)
        methods = {node.func.attr} if node.func.attr != "compile" else used.get(names.get(id(node), ""), set()) & _CALLS
        yield Expression(f"{file.name}:{node.lineno}", pattern.value, int(flags), frozenset(methods or {"finditer"}))


def attack(expression: Expression) -> str:
    """The first input of those tried on which the expression takes more than its share; empty when there is none."""
    compiled = re.compile(expression.pattern, expression.flags)
    given = expression.pattern if isinstance(expression.pattern, str) else expression.pattern.decode("latin-1")
    whole = given.encode("ascii", "backslashreplace").decode()
    written = re.sub(r"\\[sSdDwWbBAZ]", " ", whole)
    pieces = [*re.findall(r"[A-Za-z]{2,}|[<>/!{}%=\"'-]{2,}", written), *sorted(set(written))]
    pieces += ["\n", " ", "a", "1", "-", "<a ", "<img ", "<h1>", "<code>", '="', "<!--", "[", "("]
    rng = random.Random(whole)

    def some(least: int, most: int) -> str:
        return "".join(rng.choice(pieces) for _ in range(rng.randint(least, most)))

    for _ in range(_TRIES):
        made = repeated(some(0, 4), some(1, 3), some(0, 3), some(1, 2) if rng.random() < 0.4 else "", some(0, 2))
        if found := grows_too_fast(_work(compiled, expression.methods), made, 3_000):
            return f"{expression.place} {whole[:60]!r}: {found}: {made(60)!r}"
    return ""


def _work(compiled: re.Pattern[str] | re.Pattern[bytes], methods: frozenset[str]) -> Callable[[str], object]:
    def work(text: str) -> None:
        subject = text if isinstance(compiled.pattern, str) else text.encode()
        for method in methods & _ANCHORED:
            getattr(compiled, method)(subject)
        if methods - _ANCHORED:
            for _ in compiled.finditer(subject):  # type: ignore[arg-type]
                pass

    return work


def test_slow_expressions_are_found() -> None:
    for pattern in (r"<h([1-6])\b[^>]*>.*?</h\1>", r"\s*;\s*", r"<code[ >].*?</code>"):
        assert attack(Expression("here", pattern, int(re.DOTALL), frozenset({"sub"})))


@pytest.mark.parametrize("room", ROOMS)
def test_expressions_take_time_in_proportion(room: str) -> None:
    found = [one for file in sorted((PACKAGE / room).rglob("*.py")) for one in expressions(file)]
    assert [slow for one in found if (slow := attack(one))] == []
