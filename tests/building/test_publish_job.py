"""What reaches the docroot and the journal: whole files, nothing unneeded, versions that never go back."""

from __future__ import annotations

import os
import random
import signal
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from appliance import db
from appliance.building import publish_job, thumbnails
from appliance.building.docroot import Docroot
from appliance.building.publish_job import Publisher
from appliance.building.thumbnails import Resizer
from appliance.content import assets, entries
from appliance.delivery import journal
from appliance.errors import DocrootError, ImageFailure
from appliance.planning.steps import ShortSteps
from appliance.queue import administration, store
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import JobRequest, enqueue
from tests.building.conftest import OpenSite
from tests.local_site import archive, index, local_site, refuses_root, stamps

FROM_NEWEST = 'paginate = 2\ncount_pages_from = "newest"'
SMALL = index("index.html") + archive("entry", "{slug}.html")


def test_unchanged_bytes_are_neither_written_nor_journalled(open_site: OpenSite) -> None:
    shop = open_site(SMALL + "[thumbnails]\nwidths = [10]\n", {"static/a.css": "a"})
    for number in range(3):
        shop.save(f"e{number}")
    out = BytesIO()
    Image.new("L", (20, 20)).save(out, "PNG")
    shop.upload("cat.png", out.getvalue())
    shop.run()
    before, journal = stamps(shop.docroot), shop.journal()
    assert sorted(before) == ["cat-10w.png", "cat.png", "e0.html", "e1.html", "e2.html", "index.html", "theme/a.css"]
    shop.run(everything=True)
    assert stamps(shop.docroot) == before
    assert shop.journal() == journal
    outcomes = db.execute("SELECT outcome, COUNT(*) FROM job GROUP BY outcome ORDER BY outcome").fetchall()
    assert [tuple(row) for row in outcomes] == [("changed", 7), ("unchanged", 7)]
    shop.save("e9")
    shop.run()
    written = {path for path, stamp in stamps(shop.docroot).items() if before.get(path) != stamp}
    assert written == {"e9.html", "index.html"}
    assert [path for path, _, _ in shop.journal()[len(journal) :]].count("index.html") == 1


