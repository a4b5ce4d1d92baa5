"""The routes of the search: its pages of results, and the description by which browsers learn to use it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from flask import Flask, Response, render_template, request

from appliance.intake.messages import (
    LAST_PAGE,
    RESULTS,
    ErrorAnswer,
    SearchAnswer,
    SearchRequest,
    SearchResult,
    SiteAnswer,
    SiteRequest,
)
from appliance.web.public.fields import read_number
from appliance.web.public.pages import STATUSES, Pages, is_local_path

#: The most characters of a query that are looked at.
_LONGEST: Final = 500
#: Results that can be paged through.
_SHOWN: Final = LAST_PAGE * RESULTS
#: Control characters, direction overrides, and halves of characters.
_UNSHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: What the description names, by its name in the template.
_DESCRIBED: Final = {"search": "search", "own": "opensearch.xml"}


def add_routes(app: Flask, pages: Pages) -> None:
    """Add the routes to the application."""
    base = f"{pages.settings.path}<site:site>"
    app.add_url_rule(f"{base}/search", "search", lambda site: _search(pages, site), methods=["GET"])
    app.add_url_rule(f"{base}/opensearch.xml", "opensearch", lambda site: _description(pages, site), methods=["GET"])


def _search(pages: Pages, site: str) -> Response:
    query = _words(request.args.get("q", ""))
    page = min(read_number(request.args.get("page", "")) or 1, LAST_PAGE)
    if not query:
        asked = pages.ask_for(SiteAnswer, SiteRequest(site=site, sender=pages.sender()))
        if isinstance(asked, ErrorAnswer):
            return pages.refuse(site, asked)
        return pages.render("search", site, query="", answer=None)
    answer = pages.ask_for(SearchAnswer, SearchRequest(site=site, query=query, page=page, sender=pages.sender()))
    if isinstance(answer, ErrorAnswer):
        return _refuse(pages, site, query, answer)
    last = min(LAST_PAGE, -(-answer.total // RESULTS))
    before, after = min(page - 1, last), page + 1
    return pages.render(
        "search", site, query=query, answer=answer, results=[_shown(found) for found in answer.results],
        previous=pages.url(site, "search", q=query, page=before) if before > 0 else "",
        next=pages.url(site, "search", q=query, page=after) if after <= last else "",
        pages=last, is_cut=page == LAST_PAGE and (answer.more or answer.total > _SHOWN), shown=_SHOWN,
    )  # fmt: skip


def _refuse(pages: Pages, site: str, query: str, answer: ErrorAnswer) -> Response:
    """Say why there are no results now, above the box with the query."""
    if answer.reason in ("missing", "invalid"):
        return pages.refuse(site, answer)
    status, _ = STATUSES[answer.reason]
    return pages.with_retry(pages.render("search", site, status, query=query, refusal=f"{answer.reason}_plain"), answer)


def _words(query: str) -> str:
    """A query in one line, without what a page cannot show or would show in another order."""
    return " ".join(_UNSHOWN.sub(" ", query)[:_LONGEST].split())


def _shown(found: SearchResult) -> dict[str, object]:
    moment = datetime.fromisoformat(found.date)
    return {
        "title": found.title,
        "page": found.page if is_local_path(found.page) else "",
        "date": found.date,
        "day": f"{moment.day} {moment:%B %Y}",
        "snippet": found.snippet,
    }


def _description(pages: Pages, site: str) -> Response:
    answer = pages.ask_for(SiteAnswer, SiteRequest(site=site, sender=pages.sender()))
    if isinstance(answer, ErrorAnswer):
        return pages.refuse(site, answer)
    origin = answer.url.removesuffix(answer.root)
    addresses = {name: f"{origin}{pages.url(site, path)}" for name, path in _DESCRIBED.items()}
    xml = render_template("opensearch.xml", site=answer, **addresses)
    response = Response(xml, content_type="application/opensearchdescription+xml; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
