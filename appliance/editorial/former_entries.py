"""Entries as they were, made from what the audit kept of each edit.

Guarantees that what is returned is exactly what somebody read: its version, a digest of all that people edit, is
compared. Where a row of the audit has only the beginning of a long text, or a term is gone, nothing is returned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from appliance import audit
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content import entries, entry_edits
from appliance.content.entry_relations import EntryRelations
from appliance.content.models import Author, Category, Entry, Site, Tag
from appliance.content.sites import find_site
from appliance.content.term_names import full_name
from appliance.content.versions import version_of
from appliance.editorial.acts import ENTRY_COLUMNS
from appliance.editorial.dates import local_datetime
from appliance.editorial.queries.entries import EntryDetails, get_entry

#: Edits that are undone at most.
_MOST: Final = 50
_COLUMNS: Final = {name: column for column, name in ENTRY_COLUMNS.items()} | {
    "excerpt": "excerpt",
    "summary": "summary",
}
_TERMS: Final[dict[str, Any]] = {"authors": Author.slug, "categories": Category.path, "tags": Tag.slug}


def find_former_entry(config: Config, site: str, entry: int, version: str) -> EntryDetails | None:
    """Return an entry as it was with this version; None if it cannot be made any more.

    Numbers of comments and uploaded files are those of now.
    """
    row = find_site(config, site)
    found = Entry.get_or_none(Entry.id == entry, Entry.site == row)
    if found is None:
        return None
    links, now = EntryRelations.stored(found), get_entry(config, site, entry)
    wanted = AuditFilter(site=row.name, subject="entry", subject_id=str(entry))
    for act in audit.list_audit(wanted, size=_MOST, with_total=False).rows:
        if act.action not in ("entry.edit", "entry.publish"):
            return None  # it was added, or something happened to it that is not undone here
        try:
            found, links = _undone(row, found, links, act.before or {})
        except (ValueError, KeyError, TypeError):
            return None  # not all of it was kept
        if version_of(found, links) == version:
            return _details(row, now, found, links, version)
    return None


def _undone(site: Site, entry: Entry, links: EntryRelations, before: Mapping[str, Any]) -> tuple[Entry, EntryRelations]:
    """An entry and its relations as they were before an edit.

    Raises:
        ValueError: the audit does not have all of a value, or a term is gone.
        KeyError: it has a value that is unknown here.
    """
    former = copy(entry)
    former.__data__ = dict(entry.__data__)
    for name, value in before.items():
        if name == "aliases":
            links = replace(links, aliases=frozenset(value))
        elif name in _TERMS:
            ids: dict[str, Any] = {name: _ids(site, _TERMS[name], value)}
            links = replace(links, **ids)
        else:
            former.__data__[_COLUMNS[name]] = _stored(name, value)
    if {"text", "format", "sanitised", "excerpt"} & set(before):
        _derive(entry, former, set(before))
    return former, links


def _stored(name: str, value: Any) -> Any:
    """A value of the audit as the column has it."""
    if name == "extra":
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, Mapping):
        raise ValueError(name)  # noqa: TRY004 - only its beginning was kept
    if name in ("date", "expires") and value is not None:
        return int(datetime.fromisoformat(value).timestamp())
    return value


def _ids(site: Site, column: Any, names: Sequence[str]) -> tuple[int, ...]:
    model = column.model
    found = dict(model.select(column, model.id).where(model.site == site, column.in_(list(names))).tuples())
    if isinstance(names, Mapping) or len(found) < len(names):
        raise ValueError(names)
    return tuple(found[name] for name in names)


def _derive(entry: Entry, former: Entry, kept: set[str]) -> None:
    """Derive excerpt and summary from the former text, if those of now are derived from that of now."""
    now, then = (entries.render(entry_edits.entry_data(one)) for one in (entry, former))
    former.__data__["html"] = then.html
    if "excerpt" not in kept and entry.excerpt == now.excerpt:
        former.__data__["excerpt"] = then.excerpt
    if "summary" not in kept and entry.summary == _summary(entry):
        former.__data__["summary"] = _summary(former)


def _summary(entry: Entry) -> str:
    """The summary that is derived from the excerpt of an entry."""
    data = replace(entry_edits.entry_data(entry), excerpt=entry.excerpt, excerpt_format="html")
    return entries.render(data).summary


def _details(site: Site, now: EntryDetails, entry: Any, links: EntryRelations, version: str) -> EntryDetails:
    end = entry.unpublish_at
    return replace(
        now, version=version, kind=entry.kind, status=entry.status, title=entry.title, slug=entry.slug,
        date=local_datetime(site, entry.published_at), expires=None if end is None else local_datetime(site, end),
        address=entry.address, folder=entry.folder, format=entry.format, text=entry.text, html=entry.html,
        excerpt=entry.excerpt, summary=entry.summary, allow_comments=entry.allow_comments,
        extra=json.loads(entry.extra), sanitised=bool(entry.sanitised),
        authors=tuple(Author.get_by_id(key).name for key in links.authors),
        categories=tuple(full_name(Category.get_by_id(key)) for key in links.categories),
        tags=tuple(Tag.get_by_id(key).name for key in links.tags), aliases=tuple(sorted(links.aliases)),
    )  # fmt: skip