def test_versions_only_grow(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    entry = shop.save("One")
    shop.run()
    for number in range(4):  # all within a second or two
        shop.save("One", entry=entry, text=str(number))
        shop.run()
    entries.delete(entry)
    shop.run()
    shop.save("One", text="back")
    shop.run()
    rows = [(op, version) for path, op, version in shop.journal() if path == "one.html"]
    assert [op for op, _ in rows] == ["put"] * 5 + ["delete", "put"]
    versions = [version for _, version in rows]
    assert versions == sorted(set(versions))
    assert int((shop.docroot / "one.html").stat().st_mtime) == versions[-1]


def test_a_clock_that_was_set_back_changes_nothing(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    entry = shop.save("One")
    shop.run()
    db.execute("UPDATE artifact SET version = 4000000000, digest = 'other' WHERE path = 'one.html'")
    shop.save("One", entry=entry, text="new")
    shop.run()
    assert int((shop.docroot / "one.html").stat().st_mtime) == 4_000_000_001


@pytest.mark.parametrize("harm", ["edited", "touched", "removed", "emptied"])
def test_publishing_everything_restores_what_was_tampered_with(open_site: OpenSite, harm: str) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    shop.run()
    whole, file = shop.tree(), shop.docroot / "one.html"
    if harm == "edited":
        file.write_bytes(b"x" * file.stat().st_size)
    elif harm == "touched":
        os.utime(file, (1, 1))
    elif harm == "removed":
        file.unlink()
    else:
        file.write_bytes(b"")
    shop.run(everything=True)
    assert shop.tree() == whole
    assert [path for path, _, _ in shop.journal()].count("one.html") == 2


def test_a_docroot_that_was_lost_is_made_again(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.save("One", slug="deep", address="a/b/c/page.html")
    shop.run()
    whole = shop.tree()
    shop.docroot.rename(shop.folder / "lost")
    shop.run(everything=True)
    assert shop.tree() == whole


@pytest.mark.parametrize("interval", [60.0, -1.0], ids=["in one commit", "one by one"])
def test_a_file_becomes_a_folder_and_a_folder_a_file(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch, interval: float
) -> None:
    monkeypatch.setattr(publish_job, "_COMMIT_INTERVAL", interval)
    shop = open_site(SMALL)
    entry, other = shop.save("One", address="x.html"), shop.save("Two", address="y.html/index.html")
    shop.run()
    assert sorted(shop.tree()) == ["index.html", "x.html", "y.html/index.html"]
    for turn in range(2):
        a, b = (("x.html/index.html", "y.html"), ("x.html", "y.html/index.html"))[turn]
        shop.save("One", entry=entry, address=a)
        shop.save("Two", entry=other, address=b)
        shop.publish()
        shop.drain()
        assert shop.failed() == {}
        assert sorted(shop.tree()) == sorted(["index.html", a, b]), "in one go, without a retry"


def test_the_same_when_the_jobs_run_one_by_one_in_any_order(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    entry = shop.save("One", address="x.html")
    shop.run()
    for address in ("x.html/index.html", "x.html", "x.html/y.html/index.html", "x.html"):
        shop.save("One", entry=entry, address=address)
        shop.publish()
        # The new file first: its place is taken until the old one is gone.
        db.execute("UPDATE job SET run_at = run_at + 60 WHERE state = 'pending' AND key <> ?", [address])
        shop.drain()
        shop.drain(retries=3)
        assert shop.failed() == {}
        assert sorted(shop.tree()) == sorted(["index.html", address])


def test_a_deletion_whose_place_was_taken_by_a_folder_is_done(tmp_path: Path) -> None:
    """As after a crash between the renames of a batch and its commit."""
    (tmp_path / "www" / "a").mkdir(parents=True)
    (tmp_path / "www" / "a" / "index.html").write_text("new")
    docroot = Docroot(tmp_path / "www", tmp_path / "staging")
    docroot.delete("a")
    docroot.delete("a/index.html/b")
    docroot.delete("gone/b")
    assert (tmp_path / "www" / "a" / "index.html").read_text() == "new"
    docroot.delete("a/index.html")
    assert list((tmp_path / "www").iterdir()) == []
    assert (tmp_path / "www").is_dir()


def test_what_is_published_is_readable_for_all_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "www").mkdir()
    docroot = Docroot(tmp_path / "www", tmp_path / "staging")
    before = os.umask(0o077)
    try:
        docroot.put(docroot.stage(b"seen", 1), "2026/11/page.html")
    finally:
        os.umask(before)
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "www").rglob("*")}
    assert modes == {"2026": 0o755, "11": 0o755, "page.html": 0o644}


def test_a_worker_killed_before_the_rename_leaves_nothing_served(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_site(SMALL)
    entry = shop.save("One", text="old")
    shop.run()
    before = shop.tree()
    shop.save("One", entry=entry, text="new")
    shop.publish()
    path = shop.config.database_file
    db.database.close()
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Docroot, "put", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        db.open_database(shop.config)
        shop.kind = None
        shop.drain()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    db.database.connect()
    assert path.exists()
    assert shop.tree() == before, "the old page is served until the new one is whole"
    assert list(shop.config.staging_folder.iterdir()), "it had been staged"
    db.execute("UPDATE job SET lease_until = 0 WHERE state = 'running'")
    store.rescue(5)
    shop.drain(retries=2)
    assert "new" in shop.text("one.html")
    Docroot.prepare(shop.config).sweep(older_than=-1)
    assert [f for f in shop.config.staging_folder.iterdir() if f.name[0] != "."] == []


def test_a_commit_that_fails_leaves_the_job_to_be_done_again(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    shop.publish()
    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", _full)
        shop.drain()
    assert shop.journal() == []
    shop.drain(retries=2)
    assert sorted(shop.tree()) == sorted(path for path, _, _ in shop.journal()) == ["index.html", "one.html"]
    for path, _, version in shop.journal():
        assert int((shop.docroot / path).stat().st_mtime) == version


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_lost_lease_publishes_nothing(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    shop.publish()
    stage = Docroot.stage

    def steal(self: Docroot, content: bytes, version: int) -> Path:
        db.execute("UPDATE job SET attempt = attempt + 1 WHERE state = 'running'")
        return stage(self, content, version)

    with monkeypatch.context() as patch:
        patch.setattr(Docroot, "stage", steal)
        shop.drain()
    assert shop.tree() == {}
    assert shop.journal() == []
    assert [f for f in shop.config.staging_folder.iterdir() if f.name[0] != "."] == []


def test_a_docroot_that_cannot_be_used_is_refused(open_site: OpenSite, tmp_path: Path) -> None:
    shop = open_site(SMALL)
    shop.save("One")
    shop.docroot.write_text("a file")
    with pytest.raises(DocrootError, match=r"docroot: .* is a file; move it away"):
        shop.publish()
    assert shop.docroot.read_text() == "a file"
    assert db.execute("SELECT COUNT(*) FROM job WHERE kind = 'publish'").fetchone()[0] == 0


@refuses_root()
def test_a_docroot_that_cannot_be_written_is_refused(open_site: OpenSite) -> None:
    shop = open_site(SMALL)
    shop.docroot.mkdir()
    shop.docroot.chmod(0o555)
    with pytest.raises(DocrootError, match="cannot be written"):
        shop.publish()


# Pictures that cannot be made smaller.


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that claims so many black pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    data = b"".join(packer.compress(row * 100) for _ in range(max(1, height // 100))) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def noise(form: str, size: int = 64, **options: object) -> bytes:
    out = BytesIO()
    pixels = random.Random(1).randbytes(size * size * 3)
    Image.frombytes("RGB", (size, size), pixels).save(out, form, **options)
    return out.getvalue()


HARMFUL = {
    "bomb.png": (bomb(20_000, 20_000), "pixels"),
    "cut.jpg": (noise("JPEG")[:-200], "truncated"),
    "cut.png": (noise("PNG")[:-3000], ""),
    "claims.png": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)), ""),
    "liar.png": (noise("GIF"), "cannot identify"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_picture_fails_its_own_job(open_site: OpenSite, name: str) -> None:
    content, says = HARMFUL[name]
    shop = open_site(index("index.html") + "[thumbnails]\nwidths = [10]\n")
    shop.save("One")
    asset = shop.upload(name, content)
    # As if only its header had been read when it came.
    db.execute("UPDATE asset SET width = 64, height = 64 WHERE id = ?", [asset.id])
    good = shop.upload("good.jpg", noise("JPEG"))
    assert good.width == 64
    shop.publish()
    shop.drain()
    stem, _, suffix = name.partition(".")
    told = shop.failed()
    assert list(told) == [f"{stem}-10w.{suffix}"], "it failed at once, and alone"
    sentence = told[f"{stem}-10w.{suffix}"]
    assert "the picture cannot be made smaller: " in sentence
    assert sentence.endswith("; replace the picture")
    assert says in sentence
    assert "Traceback" not in sentence
    assert sorted(shop.tree()) == sorted([name, "good.jpg", "good-10w.jpg", "index.html"])
    shop.upload(name, noise({"jpg": "JPEG", "png": "PNG"}[suffix]))
    shop.run()
    assert f"{stem}-10w.{suffix}" in shop.tree()


def test_an_animated_picture_is_shown_by_its_first_image(open_site: OpenSite) -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    shop = open_site("[thumbnails]\nwidths = [10]\n")
    shop.upload("wave.webp", out.getvalue())
    shop.run()
    with Image.open(shop.docroot / "wave-10w.webp") as small:
        assert small.size == (10, 10)
        assert small.convert("RGB").getpixel((5, 5))[0] > 200  # type: ignore[index]


def test_a_turned_picture_stands_upright(open_site: OpenSite) -> None:
    out = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30)).save(out, "JPEG", exif=exif)
    shop = open_site("[thumbnails]\nwidths = [10]\n")
    asset = shop.upload("turned.jpg", out.getvalue())
    assert (asset.width, asset.height) == (30, 60)
    shop.run()
    with Image.open(shop.docroot / "turned-10w.jpg") as small:
        assert small.size == (10, 20)


def test_a_picture_process_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "SECONDS", 0.2)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)  # opening it waits for ever
    resizer = Resizer()
    with pytest.raises(ImageFailure, match=r"took more than 0\.2 s"):
        resizer.resize(pipe, tmp_path / "out.png", 10, 80, "pipe-10w.png")
    monkeypatch.setattr(thumbnails, "SECONDS", 20)
    (tmp_path / "good.png").write_bytes(noise("PNG"))
    resizer.resize(tmp_path / "good.png", tmp_path / "out.png", 10, 80, "good-10w.png")
    resizer.close()
    assert (tmp_path / "out.png").exists()


def test_smaller_copies_are_made_once(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_site("[thumbnails]\nwidths = [10]\n")
    asset = shop.upload("cat.png", noise("PNG"))
    shop.run()
    monkeypatch.setattr(Resizer, "resize", lambda *_: pytest.fail("made again"))
    assets.delete(asset)
    shop.run()
    assert shop.tree() == {}
    shop.upload("dog.png", noise("PNG"))
    shop.run()
    assert sorted(shop.tree()) == ["dog-10w.png", "dog.png"]


def peak() -> int:
    """The most memory this process has held since it was told to begin anew, in KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])


def test_memory_does_not_grow_with_the_site(open_site: OpenSite) -> None:
    shop = open_site(SMALL, {"listing.html": "{{ listing.total }}"})
    with db.write():
        for number in range(400):
            shop.save(f"e{number}", text="word " * 4_000, format="html")
    shop.publish()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # else the peak is that of any test before
    except OSError:
        pytest.skip("this system does not let a process measure its peak of memory anew")
    before = peak()
    shop.drain()
    grown = peak() - before
    assert len(shop.tree()) == 401
    assert grown < 40_000, "8 MB of text in batches of 50: a few of them at a time"


def test_what_is_withdrawn_while_it_is_built_for_the_first_time_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no file when that is planned, so nothing is asked of the queue then."""
    with local_site(tmp_path, archive("entry", "{slug}.html")) as shop:
        one = shop.save("One")
        shop.publish()
        record = Publisher._publish

        def withdraw(*arguments: Any) -> None:
            monkeypatch.setattr(Publisher, "_publish", record)
            shop.save("One", entry=one, status="draft")
            shop.publish()
            record(*arguments)

        monkeypatch.setattr(Publisher, "_publish", withdraw)
        shop.drain()
        assert shop.tree() == {}


def test_a_template_that_fails_between_two_steps_of_a_plan_is_built_again(open_site: OpenSite) -> None:
    """What it met is gone when the plan ends; if the plan is given up, the failure is what it seems."""
    shop = open_site(SMALL, {"listing.html": "{{ listing.entries[0].title }}"})
    shop.save("One")
    shop.publish()
    steps = ShortSteps(shop.site)
    for is_wanted in (False, True):
        with steps.write():
            db.execute("UPDATE artifact SET wanted = ? WHERE type = 'entry'", [is_wanted])
        shop.drain()
        shop.drain(retries=2)
        assert (shop.failed(), (shop.docroot / "index.html").exists()) == ({}, is_wanted)
    with steps.write():
        db.execute("UPDATE artifact SET wanted = false WHERE type = 'entry'")
    steps.let_go()
    enqueue("publish", [JobRequest("index.html", scope="blog")], ageing=60.0)
    db.execute("UPDATE artifact SET marked = marked + 1 WHERE path = 'index.html'")
    shop.drain()
    assert list(shop.failed()) == ["index.html"]


def test_pages_show_what_has_an_address_while_more_comes_in(open_site: OpenSite) -> None:
    """All entries that a page should show may be newer than the plan, and wait for their addresses."""
    shop = open_site(
        index("index.html", more=FROM_NEWEST) + index("feed.xml", "feed.xml", "entries = 2")
        + archive("entry", "{slug}.html") + archive("tag", "{tag}.html", more=FROM_NEWEST),
        {"feed.xml": "{{ listing.entries|map(attribute='modified')|max|iso }}"},
    )  # fmt: skip
    for number in range(4):
        shop.save(f"Old {number}", f"2026-01-0{number + 1}", tags=["t"])
    shop.publish()
    for number in range(3):
        shop.save(f"New {number}", f"2026-02-0{number + 1}", tags=["t"])
    shop.drain()
    assert shop.failed() == {}
    for path in ("index.html", "t.html"):
        assert shop.text(path) == "Old 3;Old 2;"
    shop.run()
    for path in ("index.html", "t.html"):
        assert shop.text(path) == "New 2;New 1;"
    whole = shop.tree()
    shop.run(everything=True, force=True)
    assert shop.tree() == whole


def test_an_entry_without_an_address_for_good_leaves_its_place_empty(open_site: OpenSite) -> None:
    """Whatever else waits to be planned: the pages that follow do not move."""
    shop = open_site(index("index.html", more=FROM_NEWEST) + archive("entry", "{slug}.html"))
    for number in range(4):
        shop.save(f"Post {number}", f"2026-01-0{number + 1}")
    shop.save("Outdone", "2026-01-05", address="upload.html")
    shop.upload("upload.html", b"An upload comes first")
    shop.run()
    pages = ("index.html", "page/2/index.html")
    before = [shop.text(path) for path in pages]
    assert before == ["Post 3;", "Post 2;Post 1;"]
    shop.save("Late", "2025-01-01")
    shop.publish(patterns=["index.html", "page/2/*"])
    shop.drain()
    assert [shop.text(path) for path in pages] == before


def test_a_mended_template_is_used_by_the_next_attempt(open_site: OpenSite) -> None:
    """Whoever mends a template retries the job; until something is planned nothing else tells the worker."""
    shop = open_site(SMALL, {"entry.html": "{{ entry.titel }}"})
    shop.save("One")
    shop.publish()
    shop.drain()
    assert list(shop.failed()) == ["one.html"]
    (shop.folder / "theme" / "entry.html").write_text("{{ entry.title }}!", "utf-8")
    administration.retry(JobFilter(states=["failed"]))
    shop.drain()  # by the same worker
    assert (shop.failed(), shop.text("one.html")) == ({}, "One!")
    shop.run()
    assert shop.text("one.html") == "One!"


def test_a_worker_that_compiled_the_template_before_it_was_mended_builds_again(open_site: OpenSite) -> None:
    shop = open_site(SMALL, {"entry.html": "{% if entry.title == 'Odd' %}{{ entry.titel }}{% endif %}fine"})
    shop.save("Even")
    shop.run()
    first = shop.kind
    shop.save("Odd")
    shop.kind = None  # by another worker
    shop.publish()
    shop.drain()
    assert list(shop.failed()) == ["odd.html"]
    (shop.folder / "theme" / "entry.html").write_text("mended", "utf-8")
    administration.retry(JobFilter(states=["failed"]))
    shop.kind = first
    shop.drain(retries=2)
    assert (shop.failed(), shop.text("odd.html")) == ({}, "mended")


def test_a_theme_that_is_being_edited_stops_no_other_page(open_site: OpenSite) -> None:
    shop = open_site(SMALL, {"entry.html": "{% if entry.title == 'Odd' %}{{ entry.titel }}{% endif %}fine"})
    shop.save("Odd")
    shop.save("Even")
    shop.publish()
    shop.drain()
    assert list(shop.failed()) == ["odd.html"]
    manifest = shop.folder / "theme" / "theme.toml"
    manifest.write_text("half writ", "utf-8")
    shop.save("Late")
    db.execute("UPDATE artifact SET marked = marked + 1 WHERE path = 'even.html'")
    enqueue("publish", [JobRequest("even.html", scope="blog")], ageing=60.0)
    shop.drain()
    assert list(shop.failed()) == ["odd.html"]
