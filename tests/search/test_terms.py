"""Queries as terms: words, phrases, beginnings."""

from __future__ import annotations

import pytest

from appliance.search.terms import Term, parse


def terms(query: str, language: str = "xx") -> list[str]:
    """Each term as its words with spaces, and a star after a beginning."""
    return [" ".join(term.words) + "*" * term.is_beginning for term in parse(query, language).all]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("old Harbour", ["old", "harbour"]),
        ("old old", ["old"]),
        ('"old harbour" the', ["old harbour", "the"]),
        ("the „old harbour“ “a b” «c d»", ["the", "old harbour", "a b", "c d"]),
        ('the "old harbour', ["the", "old harbour"]),
        ('"" " old', ["old"]),
        ("e-mail node.js l’homme snake_case a@b", ["e mail", "node js", "l homme", "snake case", "a b"]),
        ("one,two/three (four) -five +six", ["one", "two", "three", "four", "five", "six"]),
        ("東京都 京 東京", ["東京 京都", "京*", "東京"]),
        ("Python入門", ["python 入門"]),
        ('"東京 京"', ["東京 京 京*"]),
        (" ".join(map(str, range(30))), [str(number) for number in range(16)]),
        ("x" * 2000, ["x" * 40]),
    ],
)
def test_a_query_has_terms(query: str, expected: list[str]) -> None:
    assert terms(query) == expected


def test_sequences_are_looked_up_with_their_spaces() -> None:
    parsed = parse('"old harbour" lone "old 京"', "xx")
    assert parsed.sequences == [" old harbour ", " old 京"]
    assert (parsed.words, parsed.beginnings) == (["old", "harbour", "lone"], ["京"])


@pytest.mark.parametrize("query", ["ha", '"old harbour"', "e-mail", "京", "", "the of"])
def test_what_is_no_long_enough_word_is_no_beginning(query: str) -> None:
    assert parse(query, "xx").with_beginning() is None


def test_the_last_word_may_be_a_beginning() -> None:
    parsed = parse("the har", "xx").with_beginning()
    assert parsed is not None
    assert parsed.all == (Term(("the",)), Term(("har",), is_beginning=True))
