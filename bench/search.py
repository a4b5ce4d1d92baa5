"""How long a search takes on a site of many entries, and what it takes to keep the index.

    ./inv bench search [-- --entries 100000 --rounds 15 --only sqlite --folder /var/tmp]

Entries of 400 words, of which the most frequent is in every entry and most are in few, are saved as published; their
pages are only noted as built. All of them are then read by the periodic task. Queries are asked on both databases, and
must give the same. At last entries are edited one by one, with and without the index.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from appliance import clock, db
from appliance.config import Config, validate
from appliance.content import entry_edits
from appliance.content.models import Entry, Site
from appliance.installation import open_installation
from appliance.search import index, tokens
from appliance.search.query import SearchPage, find
from tests import postgresql

_WORDS, _VOCABULARY = 400, 60_000
_BEGIN, _STEP = 1_500_000_000, 3_000
_BATCH = 1000


def _vocabulary() -> list[str]:
    """Words of two to five syllables, the same at every call. The stemmer leaves them alone."""
    chance = random.Random(1)
    syllables = [one + two for one in "bdfgklmnprtvz" for two in "aeiou"]
    made: dict[str, None] = {}
    while len(made) < _VOCABULARY:
        word = "".join(chance.choices(syllables, k=chance.randint(2, 5)))
        if [token.word for token in tokens.tokens(word, "en")] == [word]:
            made[word] = None
    return list(made)


def _texts(count: int, words: list[str]) -> Iterator[list[str]]:
    """The words of each entry: the frequency of a word is inverse to its rank, as in languages of people."""
    chance = random.Random(2)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    for _ in range(count):
        yield chance.choices(words, cum_weights=weights, k=_WORDS)


def fill(site: Site, count: int, words: list[str]) -> dict[str, int]:
    """Save entries; returns in how many of them each word is."""
    frequencies: Counter[str] = Counter()
    texts = enumerate(_texts(count, words), 1)
    while batch := list(itertools.islice(texts, _BATCH)):
        rows, pages = [], []
        for number, text in batch:
            frequencies.update(set(text))
            at = _BEGIN + number * _STEP
            rows.append({
                "site": site, "status": "published", "title": " ".join(text[:5]), "slug": f"entry-{number}",
                "published_at": at, "modified_at": at, "day": "2020-01-01", "week": "2020-01-01",
                "html": f"<p>{' '.join(text)}</p>", "text": " ".join(text),
            })  # fmt: skip
            pages += [site.id, f"entry-{number}/index.html", number]
        with db.write():
            Entry.insert_many(rows).execute()
            values = ",".join(
                ["(?, ?, 'entry', '', ?, '', 1, 0, true, 0, 0, true, 0, 'x', 1, 0, 'queue', 0, 0)"] * len(batch)
            )
            db.execute(
                "INSERT INTO artifact (site_id, path, type, template, subject, period, page, per_page, is_permalink,"
                f" priority, every, wanted, plan, digest, size, version, build, marked, built) VALUES {values}",
                pages,
            )
    return frequencies


def queries(count: int, frequencies: dict[str, int]) -> dict[str, str]:
    """Queries by what they are an example of."""
    ranked = sorted(frequencies, key=lambda word: (-frequencies[word], word))

    def nearest(share: float) -> str:
        return min(ranked, key=lambda word: (abs(frequencies[word] - share * count), word))

    tenth, hundredth, rare = nearest(0.1), nearest(0.01), nearest(0.0001)
    return {
        f"the most frequent word (in {frequencies[ranked[0]] / count:.0%})": ranked[0],
        f"a word in {frequencies[ranked[20]] / count:.0%}": ranked[20],
        "a word in 10%": tenth,
        "a word in 1%": hundredth,
        f"a rare word (in {frequencies[rare]})": rare,
        "two frequent words": f"{ranked[0]} {ranked[1]}",
        "two words in 10% each": f"{tenth} {nearest(0.101)}",
        "a frequent and a rare word": f"{ranked[0]} {rare}",
        "five words": " ".join(ranked[:5]),
        "sixteen words": " ".join(ranked[:16]),
        "a phrase of frequent words": f'"{ranked[0]} {ranked[1]}"',
        "a phrase of words in 10%, hardly ever": f'"{tenth} {nearest(0.101)}"',
        "a phrase of frequent words that is nowhere": f'"{" ".join(ranked[:6])}"',
        "the beginning of a word, 3 letters": "zuz",
        "the beginning of a word, 4 letters": "zuzo",
        "a frequent word and a beginning": f"{ranked[0]} zub",
        "nothing": "harbour",
    }


def ask(site: Site, asked: dict[str, str], rounds: int) -> dict[str, SearchPage]:
    """Ask each query often; prints what it took, and returns what was found."""
    found = {}
    for what, query in asked.items():
        for page in (1, 50) if "most frequent" in what else (1,):
            times = []
            for _ in range(rounds):
                began = clock.monotonic()
                found[f"{what}, page {page}"] = answer = find(site, query, page)
                times.append(clock.monotonic() - began)
            total = f"{answer.total:,}{' and more' if answer.more else ''}"
            print(
                f"  {what + (f', page {page}' if page > 1 else ''):<48} {1000 * statistics.median(times):6.1f} ms,"
                f" slowest {1000 * max(times):6.1f}; {total} found",
                flush=True,
            )
    return found


def edit(site: Site, edits: int) -> None:
    """Edit the newest entries, and print what a commit takes with the index and without."""
    newest = list(Entry.select().where(Entry.site == site).order_by(Entry.published_at.desc()).limit(edits))
    act, times = index.index_changed, dict[str, list[float]]()
    for number, entry in enumerate(newest):
        for name, done in (("with", act), ("without", lambda: None)):
            index.index_changed = done
            began = clock.monotonic()
            entry_edits.edit(entry, text=f"{name} {number} {entry.text}")
            times.setdefault(name, []).append(clock.monotonic() - began)
    index.index_changed = act
    told = ", ".join(f"{name} the index {1000 * statistics.median(one):.1f} ms" for name, one in times.items())
    print(f"  an edit, saved: {told}", flush=True)


def _size(config: Config) -> tuple[int, int]:
    """The bytes of the database, and those of the search."""
    if config.database_url:
        query = "SELECT pg_database_size(current_database()), pg_total_relation_size('search_document')"
        whole, part = db.execute(query).fetchone()
        return int(whole), int(part)
    ((pages,), (size,)) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    words = db.execute("SELECT SUM(length(CAST(words AS blob))) FROM search_document").fetchone()[0]
    blocks = db.execute("SELECT SUM(length(block)) FROM search_index_data").fetchone()[0]
    return pages * size, int(words or 0) + int(blocks or 0)


def run(home: Path, url: str, count: int, rounds: int) -> dict[str, SearchPage]:
    """Measure on one database; returns what was found."""
    raw = {
        "docroot": str(home / "www"), "web": {"path": "/-/"},
        "sites": [{"name": "blog", "title": "A Blog", "url": "https://blog.example/"}],
        **({"database": url} if url else {}),
    }  # fmt: skip
    config = validate(raw, home / "appliance.toml")
    print(f"{'PostgreSQL' if url else 'SQLite'}, {count:,} entries, {os.cpu_count()} cores", flush=True)
    with open_installation(config) as sites:
        site = sites["blog"]
        frequencies = fill(site, count, _vocabulary())
        before = _size(config)[0]
        began = clock.monotonic()
        read = index.catch_up(float("inf"))
        took = clock.monotonic() - began
        assert (read, index.next_due()) == (count, None), (read, index.next_due())
        after, part = _size(config)
        print(f"  read {count / took:,.0f} entries/s; {(after - before) / 2**20:,.0f} MiB more", flush=True)
        print(f"  words and index {part / 2**20:,.0f} MiB, the database {after / 2**20:,.0f} MiB", flush=True)
        db.analyze()
        if url:
            db.execute("ANALYZE")  # as the server does by itself sooner or later
        found = ask(site, queries(count, frequencies), rounds)
        edit(site, rounds * 2)
    return found


def main() -> None:
    """Measure on both databases, and compare what they find."""
    parser = argparse.ArgumentParser(description="Measure the search on both databases.")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    found = []
    with contextlib.ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="bench-", dir=chosen.folder))
        stack.callback(shutil.rmtree, home)
        home.chmod(0o711)  # the server has an account of its own
        urls = [""] if chosen.only != "postgresql" else []
        if chosen.only != "sqlite":
            urls.append(stack.enter_context(postgresql.Server(durable=True, folder=home)).fresh(tables=False))
        found = [run(home, url, chosen.entries, chosen.rounds) for url in urls]
    differing = [what for what, answer in found[0].items() if any(other[what] != answer for other in found[1:])]
    if differing:
        sys.exit(f"the databases differ: {', '.join(differing)}")
    if len(found) > 1:
        print("both databases found the same")


if __name__ == "__main__":
    main()
