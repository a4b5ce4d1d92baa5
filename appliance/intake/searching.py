"""Answers to readers who search the published entries and pages of a site.

Guarantees that the database ends a search that takes too long, so that nobody's query holds up other readers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from appliance import logging
from appliance.config import Config
from appliance.content.models import Site
from appliance.db.time_limit import TimeLimitExceeded, read_within
from appliance.intake.messages import RESULTS, SearchAnswer, SearchRequest, SearchResult
from appliance.intake.pages import describe_site, find_site, path_of
from appliance.intake.pool import Busy
from appliance.planning.permalinks import page_url
from appliance.search import query

log = logging.get_logger("intake")

#: Seconds that a statement of a search may take.
LIMIT: Final = 1.5


def search(config: Config, request: SearchRequest) -> SearchAnswer:
    """Search a site.

    Raises:
        Missing: there is no such site.
        Busy: it took too long.
    """
    site = find_site(config, request.site)
    try:
        found = read_within(LIMIT, lambda: query.find(site, request.query, request.page, RESULTS))
    except TimeLimitExceeded:
        log.warning("a search took too long", site=site.name, characters=len(request.query), seconds=LIMIT)
        raise Busy from None
    return SearchAnswer(
        site=describe_site(site), query=request.query, page=found.page, total=found.total, more=found.more,
        results=tuple(_shown(site, one) for one in found.results),
    )  # fmt: skip


def _shown(site: Site, found: query.SearchResult) -> SearchResult:
    return SearchResult(
        title=found.title,
        page=path_of(page_url(site, found.path)),
        date=datetime.fromtimestamp(found.published_at, ZoneInfo(site.timezone)).isoformat(),
        snippet=found.snippet,
    )
