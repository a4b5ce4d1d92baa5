"""A published file and what would be built now: compared by a worker, without publishing anything."""

from __future__ import annotations

import pytest

from appliance import audit, db
from appliance.building import comparison_job, comparisons
from appliance.building.comparisons import COMPARE
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.worker import Batch
from tests.building.conftest import OpenSite
from tests.local_site import LocalSite, archive, index, stamps

MANIFEST = index("index.html") + archive("entry", "{slug}.html")


def change_template(shop: LocalSite, text: str) -> None:
    (shop.theme.folder / "entry.html").write_text(text, "utf-8")


def run_comparisons(shop: LocalSite) -> None:
    (kind,) = [one for one in registry.kinds(shop.config) if one.name == COMPARE]
    claims = store.claim("host:1", [COMPARE], 10, 30.0)
    for claim in claims:  # one at a time, as the handler wants them
        kind.perform([claim], Batch(kind, [claim], shop.config.queue, lambda: False))


def test_what_would_be_built_is_shown_and_not_published(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    shop.save("One", text="Fog.")
    shop.run()
    before, journal = stamps(shop.docroot), shop.journal()
    artifact = db.execute("SELECT * FROM artifact WHERE path = 'one.html'").fetchone()
    change_template(shop, "<h1>{{ entry.title }}</h1>\n{{ entry.html }}\n")
    comparisons.request(shop.config, "blog", "one.html")
    state = comparisons.find("one.html")
    assert state is not None
    assert (state.is_awaited, state.comparison) == (True, None)
    run_comparisons(shop)
    state = comparisons.find("one.html")
    assert state is not None
    assert not state.is_awaited
    made = state.comparison
    assert made is not None
    assert made.result == "differs"
    assert [line for line in made.lines if line[0] in "+-"] == [
        ("-", "One|<p>Fog.</p>"), ("+", "<h1>One</h1>"), ("+", "<p>Fog.</p>"),
    ]  # fmt: skip
    sizes = (made.published_size, made.built_size)
    assert sizes == ((shop.docroot / "one.html").stat().st_size, len("<h1>One</h1>\n<p>Fog.</p>\n"))
    assert (stamps(shop.docroot), shop.journal()) == (before, journal)
    assert db.execute("SELECT * FROM artifact WHERE path = 'one.html'").fetchone() == artifact
    assert audit.list_audit(audit.AuditFilter(action="job.compare")).rows[0].subject_id == "one.html"


def test_a_broken_template_is_told_with_its_lines(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    shop.save("One")
    shop.run()
    change_template(shop, "<p>\n{{ entry.titel }}\n</p>\n")
    made = comparison_job.compare(shop.config, "one.html")
    assert (made.result, made.excerpt and (made.excerpt.file, made.excerpt.line)) == ("broken", ("entry.html", 2))
    assert made.excerpt
    assert made.excerpt.lines == ("<p>", "{{ entry.titel }}", "</p>")
    assert "titel" in made.message


def test_all_other_results(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST, {"static/a.bin": "a"})
    shop.save("One")
    shop.run()
    compare = comparison_job.compare
    assert compare(shop.config, "one.html").result == "same"
    assert compare(shop.config, "two.html").result == "gone"
    (shop.docroot / "theme/a.bin").write_bytes(b"\0b")
    assert compare(shop.config, "theme/a.bin").result == "opaque"
    (shop.docroot / "one.html").unlink()
    made = compare(shop.config, "one.html")
    assert (made.result, made.published_size) == ("differs", None)
    assert {mark for mark, _ in made.lines} == {"+"}


def test_what_is_kept_is_bounded(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    shop.save("One")
    shop.run()
    change_template(shop, "{% for n in range(5000) %}{{ n }} {{ 'x' * 2000 }}\n{% endfor %}")
    made = comparison_job.compare(shop.config, "one.html")
    assert (len(made.lines), "first 1,000 lines" in made.message) == (1000, True) or made.result == "opaque"
    change_template(shop, "{% for n in range(5000) %}{{ n }}\n{% endfor %}")
    made = comparison_job.compare(shop.config, "one.html")
    assert (len(made.lines), "first 1,000 lines" in made.message) == (1000, True)


def test_questions_fold_and_old_answers_go(open_site: OpenSite) -> None:
    shop = open_site(MANIFEST)
    shop.save("One")
    shop.run()
    for _ in range(3):
        comparisons.request(shop.config, "blog", "one.html")
    rows = db.execute("SELECT scope, triggers FROM job WHERE kind = ?", [COMPARE]).fetchall()
    assert [tuple(row) for row in rows] == [("blog", 3)]
    assert comparisons.prune() == 0
    assert comparisons.prune(-1.0) == 1
    run_comparisons(shop)  # answers a question that nobody waits for any more
    assert comparisons.find("one.html") is None


@pytest.mark.parametrize("text", ["", "x"])
def test_an_awaited_comparison_keeps_the_one_before(open_site: OpenSite, text: str) -> None:
    shop = open_site(MANIFEST)
    shop.save("One")
    shop.run()
    comparisons.request(shop.config, "blog", "one.html")
    run_comparisons(shop)
    change_template(shop, text)
    comparisons.request(shop.config, "blog", "one.html")
    state = comparisons.find("one.html")
    assert state is not None
    assert state.comparison
    assert (state.is_awaited, state.comparison.result) == (True, "same")
