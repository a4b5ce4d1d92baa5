import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from appliance import db
from appliance.config import Config
from appliance.content import comments, entry_batches, sites
from appliance.content.models import Alias, Asset, Category, Change, Comment, Entry, EntryCategory
from appliance.errors import ContentError
from appliance.importing.formats import import_content
from appliance.importing.markdown.importer import import_folder
from appliance.importing.report import Report
from tests.conftest import DATA

Tree = dict[str, str | bytes]
Import = Callable[[], Report]


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("P", (2, 1)).save(file, "GIF")
    return file.getvalue()


PICTURE = picture()


def plant(root: Path, tree: Tree) -> None:
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def run(config: Config, root: Path) -> Import:
    """Imports the folder, checking that every file is accounted for once."""

    def import_it() -> Report:
        report = import_folder(config, "blog", root)
        files = [
            p
            for p in root.rglob("*")
            if (p.is_file() or p.is_symlink()) and not any(q.startswith(".") for q in p.relative_to(root).parts)
        ]
        assert report.accounted_for == report.files
        assert report.files == len([p for p in files if "node_modules" not in p.parts])
        assert len({file for file, _ in report.skipped}) == len(report.skipped)
        return report

    return import_it


def entry(path: str) -> Entry:
    return Entry.get(Entry.source_path == path)


def terms(row: Entry) -> list[str]:
    links = row.entry_categories.order_by(EntryCategory.is_primary.desc(), EntryCategory.category)
    return [link.category.path for link in links]


def skipped(report: Report) -> dict[str, str]:
    return dict(report.skipped)


def test_hugo(root: Path, run: Import) -> None:
    plant(root, {
        "hugo.toml": "title = 'x'", "archetypes/default.md": "---\ntitle: '{{ .Name }}'\n---\n",
        "layouts/index.html": "{{ x }}", "static/favicon.ico": b"ico", "README.md": "# About",
        "content/_index.md": "---\ntitle: Home\ncascade: {a: 1}\n---\n",
        "content/news/_index.md": "---\ntitle: The News\n---\nAll of *it*.\n",
        "content/news/first.md": '+++\ntitle = "First"\ndate = 2024-05-01T10:00:00+02:00\ntags = ["a", "b"]\n'
        'aliases = ["/old/first/"]\nweight = 3\n+++\nSee [second]({{< ref "second.md#part" >}}) and '
        '[about]({{< relref "/about" >}}).\n\n`{{< ref "second.md" >}}`\n\n{{< youtube 1 >}}\n',
        "content/news/second/index.md": "---\ntitle: Second\ndate: 2024-05-02\ndraft: true\n---\n"
        '{{< figure src="cat.gif" alt="A cat" caption="Cat" >}}\n\n![x](cat.gif)\n',
        "content/news/second/cat.gif": PICTURE,
        "content/posts/third.md": '{\n"title": "Third", "date": "2999-01-01", "expiryDate": "2999-02-01"}\nText',
        "content/about.md": "---\ntitle: About\ncomments: false\n---\nUs.\n",
    })  # fmt: skip
    report = run()
    assert report.texts == {"added": 5, "unchanged": 0}
    first, second = entry("content/news/first.md"), entry("content/news/second/index.md")
    assert (first.title, first.day, first.status, first.kind) == ("First", "2024-05-01", "published", "entry")
    assert terms(first) == ["news"]
    assert json.loads(first.extra) == {"weight": 3}
    assert [row.path for row in Alias.select()] == ["old/first"]
    assert f'"appliance:entry/{second.id}#part"' in first.html
    assert f'"appliance:entry/{entry("content/about.md").id}"' in first.html
    assert "<code>{{&lt; ref &quot;second.md&quot; &gt;}}</code>" in first.html
    assert "{{&lt; youtube 1 &gt;}}" in first.html
    assert any("youtube (1)" in note for note in report.notes)
    cat = Asset.get(Asset.source_path == "content/news/second/cat.gif")
    assert (cat.entry_id, cat.width, cat.height) == (second.id, 2, 1)
    assert second.status == "draft"
    assert second.html.count(f'"appliance:asset/{cat.id}"') == 2
    assert "<figcaption>Cat</figcaption>" in second.html
    third = entry("content/posts/third.md")
    assert (third.status, third.unpublish_at is not None, terms(third)) == ("scheduled", True, [])
    about = entry("content/about.md")
    assert (about.kind, about.folder, about.slug, about.allow_comments) == ("page", "", "about", False)
    news = Category.get(Category.path == "news")
    assert (news.name, news.address, news.always) == ("The News", "news", True)
    assert news.description == "<p>All of <em>it</em>.</p>\n"
    assert Asset.get(Asset.source_path == "static/favicon.ico").path == "favicon.ico"
    assert set(skipped(report)) == {
        "hugo.toml", "archetypes/default.md", "layouts/index.html", "README.md", "content/_index.md",
    }  # fmt: skip
    assert run().changed_nothing


