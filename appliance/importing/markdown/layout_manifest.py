"""The manifest of the native layout: which text each asset belongs to, details of authors, and names of tags.

layout: 1
owners: {pictures/cat.jpg: entries/2024/2024-05-01-hello.md}
authors: [{slug: ida, name: Ida B., email: ida@example.org, url: …, about: <p>…}]
tags: [{slug: c, name: C (language)}]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from appliance import db
from appliance.content import contact_details
from appliance.content.changes import record
from appliance.content.models import Author, Site, Tag
from appliance.content.terms import slugify
from appliance.errors import ContentError
from appliance.importing.markdown import frontmatter

#: Columns of an author besides the name and the slug.
DETAILS: Final = ("email", "url", "about")


@dataclass(frozen=True, slots=True)
class LayoutManifest:
    """The manifest of a folder; empty for any other layout."""

    #: Paths of texts by the path of their asset below the site.
    owners: dict[str, str] = field(default_factory=dict)
    authors: Sequence[dict[str, str]] = ()
    tags: Sequence[dict[str, str]] = ()

    @classmethod
    def parse(cls, raw: bytes) -> LayoutManifest:
        """The manifest in the bytes of its file.

        Raises:
            ContentError: it is not as the export writes it.
        """
        value = frontmatter.read_yaml(raw)
        if not isinstance(value, dict) or value.get("layout") != 1:
            raise ContentError("has a layout other than 1, the only one that can be read; export it again")
        owners = value.get("owners")
        return cls(
            {str(k): str(v) for k, v in owners.items()} if isinstance(owners, dict) else {},
            [_without_bad_addresses(one) for one in _terms(value.get("authors"), ("slug", "name", *DETAILS))],
            _terms(value.get("tags"), ("slug", "name")),
        )

    def save(self, site: Site, actor: str) -> None:
        """Create or update authors and tags, so that texts find them by slug or name."""
        with db.write():
            for one in self.authors:
                _save(Author, "author", site, one, actor)
            for one in self.tags:
                _save(Tag, "tag", site, one, actor)


def _terms(value: Any, keys: tuple[str, ...]) -> list[dict[str, str]]:
    listed = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    found = [{key: str(one[key]) for key in keys if one.get(key) is not None} for one in listed]
    return [{**one, "slug": slugify(one.get("slug") or one["name"])} for one in found if one.get("name", "").strip()]


def _without_bad_addresses(author: dict[str, str]) -> dict[str, str]:
    """An author without addresses that are invalid or not safe to follow."""
    accept = {"email": contact_details.email_or_empty, "url": contact_details.url_or_empty}
    return {key: accept[key](value) if key in accept else value for key, value in author.items()}


def _save(model: Any, subject: str, site: Site, values: dict[str, str], actor: str) -> None:
    row = model.get_or_none(model.site == site, model.slug == values["slug"])
    if row is None:
        row = model.create(site=site, **values)
        record(site, f"{subject} added", subject, row.id, actor=actor)
        return
    differing = {key: value for key, value in values.items() if getattr(row, key) != value}
    if differing:
        for key, value in differing.items():
            setattr(row, key, value)
        row.save(only=sorted(differing))
        record(site, f"{subject} edited", subject, row.id, actor=actor)
