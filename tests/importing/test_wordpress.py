import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.content import comments, entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Alias, Asset, Author, Category, Change, Comment, Entry, EntryCategory, Ping, Tag
from appliance.errors import ContentError
from appliance.importing import wordpress
from appliance.importing.report import Report
from appliance.importing.wordpress import wxr as reading
from tests.importing import wxr
from tests.importing.test_folder import PICTURE
from tests.importing.wxr import BLOG, attachment, category, comment, item, meta, term, write

Import = Callable[..., Report]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "export.xml"


@pytest.fixture
def run(config: Config, file: Path) -> Import:
    """Imports the file, checking that every item is accounted for once."""

    def import_it(*parts: str, **options: Any) -> Report:
        if parts:
            write(file, *parts)
        report = wordpress.import_file(config, "blog", file, **options)
        assert report.accounted_for == report.files == file.read_text("utf-8").count("<item>")
        assert report.kinds.total() == report.files
        return report

    return import_it


def post(number: int) -> Entry:
    return Entry.get(Entry.source_path == f"post/{number}")


def skipped(report: Report) -> dict[str, str]:
    return dict(report.skipped)


def note(report: Report, words: str) -> str:
    (found,) = [said for said in report.notes if words in said]
    return found


@pytest.mark.parametrize(("version", "scheme"), [("1.0", "http"), ("1.1", "http"), ("1.2", "http"), ("1.2", "https")])
def test_every_version_of_the_format(file: Path, run: Import, version: str, scheme: str) -> None:
    write(file, item(1, "Hello", "One.\n\nTwo.", excerpt="Short."), version=version, scheme=scheme)
    report = run()
    assert report.added == 1
    entry = post(1)
    assert (entry.title, entry.slug, entry.status, entry.format) == ("Hello", "hello", "published", "html")
    assert entry.html == "<p>One.</p>\n<p>Two.</p>"
    assert entry.excerpt == "<p>Short.</p>"
    assert entry.published_at == 1714557600
    assert entry.source == BLOG


def test_statuses(run: Import) -> None:
    later = "2999-01-01 10:00:00"
    report = run(
        item(1, "Out"), item(2, "Draft", status="draft", post_name=""), item(3, "Waits", status="pending"),
        item(4, "Mine", status="private"), item(5, "Later", status="future", post_date_gmt=later),
        item(6, "Past", status="future"), item(7, "Secret", post_password="x"), item(8, "Odd", status="archived"),
        item(9, "Gone", status="trash"), item(10, "", status="auto-draft"),
        item(11, "Old", post_type="revision", status="inherit"), item(12, "Menu", post_type="nav_menu_item"),
        item(13, "Film", post_type="film"), item("", "Numberless"), item(1, "Twice"),
    )  # fmt: skip
    statuses = [post(number).status for number in range(1, 9)]
    assert statuses == ["published", *["draft"] * 3, "scheduled", "published", "draft", "draft"]
    assert post(2).slug == "draft"
    reasons = skipped(report)
    assert "trash" in reasons["post 9 “Gone”"]
    assert "“film”" in reasons["film 13 “Film”"]
    assert "wp:post_id" in reasons["post “Numberless”"]
    assert "another item" in reasons["post 1 “Twice”"]
    assert report.kinds["nav_menu_item", "publish", "skipped"] == report.kinds["film", "publish", "skipped"] == 1
    assert report.kinds["post", "future", "added"] == 2
    assert "post 7" in note(report, "password")
    assert "post 4" in note(report, "private")
    assert "post 3" in note(report, "review")
    assert "post 8" in note(report, "“archived”")


def test_dates(run: Import, make_config: Callable[..., Config]) -> None:
    now = int(clock.now())
    none = "0000-00-00 00:00:00"
    report = run(
        item(1, "By the wall clock", post_date_gmt=none, status="draft"),
        item(2, "Never", post_date=none, post_date_gmt=none, status="draft"),
        item(3, "Wrong", post_date_gmt="2024-13-45 10:00:00"),
        item(4, "Edited", post_modified_gmt="2024-06-01 10:00:00"),
    )  # fmt: skip
    assert post(1).published_at == 1714564800
    assert abs(post(2).published_at - now) < 60
    assert "is not a date" in skipped(report)["post 3 “Wrong”"]
    assert post(4).modified_at == 1717236000
    assert run().unchanged == 3
    assert abs(post(2).published_at - now) < 60


