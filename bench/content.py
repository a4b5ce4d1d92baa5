"""Blogs of any size, the same for the same seed: what the benchmarks publish.

A post has about 290 words in sections with headings, a list, a quotation and two links; it is in 3 of 20
categories, by one of 8 authors, in one of 8 years. Nothing is read, and a post is made when it is asked
for, so a million cost no memory.

    python bench/content.py FOLDER --posts 10000
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FIRST_DAY = datetime(2018, 1, 1, tzinfo=UTC)
YEARS = 8
WORDS = 290

CATEGORIES = (
    *("Archives", "Books", "Cities", "Cooking", "Cycling", "Design", "Energy", "Film", "Gardens"),
    *("Hardware", "History", "Islands", "Letters", "Maps", "Music", "Networks", "Railways"),
    *("Software", "Tools", "Weather"),
)
AUTHORS = (
    *("Ada Okafor", "Bruno Lindqvist", "Chiara Vogel", "Daniel Mbeki"),
    *("Elif Sørensen", "Farid Novák", "Greta Ilves", "Hiro Castellanos"),
)
TAGS = ("field notes", "how it works", "long read", "mistakes", "numbers", "repair", "short", "travel")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_THINGS = _words(
    "harbour lantern ledger bridge engine orchard signal kettle archive valley compass ferry workshop "
    "timetable roof market garden letter river machine window station library coast path tower bell "
    "field barn cable clock drawing table winter summer neighbour teacher printer carpenter driver "
    "captain baker stone copper paper glass wool"
)
_DEEDS = _words(
    "carries repairs measures follows answers crosses remembers replaces outlasts explains hides "
    "borrows lifts counts mends divides warms describes surprises reaches leaves joins"
)
_KINDS = _words(
    "old quiet narrow bright patient heavy public careful wooden late sudden plain distant useful "
    "salty borrowed small northern broken honest slow green"
)
_JOINTS = (
    *("while", "because", "although", "so that", "until", "where", "before", "and yet"),
    *("as if", "unless", "whenever", "after"),
)


@dataclass(frozen=True, slots=True)
class GeneratedPost:
    """One post: `body` is Markdown, `published` an aware moment; slug and moment are each its own."""

    number: int
    slug: str
    title: str
    published: datetime
    author: str
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    body: str

    @property
    def summary(self) -> str:
        """Its first sentence, without markup."""
        return self.body.partition(".")[0].replace("*", "") + "."


def posts(count: int, seed: int = 0, *, bodies: bool = True) -> Iterator[GeneratedPost]:
    """`count` posts, oldest first, spread evenly over the years; without `bodies` they have no text."""
    step = timedelta(days=365.25 * YEARS) / max(count, 1)
    for number in range(count):
        yield post(number, FIRST_DAY + number * step, seed, body=bodies)


def post(number: int, published: datetime, seed: int = 0, *, body: bool = True) -> GeneratedPost:
    """The post of that number; the same for the same arguments on every machine."""
    chance = random.Random(f"{seed}:{number}")
    title = _title(chance)
    return GeneratedPost(
        number=number,
        slug=f"{title.lower().replace(' ', '-')}-{number}",
        title=title,
        published=published.replace(microsecond=0),
        author=AUTHORS[number % len(AUTHORS)],
        categories=tuple(chance.sample(CATEGORIES, 3)),
        tags=tuple(chance.sample(TAGS, chance.randint(0, 3))),
        body=_body(chance) if body else "",
    )


def write(folder: Path, count: int, seed: int = 0) -> None:
    """The posts as Markdown files with TOML front matter, a folder a year: FOLDER/2018/slug.md."""
    for made in posts(count, seed):
        file = folder / str(made.published.year) / f"{made.slug}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_front_matter(made) + made.body, "utf-8")


def _front_matter(made: GeneratedPost) -> str:
    lines = (
        f'title = "{made.title}"',
        f"date = {made.published.isoformat()}",
        f'slug = "{made.slug}"',
        f'description = "{made.summary}"',
        f'authors = ["{made.author}"]',
        f"categories = {_list(made.categories)}",
        f"tags = {_list(made.tags)}",
    )
    return "\n".join(("+++", *lines, "+++", "", ""))


def _list(values: tuple[str, ...]) -> str:
    quoted = (f'"{value}"' for value in values)
    return f"[{', '.join(quoted)}]"


def _title(chance: random.Random) -> str:
    kind, thing, deed, other = (chance.choice(words) for words in (_KINDS, _THINGS, _DEEDS, _THINGS))
    return f"The {kind} {thing} {deed} the {other}"


def _sentence(chance: random.Random) -> str:
    words = [_clause(chance)]
    if chance.random() < 0.6:
        words += [chance.choice(_JOINTS), _clause(chance)]
    text = " ".join(words)
    return text[0].upper() + text[1:] + "."


def _clause(chance: random.Random) -> str:
    thing, deed, kind, other = (chance.choice(words) for words in (_THINGS, _DEEDS, _KINDS, _THINGS))
    thing = f"*{thing}*" if chance.random() < 0.05 else thing
    return f"the {thing} {deed} the {kind} {other}"


def _paragraph(chance: random.Random, words: int) -> str:
    sentences: list[str] = []
    while sum(len(sentence.split()) for sentence in sentences) < words - 4:
        sentences.append(_sentence(chance))
    return " ".join(sentences)


def _body(chance: random.Random) -> str:
    """About WORDS words: an opening, two sections, a list, a quotation, two links."""
    topic = chance.choice(_THINGS)
    items = [f"- {_sentence(chance)}" for _ in range(3)]
    parts = [
        _paragraph(chance, WORDS // 5),
        f"## {_title(chance)}",
        _paragraph(chance, WORDS // 5),
        "\n".join(items),
        f"More on the [{topic}](https://example.org/{topic}) and on [other things](https://example.org/).",
        f"## {_title(chance)}",
        _paragraph(chance, WORDS // 6),
        f"> {_sentence(chance)}",
        _paragraph(chance, WORDS // 6),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write a blog into a folder."""
    parser = argparse.ArgumentParser(description="Write a blog of Markdown files, the same for the same seed.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    write(chosen.folder, chosen.posts, chosen.seed)
    print(f"{chosen.posts} posts in {chosen.folder}")


if __name__ == "__main__":
    main()
