"""Commands that add, edit, publish, schedule and delete entries and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict, Unpack, cast

from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content import entries as content
from appliance.content import entry_edits, versions
from appliance.content.entry_edits import EntryEdits
from appliance.content.models import Entry, Site
from appliance.editorial import acts, taken_paths
from appliance.editorial.dates import DateLike, parse_timestamp
from appliance.editorial.lookup import find_editable_entry, find_entry
from appliance.editorial.result import NO_VERSIONS, EditResult, apply_edit
from appliance.errors import ContentError


class EntryFields(TypedDict, total=False):
    """The fields of an entry, besides its title and text, that `add_entry` and `edit_entry` accept."""

    slug: str
    #: The time of publication, in the past or in the future.
    date: DateLike
    status: str
    kind: str
    #: 'markdown' or 'html'.
    format: str
    #: The time at which the entry stops being public. None means never.
    expires: DateLike | None
    #: An address below the site. None means the address that the theme gives to the entry.
    address: str | None
    #: The folder of a page. Entries have none.
    folder: str
    #: Markdown. If it is empty, the beginning of the text is used.
    excerpt: str
    #: Plain text. If it is empty, the beginning of the excerpt is used.
    summary: str
    allow_comments: bool
    authors: Sequence[str]
    #: Names such as `News` or `News/Local`. The first category is the primary one.
    categories: Sequence[str]
    tags: Sequence[str]
    #: Former addresses below the site. Each redirects to the entry.
    aliases: Sequence[str]
    #: Front matter keys that have no field of their own.
    extra: Mapping[str, Any]
    #: Whether scripts and the like are left out of its HTML.
    sanitised: bool


class EntryChanges(EntryFields, total=False):
    """The fields that an edit can change."""

    title: str
    text: str


def add_entry(
    config: Config,
    site: str,
    title: str,
    text: str = "",
    *,
    as_written: bool = True,
    actor: Actor = UNKNOWN,
    later: bool = False,
    **fields: Unpack[EntryFields],
) -> EditResult[Entry]:
    """Add an entry, or a page if `kind` is `page` or a `folder` is given.

    By default the entry is a draft with the current date and a free slug derived from the title. Unless the actor may
    publish HTML `as_written`, it is sanitised and marked so, takes no path at which anything else is or may once be
    published, and gives way to what the theme makes.

    Raises:
        ContentError: a field is invalid, or the slug or address belongs to something else.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was added.
    """

    def edit(row: Site) -> tuple[Entry, bool]:
        given = _with_mark(fields, as_written, is_new=True)
        values = _content_edits(row, given, as_written)
        with db.write():
            added = entry_edits.add(row, title, text, actor=actor.name, **values)  # type: ignore[misc]
            if not as_written:
                taken_paths.require_free_entry(row, added, fields, is_new=True)
            acts.record_entry_added(row, added, given, actor)
        return added, True

    return apply_edit(config, site, actor, later, edit)


def edit_entry(
    config: Config,
    site: str,
    entry: Entry | int | str,
    *,
    expected_version: str | None = None,
    as_written: bool = True,
    actor: Actor = UNKNOWN,
    later: bool = False,
    **changes: Unpack[EntryChanges],
) -> EditResult[Entry]:
    """Change the given fields of an entry and keep all others. `entry` may be an id, a slug or an address.

    `expected_version` is the version of the `EntryDetails` that the edit is based on. Without it the last edit wins.
    If the actor may not publish HTML `as_written`, an edit of the text or the excerpt has the entry sanitised and
    marked so. The mark stays, whoever edits the entry later, until somebody who may sets `sanitised` to False: a
    correction of one word must not publish a script that an author has written into the text. Nor does an address or
    a slug that such an actor gives take a path at which anything else is or may once be published.

    Raises:
        EditConflict: somebody has changed the entry since that version.
        ContentError: the entry does not exist or comes from a source, a field is invalid, or the new slug or address
            belongs to another entry.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[Entry, bool]:
        found, given = find_editable_entry(config, row, entry), _with_mark(changes, as_written)
        values = _content_edits(row, given, as_written, found)
        with db.write():
            versions.expect(found, expected_version)
            before = acts.locked_entry_values(found, given)
            edited, changed = entry_edits.edit(found, actor=actor.name, **values)
            if not as_written:
                moved = taken_paths.changed_paths(before, acts.entry_values(edited, given))
                taken_paths.require_free_entry(row, edited, moved, former=before.get("aliases", ()))
            acts.record_entry_edited(row, edited, before, given, actor)
            return edited, changed

    return apply_edit(config, site, actor, later, edit)