def test_jekyll(root: Path, run: Import) -> None:
    plant(root, {
        "_config.yml": "title: x", "_layouts/post.html": "{{ content }}", "_data/x.yml": "a: 1",
        "index.html": "---\nlayout: home\n---\n", "assets/pic.gif": PICTURE,
        "_posts/2010-07-21-name-of-post.md": "---\nlayout: post\ntitle: Named\ncategories: one two\n"
        "tags: x y\nredirect_from: /old.html\npermalink: /:year/:title.html\nauthor: {name: Ann}\n---\nHi\n",
        "_posts/2010-07-22-next.markdown": "---\ntitle: Next\ndate: 2010-07-22 08:00:00 +0200\npublished: false\n---\n"
        "[back]({% post_url 2010-07-21-name-of-post %}) ![p]({{ site.baseurl }}/assets/pic.gif) "
        "[l]({% link about.md %})\n",
        "_drafts/idea.md": "---\ntitle: Idea\n---\nLater\n",
        "about.md": "---\nlayout: page\ntitle: About\npermalink: /about/\n---\nUs\n",
        "team/jobs.md": "No front matter, but a heading\n===\n\nText\n",
    })  # fmt: skip
    report = run()
    first, following = entry("_posts/2010-07-21-name-of-post.md"), entry("_posts/2010-07-22-next.markdown")
    assert (first.slug, first.day, first.address) == ("name-of-post", "2010-07-21", "2010/name-of-post.html")
    assert terms(first) == ["one", "two"]
    assert [row.tag.name for row in first.entry_tags] == ["x", "y"]
    assert [row.author.name for row in first.entry_authors] == ["Ann"]
    picture = Asset.get(Asset.source_path == "assets/pic.gif")
    for reference in (f"entry/{first.id}", f"asset/{picture.id}", f"entry/{entry('about.md').id}"):
        assert f'"appliance:{reference}"' in following.html
    assert (following.status, following.published_at) == ("draft", 1279778400)
    assert (entry("_drafts/idea.md").status, entry("_drafts/idea.md").kind) == ("draft", "entry")
    assert (entry("about.md").kind, entry("about.md").address) == ("page", "about")
    jobs = entry("team/jobs.md")
    assert (jobs.kind, jobs.folder, jobs.title) == ("page", "team", "No front matter, but a heading")
    assert set(skipped(report)) == {"_config.yml", "_layouts/post.html", "_data/x.yml", "index.html"}
    assert run().changed_nothing


