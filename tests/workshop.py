"""A publishing host without processes: tests save content, publish, and drain on the connection they have."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance import db, publishing
from appliance.building import publish as publishing_kind
from appliance.building.docroot import Docroot
from appliance.config import Config, QueueSettings, check
from appliance.content import assets, entries
from appliance.content.entries import EntryData
from appliance.content.models import Asset, Entry, Site
from appliance.planning.plan import Plan, Wish
from appliance.planning.theme import Theme
from appliance.queue import store
from appliance.queue.worker import Kind, Worker

#: One archive map of every type, each below a folder of its own.
EVERY_ARCHIVE = {
    "entry": "{year}/{month}/{slug}/index.html",
    "page": "{folder}/{slug}/index.html",
    "daily": "daily/{year}/{month}/{day}/index.html",
    "weekly": "weekly/{year}/{month}/{day}/index.html",
    "monthly": "monthly/{year}/{month}/index.html",
    "yearly": "yearly/{year}/index.html",
    "category": "category/{category}/index.html",
    "author": "author/{author}/index.html",
    "tag": "tag/{tag}/index.html",
    **{
        f"{term}-{name}": f"{term}-{name}/{{{term}}}/on/{fields}/index.html"
        for term in ("category", "author")
        for name, fields in (
            ("daily", "{year}/{month}/{day}"), ("weekly", "{year}/{month}/{day}"),
            ("monthly", "{year}/{month}"), ("yearly", "{year}"),
        )
    },
}  # fmt: skip

ENTRY = "{{ entry.title }}|{{ entry.html }}\n"
LISTING = "{% for e in listing.entries %}{{ e.title }};{% endfor %}\n"


def moment(text: str) -> int:
    """Seconds since the epoch of `2026-11-22` or `2026-11-22T10:30`, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def write_theme(folder: Path, manifest: str, files: Mapping[str, str]) -> Path:
    """A theme in `folder`: its manifest without name, and its files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "theme.toml").write_text('name = "Trial"\n' + manifest, "utf-8")
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


def archive(kind: str, path: str, template: str = "", more: str = "") -> str:
    """The lines of one archive map."""
    template = template or ("entry.html" if kind in ("entry", "page") else "listing.html")
    return f'[[archive]]\ntype = "{kind}"\ntemplate = "{template}"\npath = "{path}"\n{more}\n'


def index(path: str, template: str = "listing.html", more: str = "") -> str:
    """The lines of one index template."""
    return f'[[index]]\ntemplate = "{template}"\npath = "{path}"\n{more}\n'


class _NoWait:
    def wait(self, timeout: float) -> bool:
        return False


class Workshop:
    """An installation below a folder, with a theme of a few lines; its database is connected."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config
        self.docroot = config.docroot
        self.kind: Kind | None = None

    @property
    def site(self) -> Site:
        """The first site."""
        return Site.get(Site.name == self.config.sites[0].name)

    @property
    def theme(self) -> Theme:
        """The first site's theme as it is on disk."""
        return Theme.load(self.config.sites[0].theme, self.folder)

    def save(self, title: str, day: str = "2026-11-01", *, site: Site | None = None, **data: Any) -> Entry:
        """Add or edit (`entry=`) an entry of this title; its slug is the title in lower case."""
        entry = data.pop("entry", None)
        slug = data.pop("slug", title.lower().replace(" ", "-"))
        made = EntryData(title=title, slug=slug, published_at=moment(day), **data)
        return entries.save(site or self.site, made, entry=entry)[0]

    def upload(self, path: str, content: bytes, **more: Any) -> Asset:
        """Put a file on the site."""
        file = self.folder / "upload"
        file.write_bytes(content)
        return assets.add_file(self.config, self.site, file, path, **more)[0]

    def publish(self, **how: Any) -> list[Plan]:
        """Plan and enqueue."""
        return publishing.publish(self.config, wish=Wish(**how))

    def drain(self, retries: int | None = None) -> None:
        """Work until nothing is due; with `retries` failed runs become due at once."""
        docroot = Docroot.prepare(self.config)
        self.kind = self.kind or publishing_kind.kind(self.config, docroot)
        settings = QueueSettings()
        worker = Worker("workshop", [self.kind], settings, _NoWait())
        for _ in range(retries or 1):
            while claims := store.claim(worker.name, list(worker.kinds), settings.batch, settings.lease):
                worker.perform(claims)
            if retries:
                db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")

    def run(self, **how: Any) -> list[Plan]:
        """Publish and drain; no job may be left and none may have failed."""
        plans = self.publish(**how)
        self.drain()
        assert store.failures() == []
        assert store.unfinished() == 0
        return plans

    def paths(self) -> list[str]:
        """The paths of the artifacts the installation should have, in order."""
        return [path for (path,) in db.execute("SELECT path FROM artifact WHERE wanted ORDER BY path").fetchall()]

    def text(self, path: str) -> str:
        """A published file."""
        return (self.docroot / path).read_text("utf-8")

    def tree(self) -> dict[str, bytes]:
        """Every file of the docroot with its bytes."""
        return tree(self.docroot)

    def journal(self) -> list[tuple[str, str, int]]:
        """Every publication: path, op, version."""
        return list(db.execute("SELECT path, op, version FROM publication ORDER BY id").fetchall())

    def failed(self) -> dict[str, str]:
        """The sentences of failed jobs, by path."""
        return {key: message for _, key, message in store.failures(1000)}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes; empty folders are not expected and named with a slash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                found[name + "/"] = b""
        else:
            found[name] = path.read_bytes()
    return found


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What changes when a file is written: inode, mtime and ctime of every file."""
    return {
        p.relative_to(folder).as_posix(): (s.st_ino, s.st_mtime_ns, s.st_ctime_ns)
        for p in folder.rglob("*")
        if p.is_file() and (s := p.stat())
    }


@contextmanager
def workshop(
    folder: Path,
    manifest: str = "",
    files: Mapping[str, str] | None = None,
    *,
    sites: Sequence[Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Iterator[Workshop]:
    """An installation in `folder` whose theme has this manifest and these files beside the usual ones."""
    shared = {"entry.html": ENTRY, "listing.html": LISTING, "redirect.html": "-> {{ target_url }}\n"}
    write_theme(folder / "theme", manifest, {**shared, **(files or {})})
    plain = {"name": "blog", "title": "A Blog", "url": "https://blog.example/", "theme": "theme"}
    raw = {
        "docroot": str(folder / "www"),
        "host": "here",
        "sites": [{**plain, **site} for site in sites or [{}]],
        **settings,
    }
    config = check(raw, folder / "appliance.toml")
    with publishing.installation(config):
        made = Workshop(folder, config)
        try:
            yield made
        finally:
            if made.kind is not None:
                made.kind.perform.__self__._builder.close()  # type: ignore[attr-defined]


def refuses_root() -> pytest.MarkDecorator:
    """Skips a test of file permissions, which root does not feel."""
    return pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
