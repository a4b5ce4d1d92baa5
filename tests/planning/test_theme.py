"""Theme manifests: every fault at once, each with the place to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import ThemeError
from appliance.planning.theme import Theme
from tests.local_site import archive, index, write_theme


def faults(folder: Path, manifest: str, files: dict[str, str] | None = None) -> list[str]:
    write_theme(folder / "theme", manifest, files if files is not None else {"listing.html": "", "entry.html": ""})
    with pytest.raises(ThemeError) as caught:
        Theme.load("theme", folder)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(folder / "theme")) for line in lines), lines
    return lines


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    manifest = (
        index("/feed.xml")
        + index("../index.html", "gone.html")
        + archive("entry", "{sluug}.html", "lost.html")
        + archive("category", "", more='page_path = "more.html"')
        + '[redirect]\ntemplate = "nowhere.html"\n'
    )
    told = "\n".join(faults(tmp_path, manifest))
    for said in (
        "index #1.path: the path pattern “/feed.xml” is absolute",
        "index #2.template: there is no “gone.html”",
        "index #2.path: the path pattern “../index.html” would leave the docroot",
        "archive #1.template: there is no “lost.html”",
        "archive #1.path: the path pattern “{sluug}.html” names “{sluug}”",
        "archive #2.path: the path pattern is empty",
        "archive #2.page_path: the path pattern “more.html” lacks {page}",
        "redirect.template: there is no “nowhere.html”",
    ):
        assert said in told


def test_unknown_keys_name_the_one_that_was_meant(tmp_path: Path) -> None:
    told = "\n".join(faults(tmp_path, index("index.html", more="pagniate = 5") + "[thumbnail]\nwidths = [1]\n"))
    assert "pagniate" in told
    assert "paginate" in told
    assert "thumbnails" in told


def test_wrong_types_are_told(tmp_path: Path) -> None:
    told = "\n".join(faults(tmp_path, index("index.html", more='paginate = "ten"') + archive("sometimes", "x.html")))
    assert "index #1.paginate" in told
    assert "archive #1.type" in told
    assert "category-monthly" in told


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[static]\nfolder = "../secrets"\n', "static.folder"),
        ('[static]\nfolder = "/etc"\n', "static.folder"),
        ('[static]\npath = "../elsewhere"\n', "static.path"),
        ('[thumbnails]\nwidths = [0, -3]\n', "thumbnails.widths"),
    ],
)  # fmt: skip
def test_what_would_reach_outside_the_theme_is_refused(tmp_path: Path, more: str, says: str) -> None:
    told = faults(tmp_path, more)[0]
    assert says in told


def test_a_template_outside_the_theme_is_missing(tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("secret")
    (told,) = faults(tmp_path, index("index.html", "../secret.html"))
    assert "there is no “../secret.html”" in told


def test_a_manifest_that_is_not_toml_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "theme").mkdir()
    with pytest.raises(ThemeError, match=r"cannot be read .* shipped theme: default"):
        Theme.load("theme", tmp_path)
    (tmp_path / "theme" / "theme.toml").write_text("name = ")
    with pytest.raises(ThemeError, match="is not TOML"):
        Theme.load("theme", tmp_path)
    (tmp_path / "theme" / "theme.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ThemeError, match="is not TOML"):
        Theme.load("theme", tmp_path)


def test_settings_of_a_site(tmp_path: Path) -> None:
    write_theme(tmp_path / "theme", '[settings]\naccent = "ocean"\nlimit = 3\nwide = false\n', {})
    theme = Theme.load("theme", tmp_path)
    assert theme.settings({"limit": 4}) == {"accent": "ocean", "limit": 4, "wide": False}
    with pytest.raises(ThemeError) as caught:
        theme.settings({"acent": "red", "limit": "many", "wide": 1})
    told = str(caught.value)
    assert "settings.acent: the theme “Trial” has no such setting; it has accent, limit, wide" in told
    assert "settings.limit: 'many' will not do" in told
    assert "settings.wide: 1 will not do" in told
    with pytest.raises(ThemeError, match=r"settings\.limit"):
        theme.settings({"limit": True})


def test_the_preferred_map_is_the_first_unless_another_says_so(tmp_path: Path) -> None:
    maps = archive("entry", "a/{slug}.html") + archive("entry", "b/{slug}.html")
    write_theme(tmp_path / "theme", maps, {"entry.html": ""})
    first = Theme.load("theme", tmp_path).permalink("entry")
    assert first
    assert first.first.text == "a/{slug}.html"
    write_theme(tmp_path / "theme", maps + "preferred = true\n", {})
    second = Theme.load("theme", tmp_path).permalink("entry")
    assert second
    assert second.first.text == "b/{slug}.html"
    assert Theme.load("theme", tmp_path).permalink("tag") is None


def test_the_digest_changes_with_any_file(tmp_path: Path) -> None:
    files = {"listing.html": "a", "static/style.css": "b", "partials/x.html": "c"}
    write_theme(tmp_path / "theme", index("index.html"), files)
    digests = {Theme.load("theme", tmp_path).digest}
    for name in files:
        (tmp_path / "theme" / name).write_text("other")
        digests.add(Theme.load("theme", tmp_path).digest)
    assert len(digests) == 4
    assert Theme.load("theme", tmp_path).digest in digests


@pytest.mark.parametrize("where", ["static/a.css", "static/sub", "entry-2.html", "theme.toml", "hidden/.x", "dangling"])
def test_a_symbolic_link_anywhere_in_it_is_refused(tmp_path: Path, where: str) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text('name = "Trial"\n', "utf-8")
    folder = write_theme(tmp_path / "theme", "", {"static/b.css": "b"})
    Theme.load("theme", tmp_path)
    link = folder / where
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to({"static/sub": secret, "dangling": tmp_path / "nowhere"}.get(where, secret / "key"))
    with pytest.raises(ThemeError) as refused:
        Theme.load("theme", tmp_path)
    assert str(refused.value) == (
        f"{link}: is a symbolic link, and what it leads to is not the theme's; put a copy of it there"
    )
    link.unlink()
    if where == "theme.toml":
        link.write_text('name = "Trial"\n', "utf-8")
    Theme.load("theme", tmp_path)


def test_the_folder_of_a_theme_may_be_a_link_itself(tmp_path: Path) -> None:
    write_theme(tmp_path / "release", "", {})
    (tmp_path / "theme").symlink_to(tmp_path / "release")
    assert Theme.load("theme", tmp_path).manifest.name == "Trial"
