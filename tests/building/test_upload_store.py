"""Uploads' bytes on publishing hosts that did not take them, and on one that lost them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from appliance import clock, db, running
from appliance.building import upload_store
from appliance.config import Config
from appliance.content import assets
from appliance.content.models import Asset
from appliance.errors import UploadElsewhere
from appliance.exporting import markdown
from appliance.queue import processes, store
from tests.local_site import LocalSite, archive, stamps
from tests.postgresql import Server

from .conftest import OpenSite

THEME = archive("entry", "{slug}/index.html") + "[thumbnails]\nwidths = [10]\n"
HOSTS = [{"name": name, "address": f"publish@{name}.example:/www", "other_path": True} for name in ("here", "there")]

OpenShop = Callable[[], LocalSite]


@pytest.fixture
def open_several(open_site: OpenSite, postgres: Server) -> OpenShop:
    """Opens one of two publishing hosts; whether the other one has a daemon is for the test to say."""
    return lambda: open_site(THEME, database=postgres.fresh(), publishing_hosts=HOSTS)


def picture(colour: str = "red") -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 40), colour).save(out, "PNG")
    return out.getvalue()


def forget(shop: LocalSite) -> None:
    """What another host took: nothing of it is in this one's assets folder."""
    shutil.rmtree(shop.config.assets_folder)


def kept(shop: LocalSite, asset: Asset) -> bool:
    return assets.stored_path(shop.config, asset.digest).is_file()


def waiting() -> dict[str, tuple[str, int, str]]:
    """What is on the queue: state, runs that counted, and the last error, by path."""
    rows = db.execute("SELECT key, state, failures, error_message FROM job WHERE state IN ('pending', 'running')")
    return {key: (state, failures, message) for key, state, failures, message in rows.fetchall()}


def test_what_is_published_is_kept_again(open_site: OpenSite) -> None:
    shop = open_site(THEME)
    asset = shop.upload("cat.png", picture())
    shop.run()
    before, files = shop.tree(), stamps(shop.docroot)
    forget(shop)
    shop.run(everything=True, force=True)
    assert kept(shop, asset)
    assert assets.file_digest(assets.stored_path(shop.config, asset.digest)) == asset.digest
    assert (shop.tree(), stamps(shop.docroot)) == (before, files)
    assert sorted(before) == ["cat-10w.png", "cat.png"]
    assert [f for f in shop.config.assets_folder.iterdir() if f.name.startswith(".new")] == []


def test_other_bytes_are_not_kept_for_it(open_site: OpenSite) -> None:
    shop = open_site(THEME)
    asset = shop.upload("cat.png", picture())
    shop.run()
    forget(shop)
    file = shop.docroot / "cat.png"
    file.write_bytes(picture("blue"))
    assert upload_store.find_upload(shop.config, asset.id, asset.digest) is None
    file.unlink()
    assert upload_store.find_upload(shop.config, asset.id, asset.digest) is None
    assert [f for f in shop.config.assets_folder.rglob("*") if f.is_file()] == []
    shop.publish(everything=True, force=True)
    shop.drain(retries=9)
    assert "the upload's bytes are missing" in shop.failed()["cat.png"], "one host alone has nobody to wait for"


def test_what_moves_is_kept_before_its_file_is_deleted(open_site: OpenSite) -> None:
    shop = open_site(THEME)
    asset = shop.upload("cat.png", picture())
    gone = shop.upload("dog.png", picture("blue"))
    shop.run()
    forget(shop)
    assets.move(asset, "lion.png")
    assets.delete(gone)
    shop.run()
    assert sorted(shop.tree()) == ["lion-10w.png", "lion.png"]
    assert shop.tree()["lion.png"] == picture()
    assert (kept(shop, asset), kept(shop, gone)) == (True, False)


def test_an_upload_that_is_nowhere_here_waits_for_its_host(open_several: OpenShop) -> None:
    shop = open_several()
    asset = shop.upload("cat.png", picture())
    aside = shop.config.assets_folder.rename(shop.folder / "there")
    shop.save("Hello")
    shop.publish()
    for _ in range(8):  # more often than a job may fail
        began = db.now()
        shop.drain()
        due = db.execute("SELECT MIN(run_at), MAX(run_at) FROM job WHERE state = 'pending'").fetchone()
        assert all(began + 0.5 < moment <= db.now() + 1.5 for moment in due)  # however long the drain took
        db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
    assert list(shop.tree()) == ["hello/index.html"]
    assert {path: (state, count) for path, (state, count, _) in waiting().items()} == {
        "cat.png": ("pending", 0), "cat-10w.png": ("pending", 0),
    }  # fmt: skip
    sentence = waiting()["cat.png"][2]
    assert sentence.startswith("cat.png: the upload's bytes are on another publishing host, which publishes it when")
    with pytest.raises(UploadElsewhere):
        upload_store.require_upload(shop.config, asset.id, asset.digest, "cat.png")
    aside.rename(shop.config.assets_folder)  # now the host that has it takes the jobs
    shop.drain()
    assert store.count_unfinished() == 0
    assert sorted(shop.tree()) == ["cat-10w.png", "cat.png", "hello/index.html"]


def test_a_drain_does_not_wait_for_a_host_that_is_not_there(open_several: OpenShop) -> None:
    shop = open_several()
    shop.upload("cat.png", picture())
    forget(shop)
    shop.save("Hello")
    shop.publish()
    began = clock.monotonic()
    drained = running.drain(without_couriers(shop.config), workers=1)
    assert clock.monotonic() - began < 10
    assert sorted(path for path, _ in drained.waiting) == ["cat-10w.png", "cat.png"]
    assert (drained.failed, store.count_unfinished(), list(shop.tree())) == ([], 2, ["hello/index.html"])


def test_a_drain_waits_for_a_host_that_is_at_work(open_several: OpenShop) -> None:
    shop = open_several()
    there = processes.RegisteredProcess("worker", "there")
    there.register()
    shop.upload("cat.png", picture())
    aside = shop.config.assets_folder.rename(shop.folder / "there")
    shop.publish()
    looks = 0

    def progress(_done: int, _total: int, _behind: int) -> None:
        nonlocal looks
        looks += 1
        if store.waiting_after_error("UploadElsewhere") and aside.exists():
            aside.rename(shop.config.assets_folder)  # stands for the other host, which has it

    drained = running.drain(without_couriers(shop.config), workers=1, progress=progress)
    assert (looks > 1, drained.waiting, store.count_unfinished()) == (True, [], 0)
    assert sorted(shop.tree()) == ["cat-10w.png", "cat.png"]


def without_couriers(config: Config) -> Config:
    """The same with nobody to send to: the other host has no address, as one that is only named."""
    hosts = [host.model_copy(update={"address": ""}) for host in config.publishing_hosts]
    return config.model_copy(update={"publishing_hosts": hosts})


def test_an_export_has_what_the_docroot_has(open_site: OpenSite, tmp_path: Path) -> None:
    shop = open_site(THEME)
    asset = shop.upload("cat.png", picture())
    shop.run()
    forget(shop)
    upload_store.keep_published_uploads(shop.config, shop.site)
    assert kept(shop, asset)
    markdown.export(shop.config, "blog", tmp_path / "exported")
    assert [f.read_bytes() for f in (tmp_path / "exported").rglob("cat.png")] == [picture()]
