"""Look up entries, comments and files by id, slug or address, and check that they may be edited here."""

from __future__ import annotations

from appliance.config import Config
from appliance.content.models import Asset, Comment, Entry, Site
from appliance.errors import AmbiguousName, ContentError
from appliance.importing import sources
from appliance.planning.models import Artifact
from appliance.planning.paths import address_path
from appliance.row_ids import parse_row_id


def find_entry(site: Site, reference: Entry | int | str) -> Entry:
    """Return the entry or page with this id, slug or address below the site.

    Raises:
        ContentError: no entry matches, or several entries have the slug.
    """
    name = str(reference.id if isinstance(reference, Entry) else reference)
    entries = Entry.select().where(Entry.site == site)
    if (number := parse_row_id(name)) and (by_id := entries.where(Entry.id == number).first()):
        entry: Entry = by_id
        return entry
    below = name.removeprefix(site.url).strip("/")
    # Two queries, so that each uses its own index. For one query with both conditions SQLite would read the whole site.
    with_slug = entries.where(Entry.slug == below).order_by(Entry.id).limit(4)
    with_address = entries.where(Entry.address == below).order_by(Entry.id).limit(4)
    found = {entry.id: entry for entry in (*with_slug, *with_address)}
    if len(found) > 1:
        ids = ", ".join(map(str, sorted(found)[:3])) + (" …" if len(found) > 3 else "")
        raise AmbiguousName(f"Several entries have the slug “{name}”; choose one by its id: {ids}.")
    if one := next(iter(found.values()), None) or _find_by_path(site, below):
        return one
    raise ContentError(
        f"There is no entry “{name}” on the site {site.name}; give its id, slug or address below the site."
    )


def find_editable_entry(config: Config, site: Site, reference: Entry | int | str) -> Entry:
    """Return the entry, like `find_entry`, and refuse one that comes from a source in the settings.

    Raises:
        ContentError: the entry cannot be found, or it must be edited in its source.
    """
    entry = find_entry(site, reference)
    sources.refuse_edit(config, entry)
    return entry


def find_comment(site: Site, reference: Comment | int) -> Comment:
    """Return the comment with this id on an entry of the site.

    Raises:
        ContentError: the site has no such comment.
    """
    key = reference.id if isinstance(reference, Comment) else reference
    query = Comment.select().join(Entry).where(Comment.id == key, Entry.site == site)
    comment: Comment | None = query.first() if parse_row_id(str(key)) else None
    if comment is None:
        raise ContentError(f"There is no comment {key} on the site {site.name}; content.comments lists them.")
    return comment


def find_asset(site: Site, reference: Asset | int | str) -> Asset:
    """Return the uploaded file with this path below the site or with this id.

    Raises:
        ContentError: the site has no such file.
    """
    name = str(reference.id if isinstance(reference, Asset) else reference)
    below = name.removeprefix(site.url).lstrip("/")
    asset: Asset | None = Asset.get_or_none(Asset.site == site, Asset.path == below)
    if asset is None and (number := parse_row_id(name)):
        asset = Asset.get_or_none(Asset.site == site, Asset.id == number)
    if asset is None:
        raise ContentError(f"There is no file “{name}” on the site {site.name}; content.assets lists them.")
    return asset


def find_editable_asset(config: Config, site: Site, reference: Asset | int | str) -> Asset:
    """Return the file, like `find_asset`, and refuse one that comes from a source in the settings.

    Raises:
        ContentError: the file cannot be found, or it must be replaced in its source.
    """
    asset = find_asset(site, reference)
    check_editable(config, asset)
    return asset


def check_editable(config: Config, asset: Asset) -> None:
    """Check that a file does not come from a source in the settings.

    Raises:
        ContentError: the file comes from a source and must be replaced there.
    """
    if (source := sources.owning_source(config, asset)) is not None:
        raise ContentError(f"The file “{asset.path}” comes from the source “{source}”; replace it there.")


def _find_by_path(site: Site, address: str) -> Entry | None:
    path = f"{site.folder}/{address_path(address)}".lstrip("/")
    found = Artifact.get_or_none((Artifact.path == path) & (Artifact.type.in_(["entry", "page"])) & Artifact.wanted)
    return Entry.get_or_none(Entry.id == found.subject) if found else None
