"""The rows that editorial commands leave in the audit: what was edited, as it was and as it is.

Call these functions in the transaction that edits. What readers wrote is kept where somebody else changed it, but not
where it was deleted, and never with an e-mail address: a row of the audit stays when the reader's data are erased.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from appliance import audit, clock, db
from appliance.actor import Actor
from appliance.audit.values import summary
from appliance.content.entry_relations import EntryRelations
from appliance.content.models import Asset, Author, Category, Comment, Entry, Site, Tag
from appliance.content.term_names import Term, kind_of
from appliance.db import rows

#: Things that one act may be about with a row for each. An act on more has one row, with their ids.
_FEW: Final = 100

#: The names here of the columns that people edit, as the editorial commands call them.
_ENTRY: Final = {
    "kind": "kind", "status": "status", "title": "title", "slug": "slug", "address": "address", "folder": "folder",
    "published_at": "date", "unpublish_at": "expires", "format": "format", "text": "text",
    "allow_comments": "allow_comments", "extra": "extra", "sanitised": "sanitised",
}  # fmt: skip
#: Derived from the text unless somebody wrote them.
_WRITTEN: Final = ("excerpt", "summary")
_RELATIONS: Final = {"authors": Author.slug, "categories": Category.path, "tags": Tag.slug}
_COMMENT: Final = {
    "status": "status", "author_name": "author", "author_email": "email", "author_url": "url", "text": "text",
    "parent": "reply_to",
}  # fmt: skip
_ASSET: Final = {"path": "path", "entry": "entry", "digest": "digest", "size": "size", "media_type": "media_type"}
_TERM: Final = {"name": "name", "slug": "slug", "parent": "parent"}

Values = dict[str, Any]


def entry_values(entry: Entry, named: Collection[str]) -> Values:
    """Return what an entry has in its columns, and of its terms and former addresses those that an edit names."""
    values = _columns(entry, {**_ENTRY, **{name: name for name in _WRITTEN if name in named}})
    for name in ("date", "expires"):
        values[name] = None if values[name] is None else clock.to_datetime(values[name]).strftime("%Y-%m-%dT%H:%M:%SZ")
    values["extra"] = json.loads(values["extra"])
    if {*_RELATIONS, "aliases"} & set(named):
        stored = EntryRelations.stored(entry)
        values |= {name: _slugs(column, getattr(stored, name)) for name, column in _RELATIONS.items() if name in named}
        values |= {"aliases": sorted(stored.aliases)} if "aliases" in named else {}
    return values


def locked_entry_values(entry: Entry, named: Collection[str]) -> Values:
    """Return what an entry has now, which nobody else changes until the transaction ends; nothing if it is gone."""
    found = rows.select(Entry, f"SELECT * FROM entry WHERE id = ? {db.for_update()}", [entry.id])
    return entry_values(found[0], named) if found else {}


def record_entry_added(site: Site, entry: Entry, named: Collection[str], actor: Actor) -> None:
    """Record a new entry, with whatever is not empty."""
    after = {name: value for name, value in entry_values(entry, named).items() if value not in (None, "", [], {})}
    _record("entry.add", "entry", entry, site, entry.title, actor, after=after)


def record_entry_edited(site: Site, entry: Entry, before: Values, named: Collection[str], actor: Actor) -> None:
    """Record an edited entry, unless it is as it was."""
    was, now = audit.changed_values(before, entry_values(entry, named))
    if was or now:
        action = "entry.publish" if "status" in now else "entry.edit"
        _record(action, "entry", entry, site, entry.title, actor, before=was, after=now)


def record_entries_deleted(site: Site, entries: Sequence[Entry], actor: Actor) -> None:
    """Record entries that are about to be deleted. Call it before they are."""
    if len(entries) > _FEW:
        _record_many("entry.delete", "entry", entries, site, actor)
        return
    for entry in entries:
        values = entry_values(entry, (*_RELATIONS, "aliases"))
        before = {name: value for name, value in values.items() if value not in (None, "", [], {})}
        _record("entry.delete", "entry", entry, site, entry.title, actor, before=before)


def comment_values(comment: Comment) -> Values:
    """Return what a comment has in its columns, its e-mail address masked."""
    values = _columns(comment, _COMMENT)
    if values["email"]:
        values["email"] = audit.mask_email(values["email"])
    return values


def record_comment_added(site: Site, entry: Entry, comment: Comment, actor: Actor) -> None:
    """Record a comment that somebody added for themselves or for a reader."""
    after = {name: value for name, value in comment_values(comment).items() if value not in (None, "")}
    _record("comment.add", "comment", comment, site, entry.title, actor, after={"entry": entry.id, **after})


def record_comment_edited(site: Site, comment: Comment, before: Values, email_changed: bool, actor: Actor) -> None:
    """Record an edited comment, unless it is as it was."""
    was, now = audit.changed_values(before, comment_values(comment))
    if email_changed:  # also from one to another that looks the same once it is masked
        was["email"], now["email"] = before["email"], comment_values(comment)["email"]
    if was or now:
        _record("comment.edit", "comment", comment, site, _titles([comment])[comment.id], actor, before=was, after=now)


def record_comments_moderated(
    site: Site, before: Mapping[int, Values], comments: Sequence[Comment], after: Values, actor: Actor
) -> None:
    """Record comments that were approved, held or marked as spam; `before` is what each had, by its id."""
    if len(comments) > _FEW:
        _record_many("comment.moderate", "comment", comments, site, actor, after)
        return
    titles = _titles(comments)
    for comment in comments:
        was, title = before[comment.id], titles[comment.id]
        _record("comment.moderate", "comment", comment, site, title, actor, before=was, after=after)


def record_comments_deleted(site: Site, comments: Sequence[Comment], actor: Actor) -> None:
    """Record comments that are about to be deleted, without what was in them. Call it before they are."""
    if len(comments) > _FEW:
        _record_many("comment.delete", "comment", comments, site, actor)
        return
    titles = _titles(comments)
    for comment in comments:
        before = {"entry": comment.entry_id, "status": comment.status, "text": summary(comment.text)}
        _record("comment.delete", "comment", comment, site, titles[comment.id], actor, before=before)


def record_comments_restored(site: Site, comments: Sequence[Comment], actor: Actor) -> None:
    """Record comments that are back after they were deleted."""
    if len(comments) > _FEW:
        _record_many("comment.delete", "comment", comments, site, actor, {"undone": True})
        return
    titles = _titles(comments)
    for comment in comments:
        after = {"entry": comment.entry_id, "status": comment.status, "undone": True}
        _record("comment.delete", "comment", comment, site, titles[comment.id], actor, after=after)


def asset_values(asset: Asset) -> Values:
    """Return what an uploaded file has in its columns."""
    return {name: value for name, value in _columns(asset, _ASSET).items() if value is not None}


def record_upload(site: Site, asset: Asset, replaced: Values | None, actor: Actor) -> None:
    """Record an uploaded file; `replaced` are the values of the one that was there, if one was."""
    if replaced is None:
        _record("asset.upload", "asset", asset, site, asset.path, actor, after=asset_values(asset))
        return
    was, now = audit.changed_values(replaced, asset_values(asset))
    if was or now:
        _record("asset.replace", "asset", asset, site, asset.path, actor, before=was, after=now)


def record_asset_moved(site: Site, asset: Asset, before: str, actor: Actor) -> None:
    """Record a file that was moved from another path."""
    _record(
        "asset.replace", "asset", asset, site, asset.path, actor, before={"path": before}, after={"path": asset.path}
    )


def record_assets_deleted(site: Site, assets: Sequence[Asset], actor: Actor) -> None:
    """Record files that are about to be removed. Call it before they are."""
    if len(assets) > _FEW:
        _record_many("asset.delete", "asset", assets, site, actor)
        return
    for asset in assets:
        _record("asset.delete", "asset", asset, site, asset.path, actor, before=asset_values(asset))


def term_values(term: Term) -> Values:
    """Return name, slug and parent of a term, the parent by its path."""
    values = _columns(term, {column: name for column, name in _TERM.items() if column in term.__data__})
    if values.get("parent") is not None:
        values["parent"] = Category.get_by_id(values["parent"]).path
    return values


def record_term_edited(site: Site, term: Term, before: Values, actor: Actor) -> None:
    """Record a term that was renamed or moved."""
    was, now = audit.changed_values(before, term_values(term))
    _record("term.edit", kind_of(term), term, site, term.name, actor, before=was, after=now)


def record_term_merged(site: Site, term: Term, into: Term, entries: int, actor: Actor) -> None:
    """Record a term that was merged into another; it is gone."""
    before = _columns(term, {"name": "name", "slug": "slug"})
    after = {"merged_into": into.id, "name": into.name, "entries": entries}
    _record("term.edit", kind_of(term), term, site, term.name, actor, before=before, after=after)


def record_term_deleted(site: Site, term: Term, entries: int, actor: Actor) -> None:
    """Record a term that was deleted, and how many entries had it."""
    before = {**_columns(term, {"name": "name", "slug": "slug"}), "entries": entries}
    _record("term.delete", kind_of(term), term, site, term.name, actor, before=before)


def _columns(row: Any, names: Mapping[str, str]) -> Values:
    return {name: row.__data__[column] for column, name in names.items()}


def _slugs(column: Any, keys: Sequence[int]) -> list[str]:
    model = column.model
    found = dict(model.select(model.id, column).where(model.id.in_(list(keys))).tuples()) if keys else {}
    return [found[key] for key in keys]


def _titles(comments: Sequence[Comment]) -> dict[int, str]:
    """Return the title of the entry of each comment, by the id of the comment."""
    entries = sorted({comment.entry_id for comment in comments})
    among = f"SELECT id, title FROM entry WHERE id IN ({db.placeholders(len(entries)) or 'NULL'})"
    titles = dict(db.execute(among, entries).fetchall())
    return {comment.id: titles.get(comment.entry_id, "") for comment in comments}


def _record(
    action: str, subject: str, row: Any, site: Site, label: str, actor: Actor, *,
    before: Values | None = None, after: Values | None = None,
) -> None:  # fmt: skip
    audit.record(action, subject, row.id, site=site.name, label=label, before=before, after=after, actor=actor)


def _record_many(
    action: str, subject: str, found: Sequence[Any], site: Site, actor: Actor, after: Values | None = None
) -> None:
    """Record one act on many things, with the first of their ids and their number."""
    ids = sorted(row.id for row in found)
    audit.record(action, subject, site=site.name, before={"ids": ids}, after=after, actor=actor)
