"""The search language of jobs: a line selects what a plain reading of its terms says, on each database."""

from __future__ import annotations

import datetime as dt
import fnmatch
import operator
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.config import Config
from appliance.queue import administration
from appliance.queue.job_filter import JobFilter
from appliance.queue.job_search import QUALIFIERS, parse, quoted, split
from appliance.queue.models import STATES, Job, JobTrigger

SITES = ("blog", "news")
HOUR = 3600

#: What jobs and searches are made of, so that they meet: signs that mean something to LIKE, GLOB or the language.
WORDS = ["a", "ab", "A b", "a%", "a_b", "x[y", "-a", "state:done", "é", "50%", "\\"]
names = st.sampled_from(["a.html", "ab.html", "b.xml"])
job = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["publish", "mail"]),
        "scope": st.sampled_from([*SITES, "other", ""]),
        "template": names | st.just(""),
        "key": st.tuples(st.sampled_from(["blog/", "news/", ""]), st.sampled_from(WORDS)).map("".join),
        "state": st.sampled_from(STATES),
        "priority": st.integers(-2, 10),
        "age": st.integers(0, 5),
        "worker": st.none() | st.sampled_from(["pub1:7", "pub2:7", "pub1:17"]),
        "error_message": st.none() | st.sampled_from(WORDS),
        "reason": st.sampled_from(["entry edited", "comment approved", "a_b"]),
        "actor": st.sampled_from(["ada", "ines", ""]),
    }
)


@dataclass(frozen=True)
class Wanted:
    """One term, before it is written down."""

    qualifier: str
    value: str
    is_negated: bool

    def __str__(self) -> str:
        before = f"{self.qualifier}:" if self.qualifier else ""
        value = quoted(self.value)
        if not before and (value.startswith(("-", "#")) or ":" in value):
            value = f'"{self.value}"'
        return f"{'-' if self.is_negated else ''}{before}{value}"


VALUES: dict[str, Any] = {
    "state": st.lists(st.sampled_from(STATES), min_size=1, max_size=2).map(",".join),
    "kind": st.sampled_from(["publish", "mail", "mail,publish", "other"]),
    "site": st.sampled_from(["blog", "news", "news,blog", ""]),
    "template": st.sampled_from(["a.html", "a*", "b.xml,a.html", "?.xml", "none"]),
    "path": st.sampled_from([*WORDS, "blog/*", "*b", "?", "=a", "=blog/a", "=/blog/a", "a*%"]),
    "error": st.sampled_from(WORDS),
    "priority": st.sampled_from(["3", ">3", ">=3", "<3", "<=3", "1..4", "..4", "4..", "-1", "-2..0"]),
    "worker": st.sampled_from(["pub1", "pub1:7", "pub*:7", "pub2,pub1:17"]),
    "age": st.sampled_from([">90m", "<150m", "1.5h..3.5h", ">=90m", "..2.5h"]),
    "trigger": st.sampled_from(["entry", "ada", "a_b", "edited ada", "nobody"]),
    "id": st.sampled_from(["1", "2,3", "#1", "99"]),
    "": st.sampled_from(WORDS),
}
terms = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.builds(Wanted, st.just(name), VALUES[name], st.booleans())),
    max_size=4,
)