def test_pages_are_in_the_folder_of_their_parents(run: Import) -> None:
    run(
        item(3, "Team", post_type="page", post_parent=2, link=f"{BLOG}/über/about/team/"),
        item(2, "About", post_type="page", post_parent=1), item(1, "Über", post_type="page", post_name="%c3%bcber"),
        item(4, "A", post_type="page", post_parent=5), item(5, "B", post_type="page", post_parent=4),
        item(6, "Lost", post_type="page", post_parent=99),
    )  # fmt: skip
    assert [post(number).folder for number in range(1, 7)] == ["", "über", "über/about", "b", "a", ""]
    assert post(1).slug == "über"
    assert [alias.path for alias in post(3).aliases] == ["über/about/team"]


def test_names(run: Import, config: Config) -> None:
    site = sites.sync(config)["blog"]
    entries.save(site, EntryData("Mine", "taken", 1714557600))
    report = run(
        item(1, "Same", post_name="", status="draft"), item(2, "Same", post_name="", status="draft"),
        item(3, "", "Some words without a title.", post_name=""), item(4, "", "", post_name=""),
        item(5, "Bold <em>and</em> &amp; free", post_name="../x"), item(6, "Taken", post_name="taken"),
    )  # fmt: skip
    assert [post(number).slug for number in (1, 2, 3, 4)] == ["same", "same-2", "post-3", "post-4"]
    assert post(3).title == "Some words without a title."
    assert post(4).title == "post 4"
    assert (post(5).title, post(5).slug) == ("Bold and & free", "x")
    assert "“Mine”" in skipped(report)["post 6 “Taken”"]
    assert run().unchanged == 5
    assert [post(number).slug for number in (1, 2)] == ["same", "same-2"]


def test_terms(run: Import) -> None:
    run(
        wxr.author("ida", "Ida Ólafsdóttir"),
        category(1, "news", "News &amp; Views", description="All of it.\n\nAnd more."),
        category(2, "local", "Local", parent="news"), category(3, "unused", "Unused", description="Nothing."),
        category(4, "a", "A", parent="b"), category(5, "b", "B", parent="a"),
        item(1, "One", more=term("category", "local", "Local") + term("category", "loose", "Loose")
             + term("post_tag", "c", "C &amp; C") + term("tag", "d", "D")
             + term("post_format", "post-format-aside", "Aside")
             + meta("_thumbnail_id", 9), is_sticky=1, menu_order=3),
        item(2, "Two", creator="nobody", more=term("category", "a", "A") + "<category><![CDATA[A]]></category>"),
        item(3, "Three", more="<category><![CDATA[Plain]]></category>"),
        attachment(9, "cat.gif"),
    )  # fmt: skip
    links = EntryCategory.select().where(EntryCategory.entry == post(1)).order_by(EntryCategory.is_primary.desc())
    assert [link.category.path for link in links] == ["news-and-views/local", "loose"]
    assert Category.get(Category.name == "News & Views").description == "<p>All of it.</p>\n<p>And more.</p>"
    assert not Category.select().where(Category.name == "Unused").exists()
    assert [row.category.path for row in post(2).entry_categories] == ["b/a"]
    assert [row.category.path for row in post(3).entry_categories] == ["plain"]
    assert {row.name for row in Author.select()} == {"Ida Ólafsdóttir", "nobody"}
    assert {row.name for row in Tag.select()} == {"C & C", "D"}
    extra = json.loads(post(1).extra)
    assert extra.pop("featured_image").endswith("/cat.gif")
    assert extra == {"menu_order": 3, "post_format": "aside", "sticky": True}


