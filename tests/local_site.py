"""A publishing host without processes: tests save content, publish and drain on their own connection."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance import db, publishing
from appliance.building import publish_job as publishing_kind
from appliance.building.docroot import Docroot
from appliance.config import Config, QueueSettings, validate
from appliance.content import assets, entries
from appliance.content.entries import EntryData
from appliance.content.models import Asset, Entry, Site
from appliance.installation import open_installation
from appliance.planning.plan import Plan, PublishOptions
from appliance.planning.theme import Theme
from appliance.queue import store
from appliance.queue.worker import JobKind, Worker

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
    """Return the seconds since the epoch of `2026-11-22` or `2026-11-22T10:30`, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def write_theme(folder: Path, manifest: str, files: Mapping[str, str]) -> Path:
    """Write a theme to `folder`, from a manifest without name and its files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "theme.toml").write_text('name = "Trial"\n' + manifest, "utf-8")
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


def archive(kind: str, path: str, template: str = "", more: str = "") -> str:
    """Return the lines of one archive map."""
    template = template or ("entry.html" if kind in ("entry", "page") else "listing.html")
    return f'[[archive]]\ntype = "{kind}"\ntemplate = "{template}"\npath = "{path}"\n{more}\n'


def index(path: str, template: str = "listing.html", more: str = "") -> str:
    """Return the lines of one index template."""
    return f'[[index]]\ntemplate = "{template}"\npath = "{path}"\n{more}\n'


class _NoWait:
    def wait(self, timeout: float) -> bool:
        return False


class LocalSite:
    """An installation below a folder, with a short theme; its database is connected."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config
        self.docroot = config.docroot
        self.kind: JobKind | None = None

    @property
    def site(self) -> Site:
        """The first site."""
        return Site.get(Site.name == self.config.sites[0].name)

    @property
    def theme(self) -> Theme:
        """The first site's theme, read from disk."""
        return Theme.load(self.config.sites[0].theme, self.folder)

    def save(self, title: str, day: str = "2026-11-01", *, site: Site | None = None, **data: Any) -> Entry:
        """Add or edit (`entry=`) an entry of this title; its slug is the title in lower case."""
        entry = data.pop("entry", None)
        slug = data.pop("slug", title.lower().replace(" ", "-"))
        made = EntryData(title=title, slug=slug, **{"published_at": moment(day), **data})
        return entries.save(site or self.site, made, entry=entry)[0]

    def upload(self, path: str, content: bytes, **more: Any) -> Asset:
        """Upload a file."""
        file = self.folder / "upload"
        file.write_bytes(content)
        return assets.add_file(self.config, self.site, file, path, **more)[0]

    def publish(self, **how: Any) -> list[Plan]:
        """Plan and enqueue."""
        return publishing.publish(self.config, options=PublishOptions(**how))

    def drain(self, retries: int | None = None) -> None:
        """Run jobs until none is due; with `retries`, failed jobs become due at once."""
        docroot = Docroot.prepare(self.config)
        self.kind = self.kind or publishing_kind.publish_kind(self.config, docroot)
        settings = QueueSettings()
        worker = Worker("local_site", [self.kind], settings, _NoWait())
        for _ in range(retries or 1):
            while claims := store.claim(worker.name, list(worker.kinds), settings.batch, settings.lease):
                worker.run_batch(claims)
            if retries:
                db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")

    def run(self, **how: Any) -> list[Plan]:
        """Publish and drain; no job may be left and none may have failed."""
        plans = self.publish(**how)
        self.drain()
        assert store.recent_failures() == []
        assert store.count_unfinished() == 0
        return plans

    def paths(self) -> list[str]:
        """The sorted paths of all wanted artifacts."""
        return [path for (path,) in db.execute("SELECT path FROM artifact WHERE wanted ORDER BY path").fetchall()]

    def text(self, path: str) -> str:
        """A published file."""
        return (self.docroot / path).read_text("utf-8")

    def tree(self) -> dict[str, bytes]:
        """Return the bytes of every file of the docroot by path."""
        return tree(self.docroot)

    def journal(self) -> list[tuple[str, str, int]]:
        """Every publication: path, op, version."""
        return list(db.execute("SELECT path, op, version FROM publication ORDER BY id").fetchall())

    def failed(self) -> dict[str, str]:
        """Return the errors of failed jobs by path."""
        return {key: message for _, key, message in store.recent_failures(1000)}


def tree(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below `folder`; an empty folder, which is not expected, is named with a slash."""
    found = {}
    for above, folders, files in os.walk(folder, followlinks=True):
        inside = os.path.relpath(above, folder)
        for name in files:
            found[os.path.normpath(f"{inside}/{name}")] = Path(above, name).read_bytes()
        if not folders and not files and inside != ".":
            found[f"{inside}/"] = b""
    return dict(sorted(found.items()))


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return inode, mtime and ctime of every file, which change when a file is written."""
    return {
        p.relative_to(folder).as_posix(): (s.st_ino, s.st_mtime_ns, s.st_ctime_ns)
        for p in folder.rglob("*")
        if p.is_file() and (s := p.stat())
    }


@contextmanager
def local_site(
    folder: Path,
    manifest: str = "",
    files: Mapping[str, str] | None = None,
    *,
    sites: Sequence[Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Iterator[LocalSite]:
    """Return an installation in `folder` with this manifest and these theme files besides the usual ones."""
    shared = {"entry.html": ENTRY, "listing.html": LISTING, "redirect.html": "-> {{ target_url }}\n"}
    write_theme(folder / "theme", manifest, {**shared, **(files or {})})
    plain = {"name": "blog", "title": "A Blog", "url": "https://blog.example/", "theme": "theme"}
    raw = {
        "docroot": str(folder / "www"),
        "host": "here",
        "sites": [{**plain, **site} for site in sites or [{}]],
        **settings,
    }
    config = validate(raw, folder / "appliance.toml")
    with open_installation(config):
        made = LocalSite(folder, config)
        try:
            yield made
        finally:
            if made.kind is not None:
                made.kind.perform.__self__._builder.close()  # type: ignore[attr-defined]


def refuses_root() -> pytest.MarkDecorator:
    """Skips a test of file permissions, which do not apply to root."""
    return pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