def publish_entry(
    config: Config,
    site: str,
    entry: Entry | int | str,
    *,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Entry]:
    """Publish an entry now. A date in the future becomes the current time. Raises the errors of `edit_entry`."""
    return edit_entry(
        config, site, entry, expected_version=expected_version, actor=actor, later=later, status="published"
    )


def unpublish_entry(
    config: Config,
    site: str,
    entry: Entry | int | str,
    *,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Entry]:
    """Turn an entry back into a draft, which removes its published files. Raises the errors of `edit_entry`."""
    return edit_entry(config, site, entry, expected_version=expected_version, actor=actor, later=later, status="draft")


def schedule_entry(
    config: Config,
    site: str,
    entry: Entry | int | str,
    at: DateLike,
    *,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Entry]:
    """Schedule an entry for publication at a time in the future.

    Raises the errors of `edit_entry`, and ContentError if the time has passed.
    """

    def edit(row: Site) -> tuple[Entry, bool]:
        found = find_editable_entry(config, row, entry)
        with db.write():
            versions.expect(found, expected_version)
            before = acts.locked_entry_values(found, ())
            changed = entry_edits.schedule(found, parse_timestamp(row, at), actor.name)
            edited = find_entry(row, found)
            acts.record_entry_edited(row, edited, before, (), actor)
        return edited, changed

    return apply_edit(config, site, actor, later, edit)


def delete_entries(
    config: Config,
    site: str,
    *entries: Entry | int | str,
    expected_versions: Mapping[int, str] = NO_VERSIONS,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[list[Entry]]:
    """Delete entries and their comments. Either all of the entries are deleted or none.

    `expected_versions` maps the id of an entry to its expected version. Raises the errors of `edit_entry`.
    """

    def edit(row: Site) -> tuple[list[Entry], bool]:
        rows = [find_editable_entry(config, row, entry) for entry in entries]
        with db.write():
            found = versions.expect_all(rows, expected_versions)
            acts.record_entries_deleted(row, found, actor)
            for entry in found:
                content.delete(entry, actor.name)
        return found, bool(found)

    return apply_edit(config, site, actor, later, edit)


#: What the HTML of an entry is made from.
_SOURCES: Final = frozenset({"text", "excerpt", "format"})


def _with_mark(fields: Mapping[str, Any], as_written: bool, *, is_new: bool = False) -> Mapping[str, Any]:
    """Return the fields with the mark of an entry that is to be sanitised.

    Raises:
        ContentError: the mark is to be taken away by somebody who may not publish HTML as written.
    """
    if as_written:
        return fields
    if fields.get("sanitised") is False:
        raise ContentError("you may not publish HTML as written, so the entry stays sanitised; ask an editor")
    return {**fields, "sanitised": True} if is_new or _SOURCES & set(fields) else fields


def _content_edits(site: Site, fields: Mapping[str, Any], as_written: bool, entry: Entry | None = None) -> EntryEdits:
    """Convert fields given for `entry`, or a new one, to the names and types that `content.entry_edits` uses."""
    edits = dict(fields)
    if "date" in edits:
        edits["published_at"] = parse_timestamp(site, edits.pop("date"))
    if "expires" in edits:
        end = edits.pop("expires")
        edits["unpublish_at"] = None if end is None else parse_timestamp(site, end)
    if "categories" in edits:
        edits["categories"] = [[name.strip() for name in path.split("/")] for path in edits["categories"]]
    mark = taken_paths.gives_way(entry, edits, as_written)
    return cast(EntryEdits, edits if mark is None else {**edits, "gives_way": mark})