def test_texts(run: Import) -> None:
    report = run(
        item(1, "Classic", "Before.\n<!--more Read on-->\nAfter {{ x &amp; y }}.\n<!--nextpage-->\nPage two."),
        item(2, "Blocks", '<!-- wp:paragraph {"a":"--\\u003e"} -->\n<p>One\ntwo.</p>\n<!-- /wp:paragraph -->\n\n'
             "<!-- wp:more -->\n<!--more-->\n<!-- /wp:more -->\n\n<!-- wp:latest-posts /-->\n"
             "<!-- wp:freeform -->\nOld\n\nstyle\n<!-- /wp:freeform -->"),
        item(3, "Codes", '[caption id="a"]<img src="x.gif" srcset="y.gif 2x">[/caption] [sic] [[gallery]] [gallery]'
             " [box]a[/box]"),
        item(4, "Embed", "https://video.example/?v=1&amp;t=2\n\nText."),
    )  # fmt: skip
    assert post(1).html == "<p>Before.</p>\n\n<p>After {{ x &amp; y }}.</p>\n<p>Page two.</p>"
    assert post(1).excerpt == "<p>Before.</p>"
    assert post(2).html == "<p>One\ntwo.</p>\n\n<p>Old</p>\n<p>style</p>"
    assert post(2).excerpt == "<p>One\ntwo.</p>"
    assert '[caption id="a"]<img src="x.gif">[/caption]' in post(3).html
    assert post(4).html == (
        '<p><a href="https://video.example/?v=1&amp;t=2">https://video.example/?v=1&amp;t=2</a></p>\n<p>Text.</p>'
    )
    assert note(report, "shortcodes").endswith(": box (1), caption (1), gallery (1)")
    assert note(report, "blocks").endswith(": latest-posts (1)")
    assert note(report, "media").endswith(": 1")
    assert note(report, "page breaks").endswith(": 1")


def test_links_are_by_id(run: Import) -> None:
    addresses = (
        f"{BLOG}/2024/05/01/two/", "http://www.old.example/blog/2024/05/01/two#part", "/blog/2024/05/01/two/",
        f"{BLOG}/?p=2", f"{BLOG}/?page_id=3&amp;x=1", f"{BLOG}/2024/05/01/two/comment-page-2/#comment-7",
        f"{BLOG}/2019/01/01/two/", f"{BLOG}/2024/05/01/earlier/", f"{BLOG}/2024/05/01/one/cat/",
    )  # fmt: skip
    others = (
        f"{BLOG}/nothing/",
        f"{BLOG}/tag/two/",
        "https://else.example/2024/05/01/two/",
        "#here",
        "two.html",
        "mailto:a@b.example",
    )
    text = " ".join(f'<a href="{one}">x</a>' for one in (*addresses, f"{BLOG}/category/top/sub/", f"{BLOG}/", *others))
    report = run(
        category(1, "top", "Top"), category(7, "sub", "Sub", parent="top"), item(1, "One", text),
        item(2, "Two", more=term("category", "sub", "Sub") + meta("_wp_old_slug", "earlier")),
        item(3, "Three", post_type="page"),
        attachment(4, "cat.gif", post_parent=1, link=f"{BLOG}/2024/05/01/one/cat/"),
    )  # fmt: skip
    one, two, three = (post(number).id for number in (1, 2, 3))
    sub = Category.get(Category.name == "Sub").id
    expected = [two, f"{two}#part", two, two, three, f"{two}#comment-7", two, two, one]
    hrefs = [part.partition('"')[0] for part in post(1).html.split('href="')[1:]]
    assert hrefs == [*(f"appliance:entry/{key}" for key in expected), f"appliance:category/{sub}", "/", *others]
    assert "(2)" in note(report, "lead to nothing")
    assert {row.path for row in Alias.select()} == {
        "2024/05/01/one", "2024/05/01/two", "2024/05/01/earlier", "three",
    }  # fmt: skip


