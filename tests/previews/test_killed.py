"""A worker that is killed in the middle of a build: the preview is built all the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from appliance import db, previews
from appliance.previews import store
from tests.local_site import archive, index, write_theme
from tests.preview_stack import preview_stack

pytestmark = pytest.mark.slow

MANIFEST = index("index.html") + archive("entry", "{year}/{slug}/index.html") + archive("page", "{slug}.html")
#: Rendering it takes longer than killing a worker.
SLOW = "{% for one in range(40000) %}{% for two in range(1000) %}{% endfor %}{% endfor %}{{ entry.title }}"
_RUNNING = "SELECT worker, attempt FROM job WHERE kind = 'preview' AND state = 'running'"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_build_that_was_killed_is_done_again(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres").fresh() if kind == "postgresql" else ""
    files = {"entry.html": "{{ entry.title }}", "listing.html": "", "redirect.html": ""}
    theme = write_theme(tmp_path / "theme", MANIFEST, files)
    with preview_stack(tmp_path, url, theme="theme") as stack:
        (theme / "entry.html").write_text(SLOW, "utf-8")
        link = stack.share(stack.draft)
        worker, attempt = stack.await_that(lambda: db.execute(_RUNNING).fetchone())
        (theme / "entry.html").write_text("{{ entry.title }}, after all", "utf-8")
        os.kill(int(worker.rpartition(":")[2]), signal.SIGKILL)
        stack.await_that(lambda: previews.list_links(stack.config, "blog").rows[0].build == "ready")
        found = previews.find(link.rpartition("/")[2])
        assert found is not None
        assert found.fault == ""
        assert store.read_file(stack.draft.id, [found.page]) == (found.page, b"Draft, after all")
        done = db.execute("SELECT MAX(attempt) FROM job WHERE kind = 'preview' AND state = 'done'").fetchone()[0]
        assert done > attempt
