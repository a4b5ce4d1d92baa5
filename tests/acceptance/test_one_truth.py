"""One truth: after any sequence of changes the docroot is byte for byte what a rebuild from nothing gives, and what was
written on the way is exactly what differed."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from appliance.building import template_variables
from appliance.planning import changeset, sitemaps
from tests.acceptance.truth import World, world
from tests.conftest import empty

number = st.integers(0, 7)
FIELDS = (
    "title", "text", "slug", "published_at", "summary", "categories", "tags", "authors", "status", "kind", "folder",
    "allow_comments", "aliases", "address", "unpublish_at", "extra",
)  # fmt: skip
AFTER = st.sampled_from(["settle", "settle", "publish", "nothing"])


class Site(RuleBasedStateMachine):
    """Every change there is, in any order, published and built at any time."""

    database: str | None = None

    @initialize(posts=st.integers(2, 5))
    def begin(self, posts: int) -> None:
        self.stack = ExitStack()
        if self.database:
            empty(self.database)
        self.world: World = self.stack.enter_context(world(self.database))
        self.world.begin(posts)
        self.world.settle()

    def change(self, then: str, **given: Any) -> None:
        """Make a change, by the name of the rule that calls; then publish, or publish, build and compare, or go on."""
        name = sys._getframe(1).f_code.co_name
        getattr(self.world, name)(**given)
        if then == "publish":
            self.world.publish()
        elif then == "settle":
            self.settle()

    @rule(title=number, day=st.integers(0, 4), status=st.sampled_from(["published", "published", "draft"]),
          kind=st.sampled_from(["entry", "entry", "page"]), then=AFTER)  # fmt: skip
    def add(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=number, field=st.sampled_from(FIELDS), value=number, then=AFTER)
    def edit(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=number, other=number, then=AFTER)
    def link(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=number, then=AFTER)
    def delete(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=number, value=number, then=AFTER)
    def comment(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=number, value=st.integers(0, 3), then=AFTER)
    def moderate(self, **given: Any) -> None:
        self.change(**given)

    @rule(kind=st.sampled_from(["author", "category", "tag"]), which=number, value=number,
          what=st.sampled_from(["name", "slug", "merge", "delete", "parent"]), then=AFTER)  # fmt: skip
    def term(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=st.integers(0, 2), value=number, then=AFTER)
    def upload(self, **given: Any) -> None:
        self.change(**given)

    @rule(which=number, then=AFTER)
    def remove_upload(self, **given: Any) -> None:
        self.change(**given)

    @rule(how=st.sampled_from(["upload", "address", "alias", "name", "name"]), which=number, where=st.integers(0, 15),
          then=AFTER)  # fmt: skip
    def clash(self, **given: Any) -> None:
        self.change(**given)

    @rule(what=st.sampled_from(["toml", "static/a.css", "entry.html", "macros.html", "listing.html", "card.html"]),
          value=number, then=AFTER)  # fmt: skip
    def theme(self, **given: Any) -> None:
        self.change(**given)

    @rule(field=st.sampled_from(["title", "timezone", "settings", "empty_archives", "week_starts"]), value=number,
          then=AFTER)  # fmt: skip
    def settings(self, **given: Any) -> None:
        self.change(**given)

    @rule(hours=st.sampled_from([1, 2, 30]), then=AFTER)
    def pass_time(self, **given: Any) -> None:
        self.change(**given)

    def settle(self) -> None:
        self.world.settle()
        assert self.world.shop.tree() == self.world.rebuilt()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.settle()
        finally:
            self.stack.close()


def run(database: str | None, examples: int) -> None:
    machine = type("Site", (Site,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("APPLIANCE_EXAMPLES", examples)),
            stateful_step_count=15,
            deadline=None,
            derandomize="APPLIANCE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def test_incremental_publishing_equals_a_rebuild_on_sqlite() -> None:
    run(None, 30)


def test_incremental_publishing_equals_a_rebuild_on_postgresql(request: pytest.FixtureRequest) -> None:
    run(request.getfixturevalue("_postgres_url"), 10)


def test_a_large_site_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done otherwise on large sites: sitemaps in parts, and all looked at when much moved at once."""
    for module in (sitemaps, template_variables):
        monkeypatch.setattr(module, "BLOCK_SIZE", 3)
    monkeypatch.setattr(changeset, "FULL_SYNC_THRESHOLD", 1)
    run(None, 10)
