"""Bad input: one clear sentence each, an exit status, and nothing lost or touched."""

from __future__ import annotations

import os
from pathlib import Path

from tests.acceptance.conftest import Shell
from tests.local_site import archive, index, refuses_root, tree


def test_front_matter_that_cannot_be_read(shell: Shell) -> None:
    shell.post("good")
    (shell.folder / "posts" / "bad.md").write_text("---\ntitle: [unclosed\n---\nText\n")
    (shell.folder / "posts" / "worse.md").write_bytes(b"---\ntitle: x\n---\n\xff\xfe")
    said = shell.run("content.import", "posts").stdout
    assert said.startswith("3 files in ")
    assert "bad.md: " in said
    assert "worse.md: " in said
    shell.run("publish")
    shell.run("drain")
    assert sorted(tree(shell.docroot)) == ["good/index.html", "index.html"]


def test_a_post_that_becomes_unreadable_stays_published(shell: Shell) -> None:
    file = shell.post("one", "First.")
    shell.ready()
    file.write_text("---\ntitle: [unclosed\n---\nSecond.\n")
    said = shell.run("content.import", "posts", code=1).stdout
    assert "one.md" in said
    assert "nothing to publish" in shell.run("publish").stdout
    assert "First." in (shell.docroot / "one/index.html").read_text()


def test_two_posts_with_one_name_in_one_month_are_both_published(shell: Shell) -> None:
    """And an unrelated third; the documented recipe goes on, time after time."""
    shell.post("one", slug="same", date="2026-01-01")
    shell.ready()
    shell.post("two", slug="same", date="2026-01-20")
    shell.post("three")
    shell.run("content.import", "posts")
    told = shell.run("publish").stderr
    assert (
        "(two.md) is published as “same-2/index.html”, since the entry “one” (one.md) is at “same/index.html”" in told
    )
    shell.run("drain")
    published = tree(shell.docroot)
    assert sorted(published) == ["index.html", "same-2/index.html", "same/index.html", "three/index.html"]
    shell.run("content.import", "posts")
    assert shell.run("publish").stderr == "", "it is told once"
    shell.run("drain")
    assert tree(shell.docroot) == published


def test_a_template_that_raises(shell: Shell) -> None:
    shell.post("one")
    shell.post("two")
    shell.theme(entry_html="{{ entry.title }}\n{{ 1 / (entry.title != 'two') }}")
    shell.planned()
    refused = shell.run("drain", code=1)
    assert "two/index.html: failed: " in refused.stderr
    assert "theme/entry.html, line 2: the template failed: division by zero" in refused.stderr
    assert sorted(tree(shell.docroot)) == ["index.html", "one/index.html"]
    assert "two/index.html: " in shell.run("status").stdout
    shell.theme()
    shell.run("publish")
    shell.run("drain")
    assert sorted(tree(shell.docroot)) == ["index.html", "one/index.html", "two/index.html"]
    assert "0 failed" in shell.run("status").stdout


BROKEN = {
    index("index.html", "gone.html"): "there is no “gone.html”",
    archive("entry", "../{slug}/"): "would leave the docroot",
    archive("entry", "/srv/{slug}/"): "is absolute",
    archive("entry", ""): "is empty",
    "[[index]]\ntemplate = ": "is not TOML",
    "nonsense = 1\n": "nonsense",
}


def test_a_theme_that_cannot_work(shell: Shell) -> None:
    shell.post("one")
    shell.ready()
    before = shell.state()
    for manifest, says in BROKEN.items():
        shell.theme(manifest)
        refused = shell.run("publish", code=3)
        assert f"{shell.folder}/theme/theme.toml" in refused.stderr
        assert says in refused.stderr
    assert shell.state() == before


def test_a_theme_that_breaks_between_publish_and_drain(shell: Shell) -> None:
    shell.post("one")
    shell.planned()
    manifest = shell.folder / "theme" / "theme.toml"
    whole = manifest.read_text()
    manifest.write_text("broken")
    refused = shell.run("drain", code=1)
    assert "theme.toml: is not TOML" in refused.stderr
    assert tree(shell.docroot) == {}
    manifest.write_text(whole)
    shell.run("publish")
    shell.run("drain")
    assert sorted(tree(shell.docroot)) == ["index.html", "one/index.html"]


