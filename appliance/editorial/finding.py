"""Sites, entries, comments and files by what people call them, and who may edit them here."""

from __future__ import annotations

from pathlib import Path

from appliance.config import Config
from appliance.content.models import Asset, Comment, Entry, Site
from appliance.errors import ContentError
from appliance.importing import sources
from appliance.planning.models import Artifact
from appliance.planning.paths import address_path


def site_named(config: Config, name: str = "") -> Site:
    """The named site, or the only one.

    Raises:
        ContentError: none is named and there are several.
        ConfigError: there is no such site.
    """
    if not name and len(config.sites) > 1:
        names = ", ".join(site.name for site in config.sites)
        raise ContentError(f"There are several sites; say which with --site: {names}.")
    return Site.get(Site.name == config.site(name or config.sites[0].name).name)


def entry_named(site: Site, named: Entry | int | str) -> Entry:
    """The entry or page with this id, slug or address below the site.

    Raises:
        ContentError: there is none, or a slug is that of several.
    """
    if isinstance(named, Entry):
        named = named.id
    named = str(named)
    entries = Entry.select().where(Entry.site == site)
    if _is_id(named) and (found := entries.where(Entry.id == int(named)).first()):
        entry: Entry = found
        return entry
    below = named.removeprefix(site.url).strip("/")
    by_slug = list(entries.where((Entry.slug == below) | (Entry.address == below)).order_by(Entry.id).limit(4))
    if len(by_slug) == 1:
        only: Entry = by_slug[0]
        return only
    if by_slug:
        ids = ", ".join(str(entry.id) for entry in by_slug[:3]) + (" …" if len(by_slug) > 3 else "")
        raise ContentError(f"“{named}” is the slug of several entries; name one by its id: {ids}.")
    if found := _published_at(site, below):
        return found
    raise ContentError(
        f"There is no entry “{named}” on the site {site.name}; name its id, slug or address below the site."
    )


def own_entry(config: Config, site: Site, named: Entry | int | str) -> Entry:
    """The entry, when it is edited here.

    Raises:
        ContentError: as `entry_named`, or it belongs to a source of the settings.
    """
    entry = entry_named(site, named)
    sources.refuse_edit(config, entry)
    return entry


def comment_numbered(site: Site, number: Comment | int) -> Comment:
    """The comment with this id, on an entry of the site.

    Raises:
        ContentError: there is none.
    """
    key = number.id if isinstance(number, Comment) else number
    on_site = Entry.select(Entry.id).where(Entry.site == site)
    found: Comment | None = Comment.get_or_none(Comment.id == key, Comment.entry.in_(on_site))
    if found is None:
        raise ContentError(f"There is no comment {key} on the site {site.name}; content.comments lists them.")
    return found


def asset_named(site: Site, named: Asset | int | str) -> Asset:
    """The file with this path below the site, or this id.

    Raises:
        ContentError: there is none.
    """
    if isinstance(named, Asset):
        named = named.id
    named = str(named)
    below = named.removeprefix(site.url).lstrip("/")
    found: Asset | None = Asset.get_or_none(Asset.site == site, Asset.path == below)
    if found is None and _is_id(named):
        found = Asset.get_or_none(Asset.site == site, Asset.id == int(named))
    if found is None:
        raise ContentError(f"There is no file “{named}” on the site {site.name}; content.assets lists them.")
    return found


def own_asset(config: Config, site: Site, named: Asset | int | str) -> Asset:
    """The file, when it is replaced, moved and removed here.

    Raises:
        ContentError: as `asset_named`, or it belongs to a source of the settings.
    """
    asset = asset_named(site, named)
    refuse_source(config, asset)
    return asset


def refuse_source(config: Config, asset: Asset) -> None:
    """Raise when a file belongs to a source of the settings.

    Raises:
        ContentError: it does.
    """
    if (source := sources.owner(config, asset)) is not None:
        raise ContentError(f"The file “{asset.path}” comes from the source {source}; put another in its place there.")


def file_here(name: str | Path) -> Path:
    """A file that is to be read.

    Raises:
        ContentError: there is none.
    """
    file = Path(name).expanduser()
    if not file.is_file():
        raise ContentError(f"{file}: {'is no file' if file.exists() else 'does not exist'}; name a file.")
    return file


def _published_at(site: Site, address: str) -> Entry | None:
    path = f"{site.folder}/{address_path(address)}".lstrip("/")
    found = Artifact.get_or_none((Artifact.path == path) & (Artifact.type.in_(["entry", "page"])) & Artifact.wanted)
    return Entry.get_or_none(Entry.id == found.subject) if found else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 2**31
