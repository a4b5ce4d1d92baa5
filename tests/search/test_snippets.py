"""Snippets: the part of a text with the words that were asked for, which are marked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.search.snippets import snippet


def shown(text: str, *words: str, beginnings: tuple[str, ...] = (), language: str = "en") -> str:
    parts = snippet(text, language, words, beginnings)
    return "".join(f"[{part}]" if is_word else part for part, is_word in parts)


def test_words_are_marked_as_they_are_written() -> None:
    assert shown("The Harbours of old.", "harbour", "old") == "The [Harbours] of [old]."
    assert shown("The harbour.", beginnings=("harb",)) == "The [harbour]."


def test_a_text_without_the_words_is_shown_from_its_beginning() -> None:
    text = "word " * 100
    assert shown(text, "other") == f"{text[:219]}…"
    assert shown("short", "other") == "short"
    assert shown("", "other") == ""


def test_the_part_with_most_words_is_shown() -> None:
    text = f"harbour {'x ' * 300}the old harbour lies by a quiet river {'y ' * 300}"
    found = shown(text, "harbour", "old", "river")
    assert found.startswith("…")
    assert found.endswith("…")
    assert "the [old] [harbour] lies by a quiet [river] y" in found
    assert len(found) < 250


def test_pairs_of_characters_are_marked_together() -> None:
    assert shown("私は東京都に住む", "東京", "京都", language="ja") == "私は[東京都]に住む"
    assert shown("京の都", beginnings=("京",), language="ja") == "[京の]都"


def test_a_word_far_away_is_not_looked_for() -> None:
    assert shown("x " * 60_000 + "harbour", "harbour").startswith("x x")


@given(st.text(max_size=600), st.lists(st.sampled_from(["a", "b", "京都", "the"]), max_size=3))
def test_a_snippet_is_a_piece_of_the_text(text: str, words: list[str]) -> None:
    parts = snippet(text, "en", words, words[:1])
    assert all(part for part, _ in parts)
    whole = "".join(part for part, _ in parts)
    inner = whole.removeprefix("…") if not text.startswith(whole[:1]) else whole
    assert inner.removesuffix("…") in text or whole.strip("…") in text
    assert len(whole) <= 222
