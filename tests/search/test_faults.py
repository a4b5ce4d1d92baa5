"""A process is killed after each statement of what indexes; and an import of many entries stays bounded."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.content.models import Entry, Site
from appliance.importing.markdown.importer import import_folder
from appliance.search import index
from appliance.search.query import find
from tests.local_site import LocalSite
from tests.search import oracle

pytestmark = pytest.mark.slow


def killed(blog: LocalSite, step: int, work: Callable[[], object]) -> bool:
    """Have a child do some work until it has sent so many statements; returns whether it was killed on the way."""
    db.disconnect()
    child = os.fork()
    if not child:
        code = 1
        try:
            db.open_database(blog.config)
            _kill_after(step)
            work()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _kill_after(step: int) -> None:
    opened, steps = db.database.obj, count(1)

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*args: Any, **kwargs: Any) -> Any:
            try:
                return operation(*args, **kwargs)
            finally:
                if next(steps) == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        return counts

    for name in ("execute_sql", "commit", "rollback"):
        setattr(opened, name, counted(getattr(opened, name)))


def test_what_a_killed_process_left_is_caught_up(blog: LocalSite) -> None:
    """While it reads what was never read, and what changed."""
    for number in range(4):
        blog.save(f"Post {number}", text="harbour")
    for step in count(1):
        db.execute("DELETE FROM search_state")
        db.execute("UPDATE entry SET title = ? WHERE id <= 2", [f"Step {step}"])
        was_killed = killed(blog, step, lambda: index.catch_up(60))
        index.catch_up(60)
        assert oracle.stored() == oracle.expected(), step
        if not was_killed:
            break
    assert step > 15


def test_an_edit_whose_process_is_killed_is_indexed_if_it_was_saved(blog: LocalSite) -> None:
    entry = blog.save("First", text="harbour")
    index.catch_up(60)
    for step in count(1):
        title = f"Edit {step}"
        was_killed = killed(blog, step, lambda: blog.save(title, text="lantern", slug="first", entry=entry))  # noqa: B023
        # What is saved is indexed by the same commit, so that nothing is left for the task.
        assert oracle.stored() == oracle.expected(), step
        assert index.next_due() is None
        entry = Entry.get_by_id(entry.id)
        if not was_killed:
            break
    assert entry.title == title
    assert step > 10


def test_an_import_stays_bounded_and_is_caught_up(
    blog: LocalSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its transactions reads a few entries at most; the task reads the others, also after it was killed."""
    folder, posts = tmp_path / "posts", 330
    folder.mkdir()
    for number in range(posts):
        text = f"+++\ntitle = 'Post {number}'\ndate = 2026-01-01T00:00:{number % 60:02}Z\n+++\n\nThe harbour.\n"
        (folder / f"post-{number}.md").write_text(text)
    read: list[int] = []
    save = index._save
    monkeypatch.setattr(index, "_save", lambda documents: (read.append(len(documents)), save(documents)))
    report = import_folder(blog.config, "blog", folder)
    assert (report.texts["added"], Entry.select().count()) == (posts, posts)
    assert 0 < max(read) <= index._AT_ONCE
    assert sum(read) < posts / 2
    assert killed(blog, 30, lambda: index.catch_up(60))
    steps: list[int] = []
    while index.next_due() is not None:
        steps.append(index.catch_up(0.0))
    assert len(steps) > 5
    assert max(steps) <= index._STEP
    assert oracle.stored() == oracle.expected()
    blog.run()
    assert find(Site.get(), "harbour").total == posts