def test_zola(root: Path, run: Import) -> None:
    plant(root, {
        "config.toml": "", "templates/index.html": "", "content/_index.md": '+++\ntitle = "Home"\n+++\n',
        "content/inside/_index.md": '+++\ntitle = "Inside"\n+++\n',
        "content/inside/team/_index.md": '+++\ntitle = "Team"\n+++\n',
        "content/inside/team/a.md": '+++\ntitle = "A"\npath = "inside/2025/06/26/Rust-1.88"\naliases = ["r/1.88"]\n'
        '[taxonomies]\ntags = ["t"]\n[extra]\nrelease = true\n+++\n[b](@/inside/b.md#x) [s](@/inside/_index.md)\n',
        "content/inside/b.md": '+++\ntitle = "B"\ndate = 2025-06-27\n+++\n[gone](@/gone.md)\n',
        "content/inside/latest.md": '+++\ntemplate = "latest.html"\n+++\n',
    })  # fmt: skip
    report = run()
    a, b = entry("content/inside/team/a.md"), entry("content/inside/b.md")
    assert (a.address, a.slug, a.day) == ("inside/2025/06/26/Rust-1.88", "Rust-1.88", "2025-06-26")
    assert (json.loads(a.extra), terms(a), terms(b)) == ({"release": True}, ["inside/team"], ["inside"])
    inside = Category.get(Category.path == "inside")
    assert f'"appliance:entry/{b.id}#x"' in a.html
    assert f'"appliance:category/{inside.id}"' in a.html
    assert Category.get(Category.path == "inside/team").address == "inside/team"
    assert 'href="@/gone.md"' in b.html
    assert any("content/inside/b.md: @/gone.md" in note for note in report.notes)
    assert "neither a title nor a text" in skipped(report)["content/inside/latest.md"]
    assert "not used: title" in skipped(report)["content/_index.md"]
    assert run().changed_nothing


def test_pelican(root: Path, run: Import) -> None:
    plant(root, {
        "pelicanconf.py": "X = 1", "content/images/pic.gif": PICTURE,
        "content/news/hello.md": "Title: Hello\nDate: 2024-05-01 10:20\nModified: 2024-06-01\nCategory: Travel\n"
        "Tags: one, two\nAuthors: Ann; Bob, Jr.\nSlug: hi\nSummary: In *short*\nStatus: published\n\n"
        "![p]({static}/images/pic.gif) [o]({filename}other.md) [a]({filename}/pages/about.md) [c]({category}Travel)\n",
        "content/news/other.md": "Title: Other\nDate: 2024-05-02\nStatus: draft\n\nText\n",
        "content/pages/about.md": "Title: About\nDate: 2020-01-01\n\nUs\n",
    })  # fmt: skip
    run()
    hello = entry("content/news/hello.md")
    assert (hello.slug, hello.published_at, hello.excerpt) == ("hi", 1714558800, "<p>In <em>short</em></p>")
    assert terms(hello) == ["travel"]
    assert [row.author.name for row in hello.entry_authors] == ["Ann", "Bob, Jr."]
    for path in ("content/news/other.md", "content/pages/about.md"):
        assert f'"appliance:entry/{entry(path).id}"' in hello.html
    assert f'"appliance:asset/{Asset.get().id}"' in hello.html
    assert (entry("content/news/other.md").status, terms(entry("content/news/other.md"))) == ("draft", ["news"])
    assert (entry("content/pages/about.md").kind, entry("content/pages/about.md").folder) == ("page", "")
    assert run().changed_nothing


def test_eleventy(root: Path, run: Import) -> None:
    plant(root, {
        ".eleventy.js": "", "package.json": "{}", "node_modules/x/readme.md": "# no", "src/feed.njk": "x",
        "src/posts/one.md": "---\ntitle: One\ndate: 2024-05-01\ntags: [post, x]\npermalink: /one.html\n"
        "eleventyNavigation: {key: One}\n---\n[two](two.md) ![i](/img/a.gif)\n",
        "src/posts/two.md": "---json\n{\"title\": \"Two\", \"date\": \"2024-05-02T00:00:00Z\"}\n---\nText\n",
        "src/img/a.gif": PICTURE,
    })  # fmt: skip
    run()
    one = entry("src/posts/one.md")
    assert (one.address, terms(one)) == ("one.html", [])
    assert json.loads(one.extra) == {"eleventyNavigation": {"key": "One"}}
    assert f'"appliance:entry/{entry("src/posts/two.md").id}"' in one.html
    assert f'"appliance:asset/{Asset.get(Asset.path == "img/a.gif").id}"' in one.html
    assert run().changed_nothing


