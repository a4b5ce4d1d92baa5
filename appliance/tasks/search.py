"""The command that searches a site as its readers do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance.content import sites
from appliance.errors import ContentError
from appliance.planning.permalinks import page_url
from appliance.tasks.command_line import command, open_installation, pluralize, print_json, print_line, warn
from appliance.tasks.list_output import format_date, one_line, print_columns, row_json
from appliance.tasks.option_help import JSON, SITE, VERBOSE

#: The most results that are listed.
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    date: datetime
    title: str
    url: str
    snippet: str


@task(
    positional=["words"],
    help={
        "words": "The words, as a reader would write them into the search box.",
        "limit": f"List at most this many, up to {_MOST:,}.",
        **JSON,
        **SITE,
        **VERBOSE,
    },
)
@command
def search(
    _context: Context, words: str, limit: int = 10, json: bool = False, site: str = "", verbose: bool = False
) -> None:
    """List the published entries and pages that readers find who search for these words, the newest first."""
    from appliance.search import index, query  # loads the stemmers

    with open_installation() as (config, _):
        if not config.web.path:
            raise ContentError("Nothing can be searched, as there is no web process; set [web] path, such as to /-/.")
        searched = sites.find_site(config, site)
        found = query.find(searched, words, size=min(max(limit, 1), _MOST))
        if index.next_due() is not None:
            warn("Not all entries may be read yet, and so found. The daemon reads them, or appliance periodic.")
    zone = ZoneInfo(searched.timezone)
    rows = [
        _Row(
            one.entry_id, datetime.fromtimestamp(one.published_at, zone), one.title, page_url(searched, one.path),
            "".join(text for text, _ in one.snippet),
        )
        for one in found.results
    ]  # fmt: skip
    if json:
        print_json({"total": found.total, "more": found.more, "results": [row_json(row) for row in rows]})
        return
    if rows:
        columns = {
            "id": [str(row.id) for row in rows],
            "date": [format_date(row.date) for row in rows],
            "title": [one_line(row.title) for row in rows],
            "address": [row.url for row in rows],
        }
        print_columns(columns, {"title": 2, "address": 3})
    print_line(_describe_total(found.total, found.more))


def _describe_total(total: int, more: bool) -> str:
    """The number of results in words. None may be found though there are some: a query looks at the newest entries."""
    if not more:
        return pluralize(total, "result")
    return f"more than {total:,} results" if total else "no result among the newest entries with these words"
