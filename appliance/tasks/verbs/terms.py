"""The verbs for authors, categories and tags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from appliance import editorial
from appliance.actor import current
from appliance.config import Config
from appliance.content.models import Category
from appliance.content.term_names import full_name
from appliance.editorial import EditResult, TermRow
from appliance.paging import Page
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class TermVerbs(Protocol):
    """The verbs. See `editorial` for each; `site` may be empty where there is only one."""

    def list_terms(self, site: str, kind: str, *, size: int, after: str | None) -> Page[TermRow]:
        """Read a page of the terms of a kind."""

    def rename_term(
        self, site: str, kind: str, name: str, new_name: str | None, *, slug: str | None, parent: str | None
    ) -> EditResult[TermRow]:
        """Change the name, the slug or the parent of a term; `parent` is SAME_PARENT for none."""

    def merge_terms(self, site: str, kind: str, name: str, into: str) -> EditResult[int]:
        """Move all entries of a term to another, and delete it; the subject is how many."""

    def delete_term(self, site: str, kind: str, name: str) -> EditResult[int]:
        """Delete a term; the subject is how many entries had it."""


@contextmanager
def open_terms(*, later: bool = False) -> Iterator[TermVerbs]:
    """Open the verbs for terms, here or where --api says. Here edits are built at once, or `later` as elsewhere."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.terms import RemoteTerms

        with connect(address) as connection:
            yield RemoteTerms(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalTerms(config, later=later)


class _LocalTerms:
    """The verbs on this host."""

    def __init__(self, config: Config, *, later: bool) -> None:
        self._config, self._later = config, later
        self.list_terms = partial(editorial.list_terms, config, with_total=False, cap=None)
        self.merge_terms = partial(editorial.merge_terms, config, actor=current(), later=later)
        self.delete_term = partial(editorial.delete_term, config, actor=current(), later=later)

    def rename_term(
        self, site: str, kind: str, name: str, new_name: str | None, *, slug: str | None, parent: str | None
    ) -> EditResult[TermRow]:
        result = editorial.rename_term(
            self._config, site, kind, name, new_name, slug=slug, parent=parent, actor=current(), later=self._later
        )
        term = result.subject
        named = full_name(term) if isinstance(term, Category) else term.slug
        row = editorial.get_term(self._config, site, kind, named)
        return EditResult(row, result.changed, result.files, result.faults, result.conflicts, result.actor)
