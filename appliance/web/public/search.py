"""The routes of the search: its pages of results, and the description by which browsers learn to use it."""

from __future__ import annotations

from datetime import datetime

from flask import Flask, Response, render_template, request
from markupsafe import Markup

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
from appliance.web.public.pages import Pages, is_local_path


def add_routes(app: Flask, pages: Pages) -> None:
    """Add the routes to the application."""
    base = f"{pages.settings.path}<site:site>"
    app.add_url_rule(f"{base}/search", "search", lambda site: _search(pages, site), methods=["GET"])
    app.add_url_rule(f"{base}/opensearch.xml", "opensearch", lambda site: _description(pages, site), methods=["GET"])


def _search(pages: Pages, site: str) -> Response:
    query = " ".join(request.args.get("q", "")[:1000].split())
    page = min(read_number(request.args.get("page", "")) or 1, LAST_PAGE)
    if not query:
        asked = pages.ask_for(SiteAnswer, SiteRequest(site=site))
        if isinstance(asked, ErrorAnswer):
            return pages.refuse(site, asked)
        return pages.render("search", site, query="", answer=None)
    answer = pages.ask_for(SearchAnswer, SearchRequest(site=site, query=query, page=page, sender=pages.sender()))
    if isinstance(answer, ErrorAnswer):
        return pages.refuse(site, answer)
    further = (answer.more or page * RESULTS < answer.total) and page < LAST_PAGE
    return pages.render(
        "search", site, query=query, answer=answer, results=[_shown(found) for found in answer.results],
        previous=pages.url(site, "search", q=query, page=page - 1) if page > 1 else "",
        next=pages.url(site, "search", q=query, page=page + 1) if further else "",
    )  # fmt: skip


def _shown(found: SearchResult) -> dict[str, object]:
    moment = datetime.fromisoformat(found.date)
    return {
        "title": found.title,
        "page": found.page if is_local_path(found.page) else "",
        "date": found.date,
        "day": f"{moment.day} {moment:%B %Y}",
        "snippet": Markup(found.snippet),  # noqa: S704 - escaped by the intake
    }


def _description(pages: Pages, site: str) -> Response:
    answer = pages.ask_for(SiteAnswer, SiteRequest(site=site))
    if isinstance(answer, ErrorAnswer):
        return pages.refuse(site, answer)
    origin = answer.url.removesuffix(answer.root)
    xml = render_template("opensearch.xml", site=answer, address=f"{origin}{pages.url(site, 'search')}")
    response = Response(xml, content_type="application/opensearchdescription+xml; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