def test_hexo(root: Path, run: Import) -> None:
    plant(root, {
        "_config.yml": "x: 1", "source/_posts/one.md": "---\ntitle: One\ndate: 2024-05-01 10:00:00\n"
        "categories:\n- [Sports, Baseball]\n- [Play]\nupdated: 2024-05-03\n---\n"
        "A\n<!-- more -->\nB {% asset_img cat.gif Cat %}\n",
        "source/_posts/one/cat.gif": PICTURE,
        "source/_posts/two.md": "---\ntitle: Two\ndate: 2024-05-02\ncategories:\n- Sports\n- Tennis\n---\n"
        "{% post_link one %}\n",
        "source/_drafts/three.md": "title: Three\n\nText\n", "source/about/index.md": "---\ntitle: About\n---\nUs\n",
        "scaffolds/post.md": "---\ntitle: {{ title }}\n---\n",
    })  # fmt: skip
    report = run()
    one, two = entry("source/_posts/one.md"), entry("source/_posts/two.md")
    assert terms(one) == ["sports/baseball", "play"]
    assert terms(two) == ["sports/tennis"]
    assert one.excerpt == "<p>A</p>"
    picture = Asset.get()
    assert (picture.entry_id, f'<img src="appliance:asset/{picture.id}"' in one.html) == (one.id, True)
    assert f'<a href="appliance:entry/{one.id}">' in two.html
    assert entry("source/_drafts/three.md").status == "draft"
    assert (entry("source/about/index.md").kind, entry("source/about/index.md").slug) == ("page", "about")
    assert set(skipped(report)) == {"_config.yml", "scaffolds/post.md"}
    assert run().changed_nothing


POST = "---\ntitle: {0}\ndate: 2024-05-0{1}\n---\nText of {0}. {2}\n"


def test_changed_renamed_and_removed_files_do_exactly_that(root: Path, run: Import) -> None:
    names = ("a", "b", "c", "d")
    plant(
        root, {f"{n}.md": POST.format(n.upper(), i + 1, "[d](d.md)" if n == "a" else "") for i, n in enumerate(names)}
    )
    run()
    kept = entry("b.md")
    comments.add(kept, "Joe", "Hi")
    Change.delete().execute()
    changes_before = db.execute("SELECT total_changes()").fetchone()[0]
    assert run().changed_nothing
    assert db.execute("SELECT total_changes()").fetchone()[0] == changes_before
    plant(root, {"c.md": POST.format("C2", 3, ""), "e.md": POST.format("E", 5, "")})
    (root / "b.md").rename(root / "b-new.md")
    (root / "d.md").unlink()
    report = run()
    assert (report.added, report.changed, report.renamed, report.removed) == (1, 2, 1, 1)  # a lost a link
    assert [row.entry_id for row in Comment.select()] == [kept.id] == [entry("b-new.md").id]
    assert entry("b-new.md").slug == "b-new"
    assert entry("c.md").title == "C2"
    said = sorted((row.event, row.entry_id) for row in Change.select() if row.subject == "entry")
    ids = {path: entry(path).id for path in ("b-new.md", "c.md", "e.md")}
    assert [one for one in said if one[1] in ids.values()] == sorted(
        [("entry edited", ids["b-new.md"]), ("entry edited", ids["c.md"]), ("entry added", ids["e.md"])]
    )
    assert [what for what, key in said if key not in ids.values()] == ["entry edited", "entry removed"]
    assert 'href="d.md"' in entry("a.md").html  # its link leads nowhere now, though the file did not change
    assert run().changed_nothing


def test_a_link_is_resolved_when_its_file_is_added(root: Path, run: Import) -> None:
    plant(root, {"a.md": POST.format("A", 1, "[b](b.md)"), "b/c.md": POST.format("C", 2, "")})
    run()
    assert 'href="b.md"' in entry("a.md").html
    plant(root, {"b.md": POST.format("B", 3, "")})
    report = run()
    assert (report.added, report.changed) == (1, 1)
    assert f'"appliance:entry/{entry("b.md").id}"' in entry("a.md").html


