"""The sample site: its settings, its content and its comments, in a folder of its own.

Guarantees that setting it up again changes nothing: content is imported under one name, and a comment that is there
is not added again.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance import clock
from appliance import config as settings
from appliance.config import Config
from appliance.content import comments
from appliance.content.models import Comment, Entry, Site
from appliance.demo.frontend import FrontEnd
from appliance.errors import DemoError
from appliance.importing.folder import import_folder
from appliance.importing.report import Report
from appliance.planning.models import Artifact

#: The content as it is shipped: a folder of Markdown with its pictures.
CONTENT = Path(__file__).with_name("content")

#: What readers have said; beside the content, since a file in it would be published.
COMMENTS = Path(__file__).with_name("comments.toml")

#: What the content is called in the database, wherever the package lies.
SOURCE = "demo"

SITE = "demo"

_SETTINGS = """\
# Written by `demo`, anew each time; its front ends are there while it runs.

docroot = {docroot}
host = "publisher"

[delivery]
ssh_key = {key}
known_hosts = {known_hosts}
temp_path = {temporary}

[[sites]]
name = "{site}"
title = "Tidemark"
url = "https://www.example.org/"
description = "The sea, the sky and the town between them, as seen from the headland at Skarhaven."
theme = "default"
settings = {{ tagline = "Journal of the observatory and university at Skarhaven" }}
"""

_TARGET = """
[[targets]]
name = {name}
address = {address}
access = {access}
port = {port}
other_path = {other_path}
"""


def settings_text(folder: Path, temporary: Path, front_ends: Sequence[FrontEnd]) -> str:
    """The settings of the sample site in `folder`, with a target for each front end."""
    text = _SETTINGS.format(
        docroot=_quoted(folder / "www"),
        key=_quoted(key_file(folder)),
        known_hosts=_quoted(known_hosts_file(folder)),
        temporary=_quoted(temporary),
        site=SITE,
    )
    for front_end in front_ends:
        target = front_end.settings().model_dump()
        text += _TARGET.format(**{name: _quoted(value) for name, value in target.items()})
    return text


def _quoted(value: Any) -> str:
    """A string, number or truth value as TOML writes it, which for these is as JSON does."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def key_file(folder: Path) -> Path:
    """The private key with which the sample site publishes."""
    return folder / "keys" / "publisher"


def known_hosts_file(folder: Path) -> Path:
    """Where the host keys of its front ends are pinned."""
    return folder / "keys" / "known_hosts"


def write_settings(folder: Path, temporary: Path, front_ends: Sequence[FrontEnd]) -> Config:
    """Write and read the settings of the sample site.

    Raises:
        ConfigError: the folder's name is one that no docroot can have.
    """
    file = folder / settings.FILE_NAME
    file.write_text(settings_text(folder, temporary, front_ends), "utf-8")
    return settings.load(file)


def bring_content(config: Config) -> Report:
    """Import the content into the installation, which is open.

    Raises:
        ContentError: it cannot be read.
    """
    return import_folder(config, SITE, CONTENT, source=SOURCE)


def bring_comments() -> int:
    """Add the comments of the content that are not there yet; returns how many those were.

    Raises:
        DemoError: one names an entry or a comment that is not there.
    """
    known: dict[str, Comment] = {}
    added = 0
    for said in tomllib.loads(COMMENTS.read_text("utf-8"))["comments"]:
        entry = find_entry(said["entry"])
        parent = known[said["reply_to"]] if "reply_to" in said else None
        comment = Comment.get_or_none(
            Comment.entry == entry, Comment.author_name == said["author"], Comment.text == said["text"].strip()
        )
        if comment is None:
            comment = comments.add(
                entry,
                said["author"],
                said["text"],
                url=said.get("url", ""),
                parent=parent,
                at=clock.moment(said["at"]),
                actor=SOURCE,
            )
            added += 1
        if "id" in said:
            known[said["id"]] = comment
    return added


def find_entry(slug: str) -> Entry:
    """The entry with this slug.

    Raises:
        DemoError: there is none.
    """
    found: Entry | None = Entry.select().join(Site).where(Site.name == SITE, Entry.slug == slug).first()
    if found is None:
        raise DemoError(f"the sample content has no entry “{slug}”; the package is damaged, install it again")
    return found


def address_of(entry: Entry) -> str:
    """The root-relative address at which an entry is published."""
    artifact = Artifact.get(Artifact.type == entry.kind, Artifact.subject == entry.id, Artifact.is_permalink)
    return "/" + str(artifact.path).removesuffix("index.html")


def newest_entry() -> Entry:
    """The newest published entry that may be commented on.

    Raises:
        DemoError: there is none.
    """
    entries = Entry.select().join(Site).where(Site.name == SITE, Entry.kind == "entry", Entry.status == "published")
    found: Entry | None = entries.where(Entry.allow_comments).order_by(Entry.published_at.desc()).first()
    if found is None:
        raise DemoError("the sample content has no entry; the package is damaged, install it again")
    return found


def comment_count() -> int:
    """How many comments there are."""
    return int(Comment.select().count())
