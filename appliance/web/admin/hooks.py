"""Requests of git hosts that something was pushed: they ask for a pull of one source at once, and for nothing else.

Guarantees that only who knows the secret of a source can ask for its pull; that nobody learns by asking which sources
there are; and that a request that was recorded asks for nothing when it is sent again.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import NotFound

from appliance import actor, audit, clock, db, logging, pull_job
from appliance.config import Config
from appliance.errors import WebhookRefused
from appliance.importing.sources import SiteSource, find_sources
from appliance.web.admin import guard
from appliance.webhooks import git_hosts, receipts, signature
from appliance.webhooks.git_hosts import HostRequest

log = logging.get_logger("hooks")

#: Bytes of a request: hosts leave out commits of a long push.
_BODY: Final = 1_048_576


def add_routes(app: Flask, config: Config) -> None:
    """Add the routes. A source is named with its site, or alone if no other site has one of that name with a secret."""

    @guard.route(app, "/hooks/sources/<name>", methods=("POST",), public=True)
    def source_hook(name: str) -> Response:
        return _answer(config, name, None)

    @guard.route(app, "/hooks/sources/<site:site>/<name>", methods=("POST",), public=True)
    def site_source_hook(site: str, name: str) -> Response:
        return _answer(config, name, site)


def _answer(config: Config, name: str, site: str | None) -> Response:
    request.max_content_length = _BODY
    body = request.get_data(cache=False)
    source = _find(config, name, site)
    found = git_hosts.read_request(_secrets(source), request.headers.get, body, clock.now())
    if source is None or found is None:
        log.info("a request for a pull is not genuine", address=g.address)
        raise NotFound
    asked = found.concerns(source.settings.branch) and _ask(config, source, found)
    text = "a pull is asked for\n" if asked else "nothing to do\n"
    return Response(text, 202 if asked else 200, content_type="text/plain; charset=utf-8")


def _find(config: Config, name: str, site: str | None) -> SiteSource | None:
    """The one source that is meant and has a secret."""
    found = [
        source
        for source in find_sources(config)
        if source.name == name and site in (None, source.site) and source.settings.hook_secret_file
    ]
    return found[0] if len(found) == 1 else None


def _secrets(source: SiteSource | None) -> list[str]:
    """The secrets of a source; if it has none, one that nobody knows, so that the refusal takes as long."""
    if source is not None and source.settings.hook_secret_file is not None:
        try:
            found = signature.read_secrets(source.settings.hook_secret_file)
            git_hosts.check_secrets(found)
        except WebhookRefused as error:
            log.warning("a source's webhook cannot be used", site=source.site, source=source.name, error=str(error))
        else:
            return found
    return [secrets.token_urlsafe()]


def _ask(config: Config, source: SiteSource, found: HostRequest) -> bool:
    """Enqueue the pull, unless the same request did so before."""
    key = f"{source.site}/{source.name}"
    with db.write():
        if not receipts.remember(key, found.mark):
            return False
        pull_job.enqueue_pull(config, source, "pushed", actor=found.sender)
        audit.record(
            "source.pull", "source", key, site=source.site, label=source.name,
            after={"branch": found.branch or ""}, actor=replace(actor.current(), name=found.sender),
        )  # fmt: skip
    return True