def test_the_first_of_two_claims_wins_and_both_are_named(root: Path, run: Import) -> None:
    plant(root, {
        "a.md": "---\ntitle: A\ndate: 2024-05-01\npath: same\naliases: [old]\n---\nx\n",
        "b.md": "---\ntitle: B\ndate: 2024-05-01\npath: same\n---\nx\n",
        "c.md": "---\ntitle: C\ndate: 2024-05-01\nslug: s\naliases: [old, same]\n---\nx\n",
        "d.md": "---\ntitle: D\ndate: 2024-05-01\nslug: s\n---\nx\n",
    })  # fmt: skip
    report = run()
    assert skipped(report) == {
        "b.md": "has the address “same”, as a.md has; give one of them another",
        "d.md": "has the slug “s” on 2024-05-01, as c.md has; give one of them another",
    }
    assert [(row.path, row.entry.title) for row in Alias.select()] == [("old", "A")]
    assert run().changed_nothing
    plant(root, {"0.md": "---\ntitle: 0\ndate: 2024-05-01\npath: same\n---\nx\n"})
    assert "as a.md has" in skipped(run())["0.md"]  # who has it keeps it


def test_addresses_and_aliases_move_between_texts(root: Path, run: Import) -> None:
    both = "---\ntitle: {}\ndate: 2024-05-01\npath: {}\naliases: [{}]\n---\nx\n"
    plant(root, {"a.md": both.format("A", "one", "x"), "b.md": both.format("B", "two", "y")})
    run()
    plant(root, {"a.md": both.format("A", "two", "y"), "b.md": both.format("B", "one", "x")})
    report = run()
    assert (report.changed, report.skipped) == (2, [])
    assert {row.path: row.entry.title for row in Alias.select()} == {"x": "B", "y": "A"}


def test_files_that_cannot_be_read_are_listed_and_others_imported(root: Path, run: Import) -> None:
    plant(root, {"good.md": POST.format("G", 1, ""), "bad.md": POST.format("B", 2, "")})
    run()
    plant(root, {
        "bad.md": "---\ntitle: [\n---\n", "latin.md": b"---\ntitle: x\n---\n\xe4",
        "date.md": "---\ndate: soon\ntitle: x\n---\nx",
        "out.md": "---\ntitle: x\npath: ../../etc\n---\nx", "home.md": "---\ntitle: x\npermalink: /\n---\nx",
        "big.md": b"x" * 10_000_001, "broken.gif": b"GIF89a",
    })  # fmt: skip
    (root / "leaves.md").symlink_to("/etc/hostname")
    (root / "dangling.md").symlink_to(root / "nothing")
    report = run()
    reasons = skipped(report)
    assert set(reasons) == {
        "bad.md", "latin.md", "date.md", "out.md", "home.md", "big.md", "leaves.md", "dangling.md",
    }  # fmt: skip
    assert reasons["bad.md"].startswith("line 3: front matter is not YAML")
    assert reasons["bad.md"].endswith("what was imported from it before stays")
    assert "line 4" in reasons["latin.md"]
    assert "leaves the folder" in reasons["leaves.md"]
    assert "“soon” is not a date" in reasons["date.md"]
    assert entry("bad.md").title == "B"
    assert Entry.select().count() == 2
    assert any(note.startswith("broken.gif: is not a readable GIF") for note in report.notes)
    assert any("bad.md: line 3" in line for line in report.lines())


@pytest.mark.parametrize(
    ("tree", "format", "sentence"),
    [
        (None, "auto", "does not exist"),
        ({"a.txt": "x"}, "auto", "has no Markdown"),
        ({"a.md": "x"}, "docx", "“docx” is not a format"),
    ],
)
def test_a_path_without_markdown_is_refused(
    config: Config, root: Path, tree: Tree | None, format: str, sentence: str
) -> None:
    plant(root, tree or {})
    with pytest.raises(ContentError, match=sentence):
        import_content(config, "blog", root, format)


def test_an_emptied_folder_removes_nothing(root: Path, run: Import) -> None:
    plant(root, {"a.md": POST.format("A", 1, "")})
    run()
    (root / "a.md").unlink()
    with pytest.raises(ContentError, match="has no Markdown"):
        run()
    assert Entry.select().count() == 1


