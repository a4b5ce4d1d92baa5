"""The disks of hosts, as each of them saw its own last."""

from __future__ import annotations

import shutil

from appliance import db
from appliance.config import Config
from appliance.history import disks


def test_a_host_says_what_is_free_below_its_docroot_and_how_large_the_database_is(database: Config) -> None:
    disks.look(database)
    docroot, base = disks.read()
    assert (docroot.host, docroot.holds, docroot.used) == (database.host_name, "docroot", None)
    assert docroot.total == shutil.disk_usage(database.path.parent).total
    assert docroot.free is not None and 0 < docroot.free < docroot.total
    assert base.holds == "database" and base.used is not None and base.used > 100_000
    assert (base.total is None) == bool(database.database_url)


def test_a_shared_docroot_that_is_away_is_told(database: Config) -> None:
    disks.look(database.model_copy(update={"shared": "other"}))
    assert str(database.docroot) in (disks.read()[0].fault or "")
    disks.look(database)
    assert disks.read()[0].fault is None


def test_a_host_that_looks_no_more_is_forgotten_after_a_day(database: Config) -> None:
    disks.look(database.model_copy(update={"host": "gone"}))
    assert {disk.host for disk in disks.read()} == {"gone"}
    db.backend().now_at(86_401)
    disks.look(database)
    db.backend().now_at(0.0)
    assert {disk.host for disk in disks.read()} == {database.host_name}