def test_a_file_where_another_needs_a_folder(shell: Shell) -> None:
    shell.theme(archive("entry", "{slug}") + archive("page", "{folder}/{slug}"))
    shell.post("docs")
    shell.post("docs/page", type="page", date="2026-03-03")
    shell.theme(index("docs") + archive("entry", "docs/{slug}.html"))
    shell.run("content.import", "posts")
    refused = shell.run("publish")
    assert "would be the file “docs”, but " in refused.stderr
    assert "needs a folder of that name" in refused.stderr
    assert "needs a folder" in shell.run("publish").stderr, "it is told until it is mended"
    assert "left out: " in shell.run("status").stdout
    shell.run("drain")
    assert all(path.startswith("docs/") for path in tree(shell.docroot))


def test_a_docroot_that_is_a_file(shell: Shell) -> None:
    shell.post("one")
    shell.run("content.import", "posts")
    shell.docroot.write_text("precious")
    before = shell.state()
    for words in (["publish"], ["drain"]):
        refused = shell.run(*words, code=3)
        assert refused.stderr == f"docroot: {shell.docroot} is a file; move it away or name another folder\n"
    assert shell.docroot.read_text() == "precious"
    assert shell.state() == before


@refuses_root()
def test_a_docroot_that_cannot_be_written(shell: Shell) -> None:
    shell.docroot.mkdir(mode=0o555)
    refused = shell.run("publish", code=3)
    assert "cannot be written by this account" in refused.stderr


def test_settings_are_refused_with_every_fault(shell: Shell) -> None:
    file = shell.folder / "appliance.toml"
    whole = file.read_text()
    file.write_text(
        whole.replace(f'docroot = "{shell.docroot}"', 'docroot = "www"').replace("title =", "titel =")
        + '[queue]\nworkers = "two"\n[[targets]]\nname = "a"\naddress = "host:relative/path"\n'
    )
    refused = shell.run("publish", code=3)
    lines = refused.stderr.splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    for said in ("docroot", "titel", "queue.workers", "targets.a.address"):
        assert any(said in line for line in lines), said
    assert not (shell.folder / "appliance.db").exists()
    file.write_text(whole.replace("./theme", "no-such-theme"))
    assert "no-such-theme" in shell.run("publish", code=3).stderr
    file.write_text(whole + "[sites.settings]\naccent = 1\n")
    assert "settings.accent: the theme “Trial” has no such setting" in shell.run("publish", code=3).stderr
    file.unlink()
    assert "appliance.toml" in shell.run("status", code=3).stderr


def test_a_database_that_is_none(shell: Shell) -> None:
    (shell.folder / "appliance.db").write_bytes(b"not a database at all, " * 100)
    refused = shell.run("publish", code=3)
    assert "appliance.db" in refused.stderr
    assert (shell.folder / "appliance.db").read_bytes().startswith(b"not a database")


def test_a_folder_that_is_not_there(shell: Shell) -> None:
    refused = shell.run("content.import", "nowhere", code=1)
    assert "nowhere" in refused.stderr
    assert "no site" in shell.run("publish", "--site", "other", code=3).stderr


def test_a_pattern_that_matches_nothing(shell: Shell) -> None:
    shell.post("one")
    shell.ready()
    before = shell.state()
    refused = shell.run("publish", "two/*", code=1)
    assert "No artifact matches two/*" in refused.stderr
    assert shell.state()[1:] != ()
    assert shell.state()[-1] == before[-1]
    assert "1 added" in shell.run("publish", "one/*").stdout
    assert "1 jobs" in shell.run("drain").stdout


def test_a_full_disk_is_told_and_nothing_is_lost(shell: Shell, tmp_path: Path) -> None:
    """A docroot whose folder of pages cannot be made stands for any refusal of the system's."""
    shell.post("one")
    shell.run("content.import", "posts")
    (shell.folder / "appliance.toml").write_text("queue.retries = 0\n" + (shell.folder / "appliance.toml").read_text())
    shell.docroot.mkdir()
    (shell.docroot / "one").write_text("somebody's file")
    shell.run("publish")
    refused = shell.run("drain", code=1)
    assert "one/index.html: failed: " in refused.stderr
    assert (shell.docroot / "one").read_text() == "somebody's file"
    os.unlink(shell.docroot / "one")  # noqa: PTH108
    assert "1 added" in shell.run("publish").stdout
    shell.run("drain")
    assert sorted(tree(shell.docroot)) == ["index.html", "one/index.html"]