def test_two_sources_share_a_site(config: Config, tmp_path: Path, root: Path) -> None:
    plant(
        root,
        {"one/a.md": POST.format("A", 1, ""), "two/a.md": POST.format("A", 1, ""), "two/b.md": POST.format("B", 1, "")},
    )
    import_folder(config, "blog", root / "one")
    report = import_folder(config, "blog", root / "two", source="two")
    assert skipped(report) == {"a.md": "has the slug “a” on 2024-05-01, as “A” has; give one of them another"}
    assert (report.added, Entry.select().count()) == (1, 2)


def test_a_deleted_section_file_resets_its_category(root: Path, run: Import) -> None:
    plant(root, {
        "full/_index.md": "---\ntitle: Full of it\n---\n", "full/a.md": POST.format("A", 1, ""),
        "empty/_index.md": "---\ntitle: Empty\n---\n",
    })  # fmt: skip
    run()
    (root / "full/_index.md").unlink()
    (root / "empty/_index.md").unlink()
    assert run().removed == 2
    rows = [(row.path, row.name, row.address, row.always) for row in Category.select()]
    assert rows == [("full", "Full", None, False)]
    assert run().changed_nothing


def test_an_asset_follows_its_entry_and_its_file(root: Path, run: Import) -> None:
    post = "---\ntitle: A\npath: {}\ndate: 2024-01-01\n---\n![x](x.gif)\n"
    plant(root, {"a/index.md": post.format("2024/a"), "a/x.gif": PICTURE})
    run()
    asset = Asset.get()
    assert asset.path == "2024/a/x.gif"
    plant(root, {"a/index.md": post.format("2024/b").replace("x.gif", "y.gif")})
    (root / "a/x.gif").rename(root / "a/y.gif")
    report = run()
    assert (report.assets["renamed"], report.assets_removed) == (1, 0)
    assert (Asset.get().id, Asset.get().path) == (asset.id, "2024/b/y.gif")
    assert f"appliance:asset/{asset.id}" in entry("a/index.md").html
    Image.new("RGB", (5, 5)).save(root / "a/y.gif")
    assert run().assets["changed"] == 1
    (root / "a/y.gif").unlink()
    assert run().assets_removed == 1
    assert not Asset.select().exists()


def test_an_import_interrupted_after_reserving_ids_is_completed(
    config: Config, root: Path, run: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(root, {"a.md": POST.format("A", 1, "[b](b.md)"), "b.md": POST.format("B", 2, "")})

    def crash(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(entry_batches, "save", crash)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert [row.status for row in Entry.select()] == ["draft", "draft"]
    assert not Change.select().where(Change.subject == "entry").exists()
    assert run().added == 2
    assert {row.status for row in Entry.select()} == {"published"}
    assert Change.select().where(Change.event == "entry added").count() == 2


@pytest.mark.skipif(not (DATA / "rust-blog").is_dir(), reason="the sample blog is not here")
def test_a_real_blog(config: Config) -> None:
    folder = DATA / "rust-blog"
    done: list[tuple[int, int]] = []
    report = import_folder(config, "blog", folder, progress=lambda *numbers: done.append(numbers))
    assert report.accounted_for == report.files == sum(1 for p in folder.rglob("*") if p.is_file()) == 794
    assert set(skipped(report)) == {"_index.md", "releases/latest.md"}
    assert (report.added, report.assets["added"], done[-1]) == (752, 40, (794, 794))
    assert {row.path: row.address for row in Category.select()} == {
        "inside-rust": "inside-rust",
        "releases": "releases",
    }
    assert not Entry.select().where(Entry.html.contains('"@/')).exists()
    Change.delete().execute()
    before = db.execute("SELECT total_changes()").fetchone()[0]
    second = import_folder(config, "blog", folder)
    assert second.changed_nothing
    assert (second.unchanged, second.accounted_for) == (752, 794)
    assert db.execute("SELECT total_changes()").fetchone()[0] == before
    assert not Change.select().exists()
    assert sites.sync(config)
