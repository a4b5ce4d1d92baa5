"""The sample site: its settings, content and comments.

Setting the site up again changes nothing: the content is imported from the same source, and existing comments are not
added again.
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
from appliance.importing.markdown.importer import import_folder
from appliance.importing.report import Report
from appliance.planning.permalinks import find_path, url_of

#: The content that the package includes: a folder of Markdown and pictures.
CONTENT = Path(__file__).with_name("content")

#: The comments. The file is outside the content, where it would be published.
COMMENTS = Path(__file__).with_name("comments.toml")

#: The name of the source in the database, wherever the package is installed.
SOURCE = "demo"

SITE = "demo"

#: The path on the site that the front ends pass to the web process.
WEB_PATH = "/-/"

#: A word that some entries have.
WORD = "lighthouse"

_SETTINGS = """\
# Written by `demo` on each run. The front ends exist while it runs.

docroot = {docroot}
host = "publisher"

[delivery]
ssh_key = {key}
known_hosts = {known_hosts}
temp_path = {temporary}

# The front ends pass this path to the web process, which is a part of `work`.
[web]
path = "{path}"
listen = {listen}
intake = {intake}

[[sites]]
name = "{site}"
title = "Tidemark"
url = "https://www.example.org/"
description = "The sea, the sky and the town between them, as seen from the headland at Skarhaven."
theme = "default"
settings = {{ tagline = "Journal of the observatory and university at Skarhaven" }}

# Comments appear at once, and a program may write them as fast as it can.
[sites.comments]
moderation = "none"
least_seconds = 0.0
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
    """Return the settings of the sample site in `folder`, with a target for each front end."""
    text = _SETTINGS.format(
        docroot=_quoted(folder / "www"),
        key=_quoted(key_file(folder)),
        known_hosts=_quoted(known_hosts_file(folder)),
        temporary=_quoted(temporary),
        path=WEB_PATH,
        listen=_quoted(web_address(temporary)),
        intake=_quoted(temporary / "intake.sock"),
        site=SITE,
    )
    for front_end in front_ends:
        target = front_end.settings().model_dump()
        text += _TARGET.format(**{name: _quoted(value) for name, value in target.items()})
    return text


def _quoted(value: Any) -> str:
    """Return a string, number or boolean in TOML, which writes these like JSON."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def key_file(folder: Path) -> Path:
    """Return the path of the private key that the sample site publishes with."""
    return folder / "keys" / "publisher"


def known_hosts_file(folder: Path) -> Path:
    """Return the path of the file with the pinned host keys of the front ends."""
    return folder / "keys" / "known_hosts"


def web_address(temporary: Path) -> str:
    """Return where the web process listens; `temporary` is a folder with a short path."""
    return f"unix:{temporary / 'web.sock'}"


def write_settings(folder: Path, temporary: Path, front_ends: Sequence[FrontEnd]) -> Config:
    """Write and load the settings of the sample site.

    Raises:
        ConfigError: the path of the folder cannot be used for a docroot.
    """
    file = folder / settings.FILE_NAME
    file.write_text(settings_text(folder, temporary, front_ends), "utf-8")
    return settings.load(file)


def import_content(config: Config) -> Report:
    """Import the content into the open installation.

    Raises:
        ContentError: the content cannot be read.
    """
    return import_folder(config, SITE, CONTENT, source=SOURCE)


def add_comments() -> int:
    """Add the comments that do not exist yet, and return their number.

    Raises:
        DemoError: a comment refers to an entry that does not exist.
    """
    known: dict[str, Comment] = {}
    added = 0
    for item in tomllib.loads(COMMENTS.read_text("utf-8"))["comments"]:
        entry = find_entry(item["entry"])
        parent = known[item["reply_to"]] if "reply_to" in item else None
        comment = Comment.get_or_none(
            Comment.entry == entry, Comment.author_name == item["author"], Comment.text == item["text"].strip()
        )
        if comment is None:
            comment = comments.add(
                entry,
                item["author"],
                item["text"],
                url=item.get("url", ""),
                parent=parent,
                created_at=clock.to_timestamp(item["at"]),
                actor=SOURCE,
            )
            added += 1
        if "id" in item:
            known[item["id"]] = comment
    return added


def find_entry(slug: str) -> Entry:
    """Return the entry with this slug.

    Raises:
        DemoError: there is no such entry.
    """
    found: Entry | None = Entry.select().join(Site).where(Site.name == SITE, Entry.slug == slug).first()
    if found is None:
        raise DemoError(f"the sample content has no entry “{slug}”; the package is damaged, install it again")
    return found


def address_of(entry: Entry) -> str:
    """Return the root-relative address of a published entry."""
    return url_of(find_path(entry.kind, entry.id) or "", folder="", root="/")


def newest_entry() -> Entry:
    """Return the newest published entry that accepts comments.

    Raises:
        DemoError: there is no such entry.
    """
    entries = Entry.select().join(Site).where(Site.name == SITE, Entry.kind == "entry", Entry.status == "published")
    found: Entry | None = entries.where(Entry.allow_comments).order_by(Entry.published_at.desc()).first()
    if found is None:
        raise DemoError("the sample content has no entry; the package is damaged, install it again")
    return found


def search_address() -> str:
    """Return the root-relative address of a search for WORD."""
    return f"{Site.get(Site.name == SITE).search_endpoint}?q={WORD}"


def comment_count() -> int:
    """Return the number of comments."""
    return int(Comment.select().count())
