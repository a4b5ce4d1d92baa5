"""The theme of docs/how-to/write-a-theme.md: it publishes a site, and the page shows it as it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import html5lib
import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
EXAMPLE = HOW_TO / "plain-theme"

FIRST = """---
title: Hello
date: 2026-11-09
tags: [first]
aliases: [/old/hello/]
---
A post that links the [about page](about.md).
"""


def appliance(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-c", "from appliance.tasks import main; main()", *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def www(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    posts = folder / "posts"
    posts.mkdir()
    (posts / "hello.md").write_text(FIRST, "utf-8")
    (posts / "about.md").write_text("---\ntitle: About us\n---\nWe publish.\n", "utf-8")
    appliance(folder, "site.init", "site", "--url", "https://www.example.org/")
    site = folder / "site"
    shutil.copytree(EXAMPLE, site / "plain-theme")
    file = site / "appliance.toml"
    file.write_text(file.read_text("utf-8").replace('theme = "default"', 'theme = "plain-theme"'), "utf-8")
    appliance(site, "content.import", "../posts")
    appliance(site, "content.comment", "hello", "Nice **one**", "--author=Ada")
    appliance(site, "drain")
    return site / "www"


def test_the_example_publishes_every_kind_of_page(www: Path) -> None:
    assert sorted(f.relative_to(www).as_posix() for f in www.rglob("*") if f.is_file()) == [
        "2026/11/hello/index.html",
        "about/index.html",
        "feed.xml",
        "index.html",
        "old/hello/index.html",
        "tag/first/index.html",
        "theme/style.css",
    ]
    post = (www / "2026/11/hello/index.html").read_text("utf-8")
    assert '<a href="/about/">about page</a>' in post
    assert "<p>Nice <strong>one</strong></p>" in post
    assert 'url=/2026/11/hello/"' in (www / "old/hello/index.html").read_text("utf-8")
    for file in www.rglob("*.html"):
        html5lib.HTMLParser(strict=True).parse(file.read_bytes())


def test_the_feed_has_addresses_that_hold_elsewhere(www: Path) -> None:
    content = ET.parse(www / "feed.xml").find(".//{http://www.w3.org/2005/Atom}content")
    assert content is not None
    assert content.text and '<a href="https://www.example.org/about/">' in content.text


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (HOW_TO / "write-a-theme.md").read_text("utf-8")
    shown = dict(re.findall(r"`([\w.-]+)`:\n\n```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    assert {"theme.toml", "base.html", "list.html", "post.html"} <= set(shown)
    for name, text in shown.items():
        assert text == (EXAMPLE / name).read_text("utf-8"), name