def test_uploads(run: Import, tmp_path: Path, config: Config) -> None:
    url = f"{BLOG}/wp-content/uploads/2024/05"
    text = f'<img src="{url}/cat.gif?w=60"> <img src="{url}/cat-1x1.gif"> <a href="{BLOG}/?attachment_id=8">x</a>'
    parts = (
        item(1, "One", text, more=meta("_thumbnail_id", 8)), attachment(8, "cat.gif"), attachment(9, "lost.gif"),
    )  # fmt: skip
    report = run(*parts)
    assert "--uploads" in skipped(report)["attachment 8 “cat.gif”"]
    assert f'src="{url}/cat.gif?w=60"' in post(1).html
    folder = tmp_path / "uploads"
    (folder / "2024/05").mkdir(parents=True)
    for name in ("cat.gif", "cat-1x1.gif", "unused.gif"):
        (folder / "2024/05" / name).write_bytes(PICTURE + name.encode())
    report = run(uploads=folder)
    assert (report.assets["added"], report.changed) == (1, 1)
    assert str(folder) in skipped(report)["attachment 9 “lost.gif”"]
    assets = {row.path.rpartition("/")[2]: row for row in Asset.select()}
    assert set(assets) == {"cat.gif", "cat-1x1.gif"}
    cat = assets["cat.gif"]
    assert cat.path == "wp-content/uploads/2024/05/cat.gif"
    assert post(1).html.count(f'"appliance:asset/{cat.id}"') == 2
    assert f'"appliance:asset/{assets["cat-1x1.gif"].id}"' in post(1).html
    assert json.loads(post(1).extra)["featured_image"] == cat.path
    before = Change.select().count()
    assert run(uploads=folder).changed_nothing
    assert run().changed_nothing, "what was taken stays without the folder"
    assert Change.select().count() == before
    (folder / "2024/05/cat.gif").write_bytes(PICTURE)
    assert run(uploads=folder).assets["changed"] == 1
    assert run(item(1, "One", text), remove=True).assets_removed == 1


def test_a_file_with_several_addresses_is_taken_once(run: Import, tmp_path: Path) -> None:
    (tmp_path / "uploads/2024/05").mkdir(parents=True)
    for name in ("cat.gif", "cat-1x1.gif"):
        (tmp_path / "uploads/2024/05" / name).write_bytes(PICTURE + name.encode())
    places = (f"{BLOG}/wp-content/uploads", f"{BLOG}/files", "https://i0.wp.com/old.example/blog/wp-content/uploads")
    text = " ".join(f'<img src="{place}/2024/05/{name}">' for place in places for name in ("cat.gif", "cat-1x1.gif"))
    run(item(1, "One", text), attachment(2, "cat.gif"), uploads=tmp_path / "uploads")
    assert post(1).html.count('src="appliance:asset/') == 6
    assert Asset.select().count() == 2
    assert run(uploads=tmp_path / "uploads").changed_nothing
    assert run().changed_nothing


def test_uploads_do_not_leave_their_folder(run: Import, tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "secret.gif").write_bytes(PICTURE)
    (tmp_path / "uploads/link.gif").symlink_to(tmp_path / "secret.gif")
    report = run(
        attachment(1, "x.gif", more=meta("_wp_attached_file", "../secret.gif")),
        attachment(2, "y.gif", more=meta("_wp_attached_file", "link.gif")), uploads=tmp_path / "uploads",
    )  # fmt: skip
    assert len(report.skipped) == 2
    assert not Asset.select().exists()


def test_comments(run: Import) -> None:
    said = (
        comment(5, "Third", comment_parent=4), comment(4, "Second", comment_parent=3), comment(3, "First"),
        comment(6, "Held", comment_approved="0"), comment(7, "Buy", comment_approved="spam"),
        comment(8, "Thrown away", comment_approved="trash"), comment(9, "Answers it", comment_parent=8),
        comment(10, "[...] seen [...]", comment_type="pingback", comment_author="Else &amp; where"),
        comment(11, "Order", comment_type="order_note"), comment(12, "  "),
        comment(13, "Nameless", comment_author="", comment_author_url="nonsense"),
    )  # fmt: skip
    report = run(item(1, "One", more="".join(said)))
    rows = {row.text: row for row in Comment.select()}
    assert rows["Third"].parent == rows["Second"]
    assert rows["Second"].parent == rows["First"]
    assert rows["Answers it"].parent is None
    assert (rows["Held"].status, rows["Buy"].status, rows["First"].status) == ("pending", "spam", "approved")
    assert (rows["Nameless"].author_name, rows["Nameless"].author_url) == ("Anonymous", "")
    assert rows["First"].created_at == 1714644000
    assert report.comments["added"] == 7
    assert report.comments.total() == 10
    assert Ping.get().title == "Else & where"
    assert report.pings["added"] == 1