def fill(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Jobs straight into the table, at most one pending and one running of a key."""
    now, taken = db.now(), set[tuple[str, ...]]()
    rows, jobs, reasons = [], [], []
    with db.write():
        db.execute("DELETE FROM job_trigger")
        db.execute("DELETE FROM job")
        for number, one in enumerate(made, 1):
            identity = (one["kind"], one["key"], one["state"])
            state = "done" if one["state"] in ("pending", "running") and identity in taken else one["state"]
            taken.add(identity)
            created = now - one["age"] * HOUR
            rows.append(one | {"id": number, "state": state, "created_at": created})
            values = {name: value for name, value in rows[-1].items() if name not in ("age", "actor")}
            jobs.append(values | dict.fromkeys(("rank", "run_at", "finished_at"), created))
            reason = {"job": number, "reason": one["reason"], "actor": one["actor"]}
            reasons.append(reason | {"first_at": created, "last_at": created})
        if jobs:
            Job.insert_many(jobs).execute()
            JobTrigger.insert_many(reasons).execute()
    return rows


def within(value: str, number: float) -> bool:
    """Whether a number is in a range as the language writes it, the ends of which no number here lies on, if open."""
    for sign, test in ((">=", operator.ge), ("<=", operator.le), (">", operator.gt), ("<", operator.lt)):
        if value.startswith(sign):
            return bool(test(number, float(value.removeprefix(sign))))
    low, dots, high = value.partition("..")
    if not dots:
        return number == float(value)
    return (not low or number >= float(low)) and (not high or number <= float(high))


def in_hours(value: str) -> str:
    return value.replace("90m", "1.5").replace("150m", "2.5").replace("h", "")


def glob(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def has(text: str, part: str) -> bool:
    return part.lower() in text.lower()


def matches(term: Wanted, job: dict[str, Any]) -> bool:
    """What a term says of a job, read plainly, without its negation."""
    error, value = f": {job['error_message'] or ''}", term.value
    worker = job["worker"] or ""
    match term.qualifier:
        case "state" | "kind":
            return job[term.qualifier] in value.split(",")
        case "site":
            return job["scope"] in value.split(",")
        case "template":
            return any(glob(one, job["template"]) for one in value.split(","))
        case "worker":
            return any(glob(one if ":" in one or "*" in one else f"{one}:*", worker) for one in value.split(","))
        case "path" if value.startswith("="):
            return bool(job["key"] == value[1:].lstrip("/"))
        case "path":
            return glob(value, job["key"]) if "*" in value or "?" in value else has(job["key"], value)
        case "error":
            return has(error, value)
        case "priority":
            return within(value, job["priority"])
        case "age":
            return within(in_hours(value), job["age"])
        case "trigger":
            return has(f"{job['reason']} {job['actor']}", value)
        case "id":
            return str(job["id"]) in value.replace("#", "").split(",")
    return has(f"{job['key']} {error}", value)


def is_meant(wanted: list[Wanted], job: dict[str, Any]) -> bool:
    """What a line says of a job: any of several names, all of several parts of a text, and nothing that is negated."""
    for qualifier in VALUES:
        found = [matches(term, job) for term in wanted if term.qualifier == qualifier and not term.is_negated]
        is_any = qualifier in ("state", "kind", "site", "template", "worker", "id")
        if found and not (any(found) if is_any else all(found)):
            return False
    return not any(matches(term, job) for term in wanted if term.is_negated)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(job, max_size=8), wanted=terms)
def test_a_line_selects_what_it_says(database: Config, made: list[dict[str, Any]], wanted: list[Wanted]) -> None:
    rows = fill(made)
    search = parse(" ".join(map(str, wanted)), SITES)
    assert search.problems == ()
    assert len(search.explained) >= bool(wanted)
    expected = [row["id"] for row in rows if is_meant(wanted, row)]
    assert [row.id for row in administration.find(search.filter, "id", 100)] == expected
    acted = administration.delete(search.filter)
    assert sum(acted.values()) == len(expected)


@pytest.mark.parametrize(
    ("line", "sentence"),
    {
        "state:fialed": "state: “fialed” is no state. Do you mean “failed”? The states are pending, running, done,",
        "site:bolg": "site: “bolg” is no site of yours. Do you mean “blog”? Your sites are blog and news.",
        "status:done": "“status:” is no qualifier. Do you mean “state”? The qualifiers are state, kind,",
        'error:"half open': 'The quotation mark in error:"half open',
        "priority:high": "priority: “high” is not a priority; write 9, >5, <=5 or 5..9.",
        "age:10m": "age: “10m” is not an age; write >10m, <1h or 10m..2h.",
        "age:>10x": "“10x” is no length of time",
        "inserted:yesterday": "inserted: “yesterday” is not a day or time; write 2026-11-29",
        "inserted:2026-13-40": "“2026-13-40” is not a day or time",
        "id:twelve": "id: “twelve” is no number of a job; write 12, or 12,13.",
        "path:": "path: There is nothing after the colon",
        "-": "“-” says nothing to look for",
        "a\0b": "There is a character in the search that cannot be typed",
        " ".join(["word"] * 41): "A search has at most 1,000 characters and 40 terms",
    }.items(),
)
def test_a_mistake_is_told_and_selects_nothing(database: Config, line: str, sentence: str) -> None:
    fill([{"kind": "publish", "scope": "blog", "template": "", "key": "a", "state": "done", "priority": 1, "age": 0,
           "worker": None, "error_message": None, "reason": "", "actor": ""}])  # fmt: skip
    search = parse(f"{line} kind:publish", SITES)
    assert sentence in " ".join(search.problems)
    assert administration.find(search.filter) == []
    assert search.explained == ()


def test_moments_are_of_the_zone_of_the_sites() -> None:
    zone = ZoneInfo("Europe/Berlin")

    def at(text: str) -> float:
        return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()

    day, night = at("2026-11-29"), at("2026-11-30")
    for line, begin, end in (
        ("inserted:2026-11-29", day, night),
        ("inserted:>=2026-11-29", day, None),
        ("inserted:>2026-11-29", night, None),
        ("inserted:<2026-11-29", None, day),
        ("inserted:<=2026-11-29", None, night),
        ("inserted:2026-11-29..2026-11-30", day, at("2026-12-01")),
        ("inserted:>=2026-11-29T22:00 inserted:<2026-11-30", at("2026-11-29T22:00"), night),
        ("inserted:2026-11-29T22:00", at("2026-11-29T22:00"), at("2026-11-29T22:01")),
    ):
        assert parse(line, SITES, zone).filter == JobFilter(created_from=begin, created_until=end), line


def test_what_a_line_says_in_words() -> None:
    line = (
        'state:failed,pending template:archive.html path:2026/* error:"no filter" priority:>=5 -site:news age:>2h #12'
    )
    assert parse(line, SITES).explained == (
        "the state is failed or pending",
        "the template is archive.html",
        "the path matches “2026/*”",
        "the error contains “no filter”",
        "the priority is at least 5",
        "put on the queue 2 hours ago or earlier",
        "the number is 12",
        "not: the site is news",
    )


def test_the_state_of_a_line_can_be_changed() -> None:
    search = parse('state:failed error:"a b" -state:done -kind:mail', SITES)
    assert (search.state, search.in_state("pending")) == ("failed", 'state:pending error:"a b" -kind:mail')
    assert search.in_state(None) == 'error:"a b" -kind:mail'
    assert search.in_any_state() == parse('error:"a b" -kind:mail', SITES).filter
    assert parse("state:failed state:done", SITES).state is None


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read(text: str) -> None:
    search = parse(text, SITES)
    assert bool(search.problems) is (search.filter == JobFilter(ids=()))
    assert "".join("".join(term.source.split()) for term in split(text)) == "".join(text.split())


def test_every_qualifier_is_tried() -> None:
    assert {*VALUES, "inserted"} == {*QUALIFIERS, ""}
