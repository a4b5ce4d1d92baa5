"""Follows the links of published pages in their docroot."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit


class Page(HTMLParser):
    """The links of a page, and the ids that links can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[key] for key in ("id", "name") if key == "id" or tag == "a" if key in given}
        self.links += [given[key] for key in ("href", "src", "poster") if key in given]
        if "srcset" in given:
            self.links += [source.split()[0] for source in given["srcset"].split(", ")]


def pages_in(docroot: Path) -> dict[str, Page]:
    """Return every page of a docroot by its path."""
    return {
        path.relative_to(docroot).as_posix(): Page(path.read_text("utf-8")) for path in sorted(docroot.rglob("*.html"))
    }


def leads_somewhere(docroot: Path, pages: dict[str, Page], path: str, fragment: str) -> bool:
    """Return whether a path is a file of the docroot, and has the fragment if it is a page."""
    name = path.lstrip("/")
    name = name + "index.html" if name.endswith("/") or not name else name
    if fragment and name in pages:
        return fragment in pages[name].ids
    return (docroot / name).is_file()


def broken_links(docroot: Path, root: str) -> tuple[set[tuple[str, str]], int]:
    """Return (page, link) of each broken link within the site at `root`, and the number of links followed."""
    pages = pages_in(docroot)
    host = urlsplit(root).netloc
    broken, followed = set(), 0
    for name, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(root + name, link))
            if target.scheme in ("http", "https") and target.netloc == host:
                followed += 1
                if not leads_somewhere(docroot, pages, unquote(target.path), unquote(target.fragment)):
                    broken.add((name, link))
    return broken, followed
