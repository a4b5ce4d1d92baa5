"""A worker is killed after each statement and each file operation of one job, in turn; what follows puts all right."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.building import publish_job as publishing_kind
from appliance.building.docroot import Docroot
from appliance.config import Config, QueueSettings, validate
from appliance.queue import store
from appliance.queue.worker import Worker
from tests.local_site import LocalSite, archive, local_site
from tests.postgresql import Server

pytestmark = pytest.mark.slow

PAGE = "one/index.html"
#: What a worker does to files, by the names these have in `os`; writing comes beside them.
FILE_OPERATIONS = ("replace", "rename", "unlink", "mkdir", "rmdir", "chmod", "utime", "mkfifo")


class Killer:
    """Counts what this process does and kills it after step `last`; writes are then torn in the middle."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            try:
                return operation(*args, **kwargs)
            finally:
                self.step()

        return counted

    def watch(self) -> None:
        """From now on every statement, commit and file operation is a step."""
        opened = db.database.obj
        for name in ("execute_sql", "commit", "rollback"):
            setattr(opened, name, self.after(getattr(opened, name)))
        for name in FILE_OPERATIONS:
            setattr(os, name, self.after(getattr(os, name)))
        write = Path.write_bytes

        def torn(path: Path, data: bytes) -> int:
            write(path, data[: len(data) // 2])
            self.step()
            return write(path, data)

        Path.write_bytes = self.after(torn)  # type: ignore[method-assign]


class Still:
    def wait(self, timeout: float) -> bool:
        return False


def work(config: Config, last: int) -> None:
    """What the killed process does: everything a worker does for what is on the queue."""
    killer = Killer(last)
    db.open_database(config)
    kind = publishing_kind.publish_kind(config, Docroot(config.docroot, config.staging_folder))
    worker = Worker(f"here:{os.getpid()}", [kind], QueueSettings(), Still())
    killer.watch()
    worker.run(once=True)


def killed(config: Config, last: int) -> int | None:
    """Have a child work until step `last`; returns its process id if it did not get through."""
    db.disconnect()
    child = os.fork()
    if not child:
        code = 1
        try:
            work(config, last)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL)
    return child if code else None


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, archive("entry", "{slug}/index.html"), database=database.database) as made:
        yield made


def latest(path: str) -> tuple[str, int, str | None]:
    row = db.execute("SELECT op, version, digest FROM publication WHERE path = ? ORDER BY id DESC LIMIT 1", [path])
    return row.fetchone()


def stamp(file: Path) -> tuple[bytes, int] | None:
    return (file.read_bytes(), int(file.stat().st_mtime)) if file.exists() else None


def right(shop: LocalSite, expected: str | None) -> None:
    """The page is as it should be, the journal says so, and nothing else lies about."""
    file = shop.docroot / PAGE
    op, version, digest = latest(PAGE)
    if expected is None:
        assert (op, shop.tree()) == ("delete", {})
    else:
        assert shop.tree() == {PAGE: expected.encode()}
        assert (op, digest) == ("put", blake2b(file.read_bytes(), digest_size=32).hexdigest())
        assert int(file.stat().st_mtime) == version
    versions = [version for path, _, version in shop.journal() if path == PAGE]
    assert versions == sorted(set(versions)), "versions only rise"
    assert (store.count_unfinished(), store.recent_failures()) == (0, [])


def replace(docroot: Path, another: Path) -> None:
    """Make another docroot the same."""
    shutil.rmtree(another, ignore_errors=True)
    shutil.copytree(docroot, another)


def sweep(shop: LocalSite, change: Callable[[int], str | None], other: LocalSite | None = None) -> int:
    """Make a change, have a worker killed at each of its steps in turn, recover; returns the steps there were.

    With `other`, another publishing host does what the first one did not commit.
    """
    for step in count(1):
        expected = change(step)
        assert shop.publish()[0].artifact_count == (expected is not None)
        before, known = stamp(shop.docroot / PAGE), len(shop.journal())
        dead = killed(shop.config, step)
        left = stamp(shop.docroot / PAGE)
        assert left == before or left is None or left[0] == (expected or "").encode(), "never torn"
        committed = len(shop.journal()) > known
        # Another request comes before anybody has noticed: it may neither be lost nor collide with the dead run.
        if dead and step % 2:
            shop.publish(patterns=[PAGE])
        if dead:
            store.rescue(5, worker=f"here:{dead}")
        finishing = other if other and not committed else shop
        finishing.drain()
        right(finishing, expected)
        if other:
            assert db.execute("SELECT * FROM reservation").fetchall() == []
            replace(*(host.docroot for host in ((shop, other) if committed else (other, shop))))
        assert len(shop.journal()) == known + 1, "one effective publication for one change"
        if expected is not None and left and left != before and not committed:
            assert latest(PAGE)[1] > left[1], "what was shown before its commit is outdone by a higher version"
        if not dead:
            return step - 1
    raise AssertionError("it never got through")


def test_an_edited_page(shop: LocalSite) -> None:
    entry = shop.save("One", text="nothing yet", slug="one")
    shop.run()

    def edit(step: int) -> str:
        shop.save("One", text=f"step {step}", slug="one", entry=entry)
        return f"One|<p>step {step}</p>\n"

    assert sweep(shop, edit) > 20


def test_a_page_that_goes(shop: LocalSite) -> None:
    entry = shop.save("One", slug="one")

    def withdraw(step: int) -> None:
        shop.save("One", slug="one", entry=entry, status="published")
        shop.run()
        shop.save("One", slug="one", entry=entry, status="draft")

    assert sweep(shop, withdraw) > 15


def test_a_page_that_is_withdrawn_before_it_is_published(shop: LocalSite) -> None:
    """Nothing of it stays, though the journal may not know that it was there."""
    entry = shop.save("One", slug="one", status="draft")
    for step in count(1):
        shop.save("One", slug="one", entry=entry, status="published")
        shop.publish()
        dead = killed(shop.config, step)
        shop.save("One", slug="one", entry=entry, status="draft")
        shop.publish()
        if not dead:
            break
        store.rescue(5, worker=f"here:{dead}")
        shop.drain()
        assert not (shop.docroot / PAGE).exists()
    assert step > 15


@pytest.mark.parametrize("withdrawn", [False, True])
def test_what_another_host_finishes(postgres: Server, tmp_path: Path, withdrawn: bool) -> None:
    """It knows only its own docroot, and takes no version that the first host may have shown."""
    theme = archive("entry", "{slug}/index.html")
    shared = {"database": postgres.fresh(), "publishing_hosts": ["here", "there"]}
    with local_site(tmp_path, theme, **shared) as shop:
        settings = {**shop.config.model_dump(mode="json", exclude_unset=True), "host": "there"}
        other = LocalSite(tmp_path, validate({**settings, "docroot": str(tmp_path / "there")}, shop.config.path))
        entry = shop.save("One", text="nothing yet", slug="one")
        # So far ahead that the time which passes until the other host takes over is no excuse for another version.
        shop.publish()
        db.execute("UPDATE artifact SET version = 4000000000")
        shop.run()
        replace(shop.docroot, other.docroot)

        def edit(step: int) -> str | None:
            if not withdrawn:
                shop.save("One", text=f"step {step}", slug="one", entry=entry)
                return f"One|<p>step {step}</p>\n"
            shop.save("One", slug="one", entry=entry, status="published")
            shop.run()
            replace(shop.docroot, other.docroot)
            shop.save("One", slug="one", entry=entry, status="draft")
            return None

        assert sweep(shop, edit, other) > 15