def test_comments_are_recognised(run: Import) -> None:
    first, second = comment(1, "Hello"), comment(2, "Again", comment_date_gmt="2024-05-03 10:00:00")
    run(item(1, "One", more=first + second))
    (hello, again) = Comment.select().order_by(Comment.id)
    comments.set_status(hello, "spam")
    comments.add(post(1), "Reader", "Said here.")
    edited = comment(2, "Again, better", comment_date_gmt="2024-05-03 10:00:00")
    ping = comment(4, "p", comment_type="trackback")
    report = run(item(1, "One", more=first + edited + comment(3, "New", comment_author="Else") + ping + ping))
    assert dict(report.comments) == {"unchanged": 1, "changed": 1, "added": 1}
    assert [(row.id, row.text, row.status) for row in Comment.select().order_by(Comment.id)][:2] == [
        (hello.id, "Hello", "spam"), (again.id, "Again, better", "approved"),
    ]  # fmt: skip
    assert Comment.select().count() == 4
    assert report.changed == 1
    assert run().changed_nothing


def test_what_changed_and_nothing_else(run: Import) -> None:
    one, two, three = item(1, "One", f'<a href="{BLOG}/2024/05/01/two/">x</a>'), item(2, "Two"), item(3, "Three")
    run(one, two, three)
    before = Change.select().count()
    written = db.execute("SELECT total_changes()").fetchone()
    report = run()
    assert (report.unchanged, report.changed_nothing) == (3, True)
    assert db.execute("SELECT total_changes()").fetchone() == written
    report = run(one, item(2, "Two", "More."), three)
    assert (report.unchanged, report.changed) == (2, 1)
    report = run(one, three)
    assert "post/2" in note(report, "--remove")
    assert report.changed == 1, "a link to it leads to nothing now"
    assert post(2).status == "published"
    report = run(one, item(2, "Two", status="trash"), three, remove=True)
    assert report.removed == 1
    assert not Entry.select().where(Entry.source_path == "post/2").exists()
    assert {change.actor for change in Change.select().where(Change.id > before)} == {"import"}


def test_other_sources_are_left_alone(run: Import) -> None:
    run(item(1, "One"))
    report = run(item(1, "Other", post_name="other"), source="second", remove=True)
    assert (report.source, report.added, report.removed) == ("second", 1, 0)
    assert Entry.select().count() == 2


def test_a_former_address_moves_between_texts(run: Import) -> None:
    run(item(1, "One", link=f"{BLOG}/a/"), item(2, "Two", link=f"{BLOG}/b/"))
    run(item(1, "One", link=f"{BLOG}/b/"), item(2, "Two", link=f"{BLOG}/a/"))
    assert {(alias.path, alias.entry_id) for alias in Alias.select()} == {("b", post(1).id), ("a", post(2).id)}
    report = run(item(1, "One", link=f"{BLOG}/b/"), item(2, "Two", link=f"{BLOG}/b/"))
    assert "post 2" in note(report, "“b”")


def test_deleting_much_at_once_needs_permission(run: Import) -> None:
    posts = [item(number, f"Post {number}") for number in range(1, 61)]
    run(*posts)
    with pytest.raises(ContentError, match="--allow-removals"):
        run(posts[0], item(99, "New"), remove=True)
    assert Entry.select().count() == 60
    assert run(posts[0], remove=True, allow_removals=True).removed == 59


BOMB = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declared", [BOMB, OUTSIDE])
def test_entities_are_refused(run: Import, file: Path, declared: str) -> None:
    text = write(file, item(1, "One").replace("One", "]]>&b;<![CDATA[")).read_text()
    file.write_text(text.replace("<rss", declared + "<rss", 1))
    with pytest.raises(ContentError, match="declares an entity"):
        run()
    assert not Entry.select().exists()


