"""Divides text into words, for both databases alike.

A word is folded: compatible characters become the same, upper case becomes lower case, accents are left out, and the
stemmer of the language takes the ending off. Languages that write no spaces between words give pairs of characters
instead, and the last character of a run by itself, so that every character begins exactly one word.
"""

from __future__ import annotations

import re
import sys
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import Stemmer

#: Has to be increased with every change of the words that a text gives; all entries are then read again.
VERSION: Final = 1
#: The most characters of a word. Of a longer one the beginning counts.
LONGEST: Final = 40

#: Characters of languages that write no spaces between words, without their digits and punctuation: Thai, Lao, Burmese,
#: Khmer, Hangul, kana, Bopomofo and Han.
_UNSPACED: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa0-\uffdc"
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\u3105-\u312f\u31a0-\u31bf"
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)


def _marks() -> str:
    """The combining marks of the Basic Multilingual Plane, as ranges of a character class."""
    codes = [code for code in range(0x300, 0xFFFF) if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me")]
    starts = [code for code, before in zip(codes, [0, *codes], strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], 0], strict=True) if after != code + 1]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


#: Characters within a word that are no letters: marks, and signs that nobody sees, such as the soft hyphen.
_INNER: Final = "\u00ad\u200c\u200d\u2060" + _marks()
_RUN: Final = re.compile(f"([{_UNSPACED}][{_UNSPACED}{_INNER}]*)|[^\\W_{_UNSPACED}](?:[^\\W_{_UNSPACED}]|[{_INNER}])*")

#: Letters that differ from others by a sign which is no accent to Unicode.
_ALIKE: Final = str.maketrans({
    "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "ё": "е",
})  # fmt: skip
#: Accents, and the signs for vowels in Hebrew and Arabic, which most people leave out.
_LATIN_ACCENTS: Final = re.compile("(?<=[a-z\u00c0-\u03ff\u1e00-\u1fff])[\u0300-\u036f]+")
_VOWEL_SIGNS: Final = re.compile("[\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]+")

#: The stemmer of each language of BCP 47.
_STEMMERS: Final = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "st": "sesotho", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_KNOWN: Final = frozenset(Stemmer.algorithms())


class Run(NamedTuple):
    """Characters that stand together, such as a word."""

    start: int
    end: int
    #: The words that they give, in their order.
    words: tuple[str, ...]
    #: Whether they are of a language that writes no spaces, and the words are pairs and the last character.
    is_unspaced: bool


class Token(NamedTuple):
    """A word, and where it stands in the text."""

    word: str
    start: int
    end: int


def stemmer_of(language: str) -> str:
    """The name of the stemmer of a language, such as `en-GB`; empty for a language that has none."""
    name = _STEMMERS.get(re.split("[-_]", language.lower(), maxsplit=1)[0], "")
    return name if name in _KNOWN else ""


def tokens(text: str, language: str) -> Iterator[Token]:
    """The words of a text in their order. What gives none is left out."""
    for run in runs(text, language):
        is_each = run.is_unspaced and len(run.words) == run.end - run.start
        for number, word in enumerate(run.words):
            if is_each:
                start = run.start + number
                yield Token(word, start, min(start + 2, run.end))
            else:
                yield Token(word, run.start, run.end)


def runs(text: str, language: str) -> Iterator[Run]:
    """The runs of a text that give words."""
    stemmer = stemmer_of(language)
    for match in _RUN.finditer(text):
        start, end = match.span()
        words = _pairs(match[0]) if match[1] else _words(match[0], stemmer)
        if words:
            yield Run(start, end, words, bool(match[1]))


def fold(text: str) -> str:
    """A word without the differences that a search ignores."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_ALIKE)
    folded = _LATIN_ACCENTS.sub("", unicodedata.normalize("NFD", folded))
    folded = unicodedata.normalize("NFC", _VOWEL_SIGNS.sub("", folded))
    return "".join(sign for sign in folded if sign.isalnum() or unicodedata.category(sign) in ("Mn", "Mc"))


@lru_cache(maxsize=16_384)
def _words(run: str, stemmer: str) -> tuple[str, ...]:
    word = fold(run)[:LONGEST]
    if word and stemmer:
        word = _stemmers.get(stemmer).stemWord(word) or word
    return (sys.intern(word),) if word else ()


def _pairs(run: str) -> tuple[str, ...]:
    folded = fold(run)
    return tuple(folded[start : start + 2] for start in range(len(folded)))


class _Stemmers(threading.local):
    """The stemmers of a thread: two threads must not use one at the same time."""

    def __init__(self) -> None:
        self._made: dict[str, Stemmer.Stemmer] = {}

    def get(self, name: str) -> Stemmer.Stemmer:
        if name not in self._made:
            self._made[name] = Stemmer.Stemmer(name, 0)  # no cache: ours is shared
        return self._made[name]


_stemmers: Final = _Stemmers()
