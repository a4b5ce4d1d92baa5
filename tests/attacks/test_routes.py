"""Only the listed routes exist, each for the listed methods and no others, through nginx and without it."""

from __future__ import annotations

import itertools

import pytest

from appliance.config import WebSettings
from appliance.web.public import create_app
from tests.web_stack import SITE, WebStack

#: The routes below the path of a site, with their methods.
ROUTES = {
    "comments": {"GET", "POST"},
    "comments/form": {"GET"},
    "comments/status": {"GET"},
    "comments/delete": {"GET", "POST"},
    "notices/confirm": {"GET", "POST"},
    "notices/unsubscribe": {"GET", "POST"},
    "search": {"GET"},
    "opensearch.xml": {"GET"},
}
#: Those for the publishing host alone.
HOST_ONLY = ("healthz", "readyz", "metrics")
STATIC = ("app.css", "icon.svg")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE", "FOO")
#: What others have, what attackers look for, and what is near to what exists.
WORDS = (
    "admin", "api", "login", "user", "users", "debug", "console", "status", "config", "settings", "server-status",
    "env", ".env", ".git/config", "wp-login.php", "xmlrpc.php", "graphql", "rpc", "upload", "files", "static",
    "comment", "comments", "comments/1", "comments/form", "comments/all", "notices", "notices/1", "search", "delete",
    "healthz", "readyz", "metrics", "appliance.toml", "web.toml", "intake.sock", "work.log", "appliance.db",
)  # fmt: skip


def refused(status: int) -> bool:
    return status in (400, 404, 405, 501)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_has_its_methods_and_no_others(stack: WebStack, route: str) -> None:
    for method in METHODS:
        for ask in (stack.ask, stack.ask_web):
            answer = ask(method, stack.endpoint(route))
            if method in ROUTES[route] or (method == "HEAD" and "GET" in ROUTES[route]):
                assert answer.status not in (405, 501), (method, route)
                assert answer.status < 500, (method, route)
            else:
                assert answer.status in (400, 405, 501), (method, route, answer.status)
                assert "evil" not in answer.text


def test_the_walk_knows_every_route() -> None:
    class Silent:
        def ask(self, request: object) -> None:
            raise AssertionError(request)

    listed = {rule.rule for rule in create_app(WebSettings(path="/-/"), Silent()).url_map.iter_rules()}  # type: ignore[arg-type]
    assert listed == {
        *(f"/-/<site:site>/{route}" for route in ROUTES), *(f"/{route}" for route in HOST_ONLY),
        "/-/static/<filename>",
    }  # fmt: skip


def test_nothing_else_is_there(stack: WebStack) -> None:
    bases = ("/", "/-/", f"/-/{SITE}/", "/-/other/", "/-/static/", f"/-/{SITE}/comments/")
    known = {f"/-/{SITE}/{route}" for route in ROUTES}
    for base, word in itertools.product(bases, WORDS):
        path = f"{base}{word}"
        if path in known:
            continue
        assert refused(stack.get(path).status), path
        if path.lstrip("/") not in HOST_ONLY:
            assert refused(stack.ask_web("GET", path).status), path


def test_near_misses_are_misses(stack: WebStack) -> None:
    for route in ROUTES:
        for path in (f"/-/{SITE}/{route}/", f"/-/{SITE.upper()}/{route}", f"/-/{SITE}/{route.upper()}",
                     f"/-//{SITE}/{route}", f"/-/{SITE}//{route}", f"/-/{SITE}%252f{route}", f"/-/{SITE}/{route}%00",
                     f"/-/{SITE}/{route};x", f"/-/{SITE}/{route}.html", f"/-/{SITE}%20/{route}"):  # fmt: skip
            assert refused(stack.ask_web("GET", path).status), path
            # nginx may make two slashes one, which leads to the route itself.
            assert refused(stack.get(path).status) or "//" in path, path


def test_static_files_are_those_that_are_listed(stack: WebStack) -> None:
    for name in STATIC:
        assert stack.get(f"/-/static/{name}").status == 200
        assert stack.post(f"/-/static/{name}", {}).status == 405
    for name in ("", ".", "..", "app.css/", "app.css~", "APP.CSS", "form.html", "../app.py", "%2e%2e/app.py"):
        assert refused(stack.ask_web("GET", f"/-/static/{name}").status), name
