"""Answers as pages: which template, which status, and what stands on it.

A page knows nothing that the intake did not answer or the reader did not write. When the intake is away, a page still
shows what was written, so nobody loses a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar
from urllib.parse import urlencode

from flask import Response, json, render_template, request

from appliance import clock, logging
from appliance.config import WebSettings
from appliance.errors import IntakeUnavailable
from appliance.intake.messages import Answer, ErrorAnswer, Request, Sender, SiteAnswer
from appliance.web.proxies import TrustedProxies
from appliance.web.public.reader import sender_of
from appliance.web.public.texts import texts_for

log = logging.get_logger("web")
T = TypeVar("T")

#: The status and the default seconds of Retry-After for each reason of an ErrorAnswer. A front end takes 503 for a host
#: that is down and asks another one, so one that only has too much to do says 429.
STATUSES: Final[Mapping[str, tuple[int, int]]] = {
    "missing": (404, 0),
    "busy": (429, 2),
    "limited": (429, 60),
    "unavailable": (503, 10),
    "invalid": (400, 0),
}


#: Seconds in which a process logs once that the intake is away, however many readers come.
_LOG_EVERY: Final = 60.0


class Intake(Protocol):
    """Whoever answers requests: the client of the intake."""

    def ask(self, request: Request) -> Answer:
        """Answer a request, or raise IntakeUnavailable."""


@dataclass
class Pages:
    """Asks the intake and renders pages for one application."""

    settings: WebSettings
    intake: Intake
    proxies: TrustedProxies
    #: How each site presented itself last, for pages that are shown while the intake is away.
    _sites: dict[str, SiteAnswer] = field(default_factory=dict)
    #: When to log again that the intake is away, and the requests without an answer that were not logged since.
    _log_at: float = 0.0
    _not_logged: int = 0

    def ask(self, request: Request) -> Answer:
        """Ask the intake; when it is away, that is an ErrorAnswer as well."""
        try:
            answer = self.intake.ask(request)
        except IntakeUnavailable as error:
            self._log_outage(error)
            return ErrorAnswer(reason="unavailable", sentence="")
        site = answer if isinstance(answer, SiteAnswer) else getattr(answer, "site", None)
        if form := getattr(answer, "form", None):
            site = site or form.site
        if isinstance(site, SiteAnswer):
            self._sites[site.name] = site
        return answer

    def _log_outage(self, error: IntakeUnavailable) -> None:
        """Log that a request was not answered. Threads may count one too few, which is no harm."""
        if (now := clock.monotonic()) < self._log_at:
            self._not_logged += 1
            return
        log.warning("a request was not answered", error=str(error), others=self._not_logged)
        self._log_at, self._not_logged = now + _LOG_EVERY, 0

    def ask_for(self, kind: type[T], request: Request) -> T | ErrorAnswer:
        """Ask the intake for an answer of one kind. Another one is told as invalid."""
        answer = self.ask(request)
        return answer if isinstance(answer, kind | ErrorAnswer) else ErrorAnswer(reason="invalid", sentence="")

    def sender(self) -> Sender:
        """Who sent the current request."""
        return sender_of(request, self.proxies)

    def json(self, values: Mapping[str, object], status: int = 200) -> Response:
        """An answer for a script."""
        return Response(json.dumps(values), status, content_type="application/json")

    def json_error(self, answer: ErrorAnswer) -> Response:
        """Why a script gets nothing."""
        return self.with_retry(self.json({"token": "", "error": answer.reason}, STATUSES[answer.reason][0]), answer)

    def with_receipt(self, page: str, receipt: str) -> str:
        """The address of a page, with the receipt of a comment that was saved."""
        path, hash_, anchor = page.partition("#")
        return f"{path}?{urlencode({'receipt': receipt})}{hash_}{anchor}" if receipt else page

    def url(self, site: str, path: str, **query: object) -> str:
        """The address of a page of this application."""
        return f"{self.settings.path}{site}/{path}" + (f"?{urlencode(query)}" if query else "")

    def render(self, template: str, site: str, status: int = 200, **values: object) -> Response:
        """Render a template for a site, known or not."""
        known = self._sites.get(site) or SiteAnswer(name=site, title="", url="", root="/", language="en")
        text = texts_for(known.language)
        html = render_template(
            f"{template}.html", site=known, name=site, text=text, url=self.url, prefix=self.settings.path, **values
        )
        return Response(html, status, content_type="text/html; charset=utf-8")

    def refuse(self, site: str, answer: ErrorAnswer) -> Response:
        """A page that says why a request was not carried out."""
        status, _ = STATUSES[answer.reason]
        suffix = "" if answer.reason in ("missing", "invalid") else "_plain"
        response = self.message(site, answer.reason, status, f"{answer.reason}{suffix}", sentence=answer.sentence)
        return self.with_retry(response, answer)

    def message(self, site: str, title: str, status: int, body: str = "", sentence: str = "") -> Response:
        """A page with a title and a sentence, named as in the texts; `sentence` takes the place of the latter."""
        return self.render("message", site, status, title=f"{title}_title", body=body or title, sentence=sentence)

    def with_retry(self, response: Response, answer: ErrorAnswer) -> Response:
        """Say after how many seconds to try again."""
        if seconds := answer.retry_after or STATUSES[answer.reason][1]:
            response.headers["Retry-After"] = str(seconds)
        return response


def is_local_path(page: str) -> bool:
    """Whether `page` is a path of this host, so that a redirect to it leads nowhere else."""
    return page.startswith("/") and not page.startswith("//") and "\\" not in page and page.isprintable()
