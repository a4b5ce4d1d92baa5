"""Text as words: what is folded, what is stemmed, and languages that write no spaces."""

from __future__ import annotations

import threading
import unicodedata

import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from appliance.search.tokens import LONGEST, Token, fold, stemmer_of, tokens


def words(text: str, language: str = "xx") -> list[str]:
    return [token.word for token in tokens(text, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Éclair ÜBER Straße", ["eclair", "uber", "strasse"]),
        ("e\u0301clair", ["eclair"]),
        ("Łódź Ørsted Æsir İstanbul ISPARTA ısparta", ["lodz", "orsted", "aesir", "istanbul", "isparta", "isparta"]),
        ("ﬁrst ＡＢＣ ½ m²", ["first", "abc", "12", "m2"]),
        ("Мой йод ЁЛКА", ["мой", "йод", "елка"]),
        ("ὀδός ΟΔΟΣ", ["οδοσ", "οδοσ"]),
        ("שָׁלוֹם كِتَاب", ["שלום", "كتاب"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Schiff\u00adfahrt می\u200cخواهم", ["schifffahrt", "میخواهم"]),
        (
            "don't l'homme snake_case e-mail node.js C++",
            ["don", "t", "l", "homme", "snake", "case", "e", "mail", "node", "js", "c"],
        ),
        ("❤️ 😀 … \u0301 \0 _ \ud800", []),
    ],
)
def test_words_are_folded(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都", ["東京", "京都", "都"]),
        ("京", ["京"]),
        ("Python入門2026年", ["python", "入門", "門", "2026", "年"]),
        ("古い、港・町", ["古い", "い", "港", "町"]),
        ("ｶﾞｷﾞ", ["ガギ", "ギ"]),
        ("한국어", ["한국", "국어", "어"]),
        ("ไทย 12", ["ไท", "ทย", "ย", "12"]),
        ("𠮷野", ["𠮷野", "野"]),
    ],
)
def test_languages_without_spaces_give_pairs(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_places_are_those_of_the_text() -> None:
    text = "An Éclair, 東京都"
    assert list(tokens(text, "en")) == [
        Token("an", 0, 2), Token("eclair", 3, 9), Token("東京", 11, 13), Token("京都", 12, 14), Token("都", 13, 14),
    ]  # fmt: skip
    assert list(tokens("ｶﾞｷﾞ", "ja")) == [Token("ガギ", 0, 4), Token("ギ", 0, 4)]


def test_endings_go_by_the_language() -> None:
    assert words("harbours Houses", "en-GB") == ["harbour", "hous"]
    assert words("harbours Houses", "ja") == ["harbours", "houses"]
    assert words("Häuser", "de") == words("Haus", "de_AT")
    assert words("maisons", "fr") == ["maison"]


def test_every_stemmer_is_there() -> None:
    """One that a release of the library no longer has would silently give other words."""
    from appliance.search import tokens as module

    assert set(module._STEMMERS.values()) <= set(Stemmer.algorithms())
    assert stemmer_of("xx") == stemmer_of("") == ""


def test_a_long_word_counts_by_its_beginning() -> None:
    assert words("a" * 500) == ["a" * LONGEST]


@given(st.text(max_size=300), st.sampled_from(["en", "ja", "ru", "ar", "tr", "xx", ""]))
def test_words_hold_neither_spaces_nor_signs(text: str, language: str) -> None:
    """The text in which they are stored, FTS5 and tsquery divide and quote them by such signs."""
    end = 0
    for token in tokens(text, language):
        assert token.word
        assert len(token.word) <= LONGEST + 20  # a stemmer may replace an ending by a longer one
        assert all(sign.isalnum() or unicodedata.category(sign) in ("Mn", "Mc") for sign in token.word), token
        assert token.word.isascii() is False or token.word == token.word.lower()
        assert 0 <= token.start < token.end <= len(text)
        assert token.end >= end
        end = token.end


@given(st.text(max_size=50))
def test_a_word_that_is_searched_for_gives_itself(text: str) -> None:
    for token in tokens(text, "xx"):
        assert fold(token.word) == token.word


def test_threads_stem_at_once() -> None:
    """Two threads that use one stemmer at the same time crash the process."""
    texts = [" ".join(f"houses{number}x walking{number + part} nations" for number in range(3000)) for part in range(4)]
    expected = [words(text, "en") for text in texts]
    found: dict[int, list[str]] = {}

    def run(number: int) -> None:
        from appliance.search import tokens as module

        module._words.cache_clear()
        found[number] = words(texts[number], "en")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == expected
