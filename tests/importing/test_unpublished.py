"""What the author of a folder keeps back is not published here, whichever system the folder is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config
from appliance.content.asset_references import PUBLIC
from appliance.content.models import Category, Entry
from appliance.errors import ContentError
from appliance.importing.markdown.frontmatter import split
from appliance.importing.markdown.importer import import_folder
from appliance.importing.report import Report
from tests.importing.test_folder import PICTURE, Tree, plant

Import = Callable[[Tree], Report]

POST = "---\ntitle: Public\ndate: 2024-05-01\n---\nText\n"
DRAFT = "---\ntitle: Draft\ndate: 2024-05-01\ndraft: true\n---\nSecret\n"
TITLED = "---\ntitle: T\n---\nText\n"

JEKYLL: Tree = {"_config.yml": "title: x", "_posts/2024-05-01-a.md": TITLED}
HUGO: Tree = {"hugo.toml": "", "content/posts/a.md": POST}
ZOLA: Tree = {"config.toml": "", "templates/index.html": "", "content/a.md": "+++\ntitle = 'A'\n+++\nText\n"}
PELICAN: Tree = {"pelicanconf.py": "X = 1\n", "content/a.md": "Title: A\nDate: 2024-05-01\n\nText\n"}
ELEVENTY: Tree = {"eleventy.config.js": "", "src/posts/a.md": POST}
HEXO: Tree = {"_config.yml": "title: x", "source/_posts/a.md": POST}
PLAIN: Tree = {"a.md": POST}

FIRST = {
    "jekyll": "_posts/2024-05-01-a.md", "hugo": "content/posts/a.md", "zola": "content/a.md", "pelican": "content/a.md",
    "eleventy": "src/posts/a.md", "hexo": "source/_posts/a.md", "plain": "a.md",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def run(config: Config, root: Path) -> Import:
    def import_it(tree: Tree) -> Report:
        plant(root, tree)
        report = import_folder(config, "blog", root)
        assert report.accounted_for == report.files
        assert import_folder(config, "blog", root).changed_nothing
        return report

    return import_it


def public() -> set[str]:
    """Source paths of all that readers would get."""
    entries = {path for (path,) in Entry.select(Entry.source_path).where(Entry.status == "published").tuples()}
    assets = db.execute(f"SELECT a.source_path FROM asset a WHERE {PUBLIC}").fetchall()
    return entries | {path for (path,) in assets}


CASES: dict[str, tuple[str, Tree, set[str]]] = {
    # Texts in formats that are not read, drafts or not.
    "textile draft": ("jekyll", {**JEKYLL, "_drafts/x.textile": "h1. Secret"}, set()),
    "org draft": ("hugo", {**HUGO, "content/x.org": "#+TITLE: x\n#+DRAFT: true\nSecret"}, set()),
    "org bundle": ("hugo", {**HUGO, "content/x/index.org": "#+DRAFT: true\n", "content/x/cat.gif": PICTURE}, set()),
    "adoc": ("hugo", {**HUGO, "content/x.adoc": "---\ndraft: true\n---\n= Secret"}, set()),
    "rst": ("pelican", {**PELICAN, "content/x.rst": "x\n=\n:status: draft\n"}, set()),
    "html draft": ("hugo", {**HUGO, "content/x.html": "---\ndraft: true\n---\n<p>Secret"}, set()),
    "toml html draft": ("hugo", {**HUGO, "content/x.html": "+++\ndraft = true\n+++\n<p>Secret"}, set()),
    "json html draft": ("hugo", {**HUGO, "content/x.html": '{\n"draft": true}\n<p>Secret'}, set()),
    "html after a blank line": ("hugo", {**HUGO, "content/x.htm": "\n\ufeff---\ndraft: true\n---\n<p>Secret"}, set()),
    "html bundle": (
        "hugo",
        {**HUGO, "content/x/index.html": "---\ndraft: true\n---\n", "content/x/a.gif": PICTURE},
        set(),
    ),
    "html with a status": (
        "pelican",
        {**PELICAN, "content/x.html": '<html><head><meta name="status" content="draft"></head></html>'},
        set(),
    ),
    "mdx in a plain folder": ("plain", {**PLAIN, "x.mdx": "import X"}, set()),
    "program": ("plain", {**PLAIN, "contact.php": "<?php $password = 'x'"}, set()),
    # Drafts and what belongs to them.
    "bundle": ("hugo", {**HUGO, "content/x/index.md": DRAFT, "content/x/in/cat.gif": PICTURE}, set()),
    "folder of a text": ("hexo", {**HEXO, "source/_posts/x.md": DRAFT, "source/_posts/x/cat.gif": PICTURE}, set()),
    "draft with a picture": (
        "hexo",
        {**HEXO, "source/_drafts/x.md": TITLED, "source/_drafts/x/cat.gif": PICTURE, "source/_drafts/b.gif": PICTURE},
        set(),
    ),
    "draft: 1": ("plain", {**PLAIN, "x.md": "---\ntitle: x\ndate: 2024-05-01\ndraft: 1\n---\nText"}, set()),
    "draft: maybe": ("plain", {**PLAIN, "x.md": "---\ntitle: x\ndraft: maybe\n---\nText"}, set()),
    "Draft: yes": ("plain", {**PLAIN, "x.md": "---\ntitle: x\nDraft: 'Yes'\n---\nText"}, set()),
    "draft: false": ("plain", {**PLAIN, "x.md": "---\ntitle: x\ndraft: 'False'\n---\nText"}, {"x.md"}),
    "published: 0": ("plain", {**PLAIN, "x.md": "---\ntitle: x\npublished: 0\n---\nText"}, set()),
    "published: a day": ("plain", {**PLAIN, "x.md": "---\ntitle: x\npublished: 2024-05-02\n---\nText"}, {"x.md"}),
    "status": ("pelican", {**PELICAN, "content/x.md": "Title: x\nStatus: Hidden\n\nText"}, set()),
    "unknown first header": ("pelican", {**PELICAN, "content/x.md": "Lang: en\nTitle: x\nStatus: draft\n\nx"}, set()),
    "private": ("plain", {**PLAIN, "x.md": "---\ntitle: x\nprivate: true\n---\nText"}, set()),
    "password": ("hexo", {**HEXO, "source/_posts/x.md": "---\ntitle: x\npassword: y\n---\nText"}, set()),
    "future": ("hugo", {**HUGO, "content/x.md": "---\ndate: 2024-05-01\npublishDate: 2999-01-01\n---\nText"}, set()),
    "expired": ("hugo", {**HUGO, "content/x.md": "---\ntitle: x\nexpiryDate: 2020-01-01\n---\nText"}, set()),
    "nikola": ("plain", {**PLAIN, "x.md": "<!--\n.. title: x\n.. status: draft\n-->\nText"}, set()),
    "nikola, published": ("plain", {**PLAIN, "x.md": "<!--\n.. title: x\n.. date: 2024-05-01\n-->\nText"}, {"x.md"}),
    # Front matter that is nearly missed.
    "blank line": ("hugo", {**HUGO, "content/x.md": "\n\n" + DRAFT}, set()),
    "spaces and byte order marks": ("zola", {**ZOLA, "content/x.md": "\ufeff \n+++\ndraft = true\n+++\nText"}, set()),
    "long fence": ("hexo", {**HEXO, "source/_posts/x.md": "------\ntitle: x\ndraft: true\n------\nText"}, set()),
    "no first fence": ("hexo", {**HEXO, "source/_posts/x.md": "layout: post\ndraft: true\ntitle: x\n---\nText"}, set()),
    "typographic dash": ("plain", {**PLAIN, "x.md": "\u2014-\ntitle: x\ndraft: true\n\u2014-\nText"}, set()),
    "never closed": ("plain", {**PLAIN, "x.md": "---\n# hidden\ndraft: true\n\nText"}, set()),
    "list": ("plain", {**PLAIN, "x.md": "---\n- draft: true\n- title: x\n---\nText"}, set()),
    "comment on the fence": ("plain", {**PLAIN, "x.md": "--- # hidden\ndraft: true\n---\nText"}, set()),
    "prose between rules": ("plain", {**PLAIN, "x.md": "---\n\nProse, and more.\n\n---\n\nEnd\n"}, {"x.md"}),
    # No page at its source.
    "headless": (
        "hugo",
        {**HUGO, "content/x/index.md": "---\ntitle: x\nheadless: true\n---\nText", "content/x/cat.gif": PICTURE},
        set(),
    ),
    "render never": ("hugo", {**HUGO, "content/x.md": "---\ntitle: x\nbuild: {render: never}\n---\nText"}, set()),
    "render false": ("hugo", {**HUGO, "content/x.md": "---\ntitle: x\n_build: {Render: false}\n---\nText"}, set()),
    "list never": ("hugo", {**HUGO, "content/x.md": "---\ndate: 2024-05-01\nbuild: {list: never}\n---\nText"}, set()),
    "unlisted page": ("hugo", {**HUGO, "content/x.md": "---\nbuild: {list: never}\n---\nText"}, {"content/x.md"}),
    "zola render": ("zola", {**ZOLA, "content/x.md": "+++\ntitle = 'x'\nrender = false\n+++\nText"}, set()),
    "permalink false": ("eleventy", {**ELEVENTY, "src/x.md": "---\ntitle: x\npermalink: false\n---\nText"}, set()),
    # What folders and settings say.
    "jekyll exclude": (
        "jekyll",
        {**JEKYLL, "_config.yml": "exclude: [internal, '*.txt', notes.md, ./docs/]", "internal/x.md": TITLED,
         "a.txt": "x", "deep/b.txt": "x", "notes.md": TITLED, "docs/y.gif": PICTURE, "other/notes.md": TITLED},
        {"other/notes.md"},
    ),
    "jekyll defaults": (
        "jekyll",
        {**JEKYLL, "_config.yml": "defaults:\n- scope: {path: secret}\n  values: {published: false}\n",
         "secret/x.md": TITLED, "open/y.md": TITLED},
        {"open/y.md"},
    ),
    "jekyll names": ("jekyll", {**JEKYLL, "_file.md": TITLED, "in/_part.html": "x", "#x#": "x", "old.md~": "x"}, set()),
    "jekyll include": ("jekyll", {**JEKYLL, "_config.yml": "include: [_file.md]", "_file.md": TITLED}, {"_file.md"}),
    "plain names": ("plain", {**PLAIN, "_file.md": TITLED, "x.bak": "x", ".x.md.swp": "x", "x.orig": "x"}, set()),
    "hexo ignore": ("hexo", {**HEXO, "_config.yml": "ignore: ['**/private/**']", "source/private/x.md": TITLED}, set()),
    "eleventyignore": (
        "eleventy",
        {**ELEVENTY, ".eleventyignore": "# kept back\n/src/secret/\n*.txt\n", "src/secret/x.md": TITLED,
         "src/a.txt": "x"},
        set(),
    ),
    "eleventyignore inside": ("eleventy", {**ELEVENTY, "src/.eleventyignore": "x.md", "src/x.md": TITLED}, set()),
    "eleventy ignores.add": (
        "eleventy",
        {**ELEVENTY, "eleventy.config.js": 'c.ignores.add("src/x.md")', "src/x.md": TITLED},
        set(),
    ),
    "eleventy folder data": (
        "eleventy",
        {**ELEVENTY, "src/d/d.json": '{"draft": true}', "src/d/x.md": TITLED, "src/d/in/y.md": TITLED},
        set(),
    ),
    "eleventy folder data undone": (
        "eleventy",
        {**ELEVENTY, "src/d/d.11tydata.json": '{"permalink": false}', "src/d/x.md": "---\npermalink: /x/\n---\nText"},
        {"src/d/x.md"},
    ),
    "eleventy text data": ("eleventy", {**ELEVENTY, "src/x.json": '{"draft": true}', "src/x.md": TITLED}, set()),
    "eleventy data in a program": (
        "eleventy",
        {**ELEVENTY, "src/d/d.11tydata.js": "module.exports = {eleventyExcludeFromCollections: true}",
         "src/d/x.md": POST},
        set(),
    ),
    "eleventy other data": ("eleventy", {**ELEVENTY, "src/map.json": '{"a": 1}'}, {"src/map.json"}),
    "zola ignored_content": (
        "zola",
        {**ZOLA, "config.toml": 'ignored_content = ["*.{txt,xlsx}", "**/build/**"]', "content/a.txt": "x",
         "content/in/b.xlsx": "x", "content/in/build/c.gif": PICTURE},
        set(),
    ),
    "zola section": (
        "zola",
        {**ZOLA, "content/s/_index.md": "+++\ndraft = true\n+++\n", "content/s/in/x.md": "+++\ntitle = 'x'\n+++\nText"},
        set(),
    ),
    "hugo cascade": (
        "hugo",
        {**HUGO, "content/s/_index.md": "---\ntitle: S\ncascade:\n  build:\n    render: never\n---\n",
         "content/s/in/x.md": TITLED},
        set(),
    ),
    "hugo cascade with a target": (
        "hugo",
        {**HUGO, "content/s/_index.md": "+++\n[[cascade]]\ndraft = true\n[cascade.target]\npath = '/s/in/**'\n+++\n",
         "content/s/in/x.md": TITLED, "content/s/y.md": TITLED},
        {"content/s/y.md"},
    ),
    "hugo cascade in the settings": (
        "hugo",
        {**HUGO, "hugo.toml": "[[cascade]]\ndraft = true\n[cascade._target]\npath = '/s/**'\n",
         "content/s/x.md": TITLED},
        set(),
    ),
    "hugo ignoreFiles": (
        "hugo",
        {**HUGO, "hugo.toml": 'ignoreFiles = ["\\\\.txt$", "internal/"]', "content/a.txt": "x",
         "content/internal/x.md": TITLED},
        set(),
    ),
    "pelican excludes": (
        "pelican",
        {**PELICAN, "pelicanconf.py": "ARTICLE_EXCLUDES = ['internal']\nIGNORE_FILES = ['*.txt']\nX = f()\n",
         "content/internal/x.md": TITLED, "content/a.txt": "x"},
        set(),
    ),
    # Secrets.
    "private key": ("plain", {**PLAIN, "deploy.txt": "-----BEGIN OPENSSH PRIVATE KEY-----\nx"}, set()),
    "key by its name": ("plain", {**PLAIN, "id_ed25519": "x", "cert.pfx": "x"}, set()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_nothing_more_is_public_than_at_its_source(case: str, run: Import) -> None:
    system, tree, besides = CASES[case]
    report = run(tree)
    assert public() == besides | {FIRST[system]}
    reasons = dict([*report.skipped, *report.drafts])
    kept_back = {path for path in tree if not path.rpartition("/")[2].startswith(".")} - public()
    # A text that waits for its time, and the files of a draft, are taken and need no reason.
    waiting = {path for (path,) in Entry.select(Entry.source_path).where(Entry.status == "scheduled").tuples()}
    owned = {path for path in kept_back if path.endswith(".gif")}
    described = {path for path in kept_back if path.endswith("_index.md")}
    assert kept_back - waiting - owned - described <= set(reasons)
    assert all(reasons[path] for path in kept_back & set(reasons))


@pytest.mark.parametrize("said", ["draft = true", "render = false", "[build]\nrender = 'never'"])
def test_a_section_that_has_no_page_at_its_source_has_none_here(said: str, run: Import) -> None:
    report = run({**ZOLA, "content/s/_index.md": f"+++\ntitle = 'S'\n{said}\n+++\nSecret\n"})
    assert not Category.select().where(Category.always | (Category.description != "")).exists()
    assert "not published" in dict(report.skipped)["content/s/_index.md"]


def test_content_that_becomes_excluded_is_deleted(run: Import, root: Path) -> None:
    run(
        {
            **HUGO,
            "content/x/index.md": TITLED,
            "content/x/cat.gif": PICTURE,
            "content/y.md": TITLED,
            "content/z.txt": "z",
        }
    )
    assert {"content/x/index.md", "content/x/cat.gif", "content/y.md", "content/z.txt"} <= public()
    run({
        "content/x/index.md": "---\ntitle: T\nheadless: true\n---\nText",
        "hugo.toml": 'ignoreFiles = ["y\\\\.md$", "\\\\.txt$"]',
    })  # fmt: skip
    assert public() == {"content/posts/a.md"}
    assert Entry.select().count() == 1


def test_the_files_of_a_text_that_cannot_be_read_stay_as_they_were(run: Import, root: Path) -> None:
    run({**HUGO, "content/x/index.md": TITLED, "content/x/cat.gif": PICTURE})
    plant(root, {"content/x/index.md": "---\ntitle: [\n---\n", "content/x/dog.gif": PICTURE})
    run({})
    assert {path for path in public() if "gif" in path} == {"content/x/cat.gif"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_config.yml", "exclude: [\n"),
        ("hugo.toml", "ignoreFiles = "),
        ("hugo.toml", 'ignoreFiles = ["(a+)+$"]'),
        ("pelicanconf.py", "IGNORE_FILES = ["),
    ],
)
def test_settings_that_cannot_be_read_stop_the_import_first(name: str, text: str, config: Config, root: Path) -> None:
    plant(root, {**{"_config.yml": JEKYLL, "hugo.toml": HUGO, "pelicanconf.py": PELICAN}[name], name: text})
    with pytest.raises(ContentError, match=name if "(a+)" not in text else "ignoreFiles"):
        import_folder(config, "blog", root)
    assert not Entry.select().exists()


@pytest.mark.parametrize("pattern", ["a*" * 7, "x" * 301, "y\n" * 1001])
def test_patterns_that_may_take_long_are_refused(pattern: str, config: Config, root: Path) -> None:
    plant(root, {**ELEVENTY, ".eleventyignore": pattern})
    with pytest.raises(ContentError, match=r"complex|may; remove some"):
        import_folder(config, "blog", root)
    assert not Entry.select().exists()


def test_symbolic_links_to_excluded_files_are_refused(config: Config, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text(TITLED)
    plant(root, {
        **JEKYLL, ".git/config": "token", ".env": "x", "_config.yml": "exclude: [internal.md]", "internal.md": TITLED,
        "old.md~": TITLED, "fine.gif": PICTURE, "_data/x.yml": "a: 1",
    })  # fmt: skip
    links = {
        "a.txt": ".git/config", "b.txt": ".env", "c.md": "internal.md", "d.md": "old.md~", "e.txt": "_data/x.yml",
        "f.txt": "a.txt", "g.md": str(tmp_path / "outside.md"), "h.txt": "h.txt", "i.txt": "gone", "j.gif": "fine.gif",
        "k": "_posts", "l": ".git", "m.txt": "l/config", "n.md": "../outside.md",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    report = import_folder(config, "blog", root)
    assert report.accounted_for == report.files
    assert public() == {"_posts/2024-05-01-a.md", "fine.gif", "j.gif"}
    reasons = dict(report.skipped)
    assert set(links) - {"j.gif"} <= set(reasons)
    assert "hidden" in reasons["a.txt"]
    assert "hidden" in reasons["m.txt"]
    assert "exclude" in reasons["c.md"]


@pytest.mark.parametrize(
    "text", ["---\n\nA rule.\n", "===\n\nA line.\n", "> title: x\n", "-- a dash\ntitle case matters\n", "\n\nText\n"]
)
def test_prose_is_not_taken_for_front_matter(text: str) -> None:
    assert split(text.encode()).meta == {}
