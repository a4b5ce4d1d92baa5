"""What commands about content share, and comments from the shell."""

from __future__ import annotations

from invoke import Context, task

from appliance.config import Config
from appliance.content import comments
from appliance.content.models import Comment, Entry, Site
from appliance.errors import ContentError
from appliance.planning.models import Artifact
from appliance.planning.paths import address_path
from appliance.tasks.console import command, leave, opened, tell

_VERBOSE = {"verbose": "Show the stack trace of an error."}
_SITE = {"site": "The site; the only one when not given."}


@task(
    positional=["entry", "text"],
    help={
        "entry": "The entry: its id, slug, or address below the site.",
        "text": "What the comment says, in Markdown.",
        "author": "Who says it.",
        "email": "The author's address; it is not published.",
        "url": "The author's web site.",
        "reply_to": "The id of the comment it answers.",
        **_SITE,
        **_VERBOSE,
    },
)
@command
def comment(
    _context: Context, entry: str, text: str, author: str = "Editor", email: str = "", url: str = "", reply_to: int = 0,
    site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Add an approved comment to an entry; publish and drain show it to readers."""
    with opened() as (config, sites):
        subject = find_entry(chosen(config, sites, site), entry)
        parent = Comment.get_or_none(Comment.id == reply_to) if reply_to else None
        if reply_to and parent is None:
            leave(f"There is no comment {reply_to}; name the id of a comment on “{subject.title}”.", 1)
        made = comments.add(subject, author, text, email=email, url=url, parent=parent, actor="shell")
        tell(f"comment {made.id} on “{subject.title}”")


def chosen(config: Config, sites: dict[str, Site], name: str) -> Site:
    """The named site, or the only one.

    Raises:
        ContentError: none is named and there are several.
        ConfigError: there is no such site.
    """
    if not name and len(config.sites) > 1:
        raise ContentError(f"There are several sites; say which with --site: {', '.join(sites)}.")
    return sites[config.site(name or config.sites[0].name).name]


def find_entry(site: Site, named: str) -> Entry:
    """The entry or page with this id, slug or address below the site.

    Raises:
        ContentError: there is none, or a slug is that of several.
    """
    entries = Entry.select().where(Entry.site == site)
    if named.isdigit() and (found := entries.where(Entry.id == int(named)).first()):
        entry: Entry = found
        return entry
    below = named.removeprefix(site.url).strip("/")
    by_slug = list(entries.where((Entry.slug == below) | (Entry.address == below)).limit(3))
    if len(by_slug) == 1:
        only: Entry = by_slug[0]
        return only
    if by_slug:
        raise ContentError(
            f"“{named}” is the slug of several entries; name one by its id: {', '.join(str(e.id) for e in by_slug)}."
        )
    if found := published_at(site, below):
        return found
    raise ContentError(
        f"There is no entry “{named}” on the site {site.name}; name its id, slug or address below the site."
    )


def published_at(site: Site, address: str) -> Entry | None:
    """The entry that is published at an address below the site, if any."""
    path = f"{site.folder}/{address_path(address)}".lstrip("/")
    found = Artifact.get_or_none((Artifact.path == path) & (Artifact.type.in_(["entry", "page"])) & Artifact.wanted)
    return Entry.get_or_none(Entry.id == found.subject) if found else None