def test_files_that_are_not_exports_are_refused_first(run: Import, file: Path, tmp_path: Path) -> None:
    whole = write(file, *(item(number, f"Post {number}", "x" * 300) for number in range(300))).read_text()
    for text, words in (
        (whole[:-400], "not well-formed XML at line"),
        (whole.replace("<rss", "<!--<rss--><feed", 1).replace("</rss>", "</feed>"), "begins with <feed>"),
        (whole.replace("UTF-8", "klingon", 1), "is not XML that can be read|not well-formed"),
        (whole.replace("Post 299", "Post \x08"), "not well-formed XML"),
        ("hello", "is not a WordPress export"),
        (wxr.HEAD.format(version="1.2", scheme="http", link=BLOG) + "</channel></rss>", "has no item"),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(ContentError, match=words):
            run()
    for place in (tmp_path / "none.xml", tmp_path):
        with pytest.raises(ContentError, match=r"does not exist|is not a file"):
            wordpress.import_file(None, "blog", place)  # type: ignore[arg-type]
    write(file, item(1, "One"))
    with pytest.raises(ContentError, match="is not a folder"):
        run(uploads=tmp_path / "none")
    assert not Entry.select().exists()


def test_limits(run: Import, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TEXT_LIMIT", 1000)
    report = run(
        item(1, "Long", "x" * 1001), item(2, "Short", "x" * 1000), item(3, "Said", more=comment(1, "y" * 1001))
    )
    assert set(skipped(report)) == {"post 1 “Long”", "post 3 “Said”"}
    assert "1,001 characters" in skipped(report)["post 1 “Long”"]
    monkeypatch.setattr(reading, "ITEM_LIMIT", 200_000)
    write(file, item(1, "Huge", "x" * 500_000))
    with pytest.raises(ContentError, match="more than 200,000 bytes"):
        run()
    monkeypatch.setattr(reading, "ELEMENT_LIMIT", 100)
    write(file, item(1, "Strewn", more="<a/>" * 200))
    with pytest.raises(ContentError, match="nested or strewn"):
        run()
    write(file, item(1, "Deep", more="<a>" * 20 + "</a>" * 20))
    with pytest.raises(ContentError, match="nested or strewn"):
        run()


def test_memory_does_not_grow_with_the_texts(file: Path) -> None:
    write(file, *(item(number, "Post", "x" * 50_000) for number in range(400)))
    tracemalloc.start()
    try:
        assert sum(part.name == "item" for part in reading.read_elements(file)) == 400
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.stat().st_size > 20_000_000
    assert peak < 4_000_000


def test_an_interrupted_import_is_completed(run: Import, file: Path) -> None:
    posts = [item(number, f"Post {number}", more=comment(number, "Hi")) for number in range(1, 4)]
    size = len(write(file, *posts).read_bytes())

    def interrupt(done: int, total: int) -> None:
        if done > size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=interrupt)
    assert {(row.status, row.title) for row in Entry.select()} == {("draft", f"Post {n}") for n in (1, 2, 3)}
    report = run()
    assert (report.added, report.comments["added"]) == (3, 3)
    assert {row.status for row in Entry.select()} == {"published"}
    assert run().changed_nothing


def test_a_file_that_is_replaced_while_it_is_read(config: Config, file: Path) -> None:
    write(file, item(1, "One"), item(2, "Two"))

    def replace(done: int, total: int) -> None:
        write(file.with_suffix(".new"), item(1, "One")).replace(file)

    report = wordpress.import_file(config, "blog", file, progress=replace)
    assert (report.added, report.accounted_for) == (1, 2)
    assert "was changed while it was read" in skipped(report)["post 2 “Two”"]


def test_progress_goes_from_nothing_to_all(run: Import) -> None:
    told: list[tuple[int, int]] = []
    run(*(item(number, f"Post {number}") for number in range(5)), progress=lambda *how: told.append(how))
    assert told == sorted(told)
    assert told[-1][0] <= told[-1][1]


def test_it_runs_on_both_databases(database: Config, file: Path) -> None:
    folder = file.parent / "uploads"
    folder.mkdir()
    parts = (category(1, "a", "A", description="x"), item(1, "One", more=comment(1, "Hi") + term("category", "a", "A")),
             attachment(2, "x.gif"))  # fmt: skip
    write(file, *parts)
    report = wordpress.import_file(database, "blog", file, uploads=folder)
    assert (report.added, report.comments["added"]) == (1, 1)
    assert wordpress.import_file(database, "blog", file, uploads=folder, remove=True).changed_nothing
    write(file, parts[0], item(3, "Three"))
    assert wordpress.import_file(database, "blog", file, remove=True).removed == 1
