"""What a front end answers: pages and nothing else, with the headers that were promised."""

from __future__ import annotations

import gzip
import http.client
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from reading import NAME

testinfra_hosts = ["ansible://frontends"]

DOCROOT = "/srv/www"
PROBE = f"{DOCROOT}/probe-of-the-web-server"


class Site:
    """One front end, asked as a browser would."""

    def __init__(self, host: Any) -> None:
        variables = host.ansible.get_variables()
        self.address = variables.get("ansible_host", variables["inventory_hostname"])

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection(self.address, 80, timeout=10)
        try:
            given = {"Host": NAME} | {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status(self, path: str, method: str = "GET") -> int:
        return self.ask(path, method)[0]


@pytest.fixture(scope="module")
def site(host: Any) -> Site:
    return Site(host)


@pytest.fixture(scope="module", autouse=True)
def probe(host: Any) -> Iterator[None]:
    """A folder of the docroot with files of many kinds, for as long as this module runs."""
    script = f"""
        install -d -o publish -g publish {PROBE} {PROBE}/empty {PROBE}/.~tmp~ {DOCROOT}/.well-known
        cd {PROBE}
        echo '<!doctype html><title>probe</title>' > index.html
        yes 'body {{ color: black }}' | head -100 > style.css
        echo plain > packed.txt; echo uploaded earlier | gzip -n > packed.txt.gz
        echo '<feed xmlns="http://www.w3.org/2005/Atom"/>' > feed.xml
        echo '<urlset/>' > sitemap.xml
        printf picture > picture.png
        echo secret > .hidden; echo half > .~tmp~/index.html; echo proof > {DOCROOT}/.well-known/probe
        ln -s /etc/hostname link.txt; ln -s / all; ln -s index.html near.html
    """
    host.check_output("sh -ec %s", script)
    yield
    host.check_output(f"rm -rf {shlex.quote(PROBE)} {DOCROOT}/.well-known/probe")


def test_a_page_comes_with_its_type(site: Site) -> None:
    status, headers, body = site.ask("/probe-of-the-web-server/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert body == b"<!doctype html><title>probe</title>\n"
    assert site.ask("/probe-of-the-web-server/", "HEAD")[0] == 200


def test_every_page_of_the_docroot_is_served_as_it_is(host: Any, site: Site) -> None:
    found = host.check_output(f"cd {DOCROOT} && find . -name index.html -not -path './probe*' -not -path '*/.*/*'")
    pages = found.split()[:5]
    assert pages, "the docroot has no pages; publish before this test"
    for page in pages:
        answered = site.ask(page[1:].removesuffix("index.html"))
        assert (answered[0], answered[2].decode()) == (200, host.file(f"{DOCROOT}/{page}").content_string)


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/probe-of-the-web-server/nothing", "/probe-of-the-web-server/empty/"]
)
def test_what_is_missing_shows_the_site_s_own_page(host: Any, site: Site, path: str) -> None:
    status, headers, body = site.ask(path)
    assert (status, headers["Cache-Control"]) == (404, "no-cache")
    assert body == host.file(f"{DOCROOT}/404.html").content


def test_the_page_for_what_is_missing_has_no_address(site: Site) -> None:
    assert site.status("/404.html") == 404


@pytest.mark.parametrize(
    "path", [".hidden", ".~tmp~/index.html", ".%7Etmp~/index.html", "%2ehidden", "empty/../.hidden"]
)
def test_nothing_hidden_is_served(site: Site, path: str) -> None:
    assert site.status(f"/probe-of-the-web-server/{path}") == 404


def test_well_known_is_served_and_what_is_hidden_in_it_is_not(site: Site) -> None:
    assert site.status("/.well-known/probe") == 200
    assert site.status("/.well-known/.probe") == 404


@pytest.mark.parametrize("path", ["link.txt", "near.html", "all/etc/hostname"])
def test_no_link_is_followed(site: Site, path: str) -> None:
    assert site.status(f"/probe-of-the-web-server/{path}") == 404


@pytest.mark.parametrize(
    "path", ["/../etc/hostname", "/%2e%2e/etc/hostname", "/probe-of-the-web-server/%2e%2e/%2e%2e/etc/hostname"]
)
def test_nothing_outside_is_served(site: Site, path: str) -> None:
    assert site.status(path) in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/probe-of-the-web-server/", "/nothing-here"])
def test_files_are_only_fetched(site: Site, method: str, path: str) -> None:
    status, headers, _ = site.ask(path, method)
    assert status == 405
    assert method == "TRACE" or headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/probe-of-the-web-server/", "/nothing-here", "/probe-of-the-web-server/style.css"])
def test_every_answer_is_hardened(site: Site, path: str) -> None:
    _, headers, _ = site.ask(path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy and "object-src 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Permissions-Policy"]
    assert headers["Server"] == "nginx"
    assert "Strict-Transport-Security" not in headers  # over plain HTTP it means nothing


@pytest.mark.parametrize(
    ("path", "kind", "cached"),
    [
        ("", "text/html; charset=utf-8", "max-age=0, must-revalidate"),
        ("?v=01234567", "text/html; charset=utf-8", "max-age=0, must-revalidate"),
        ("style.css?v=01234567", "text/css; charset=utf-8", "public, max-age=2592000"),
        ("style.css", "text/css; charset=utf-8", "public, max-age=3600, must-revalidate"),
        ("picture.png", "image/png", "public, max-age=3600, must-revalidate"),
        ("feed.xml", "application/atom+xml; charset=utf-8", "max-age=300, must-revalidate"),
        ("sitemap.xml", "text/xml; charset=utf-8", "max-age=300, must-revalidate"),
    ],
)
def test_each_kind_has_its_type_and_may_be_kept_for_a_while(site: Site, path: str, kind: str, cached: str) -> None:
    _, headers, _ = site.ask(f"/probe-of-the-web-server/{path}")
    assert headers["Content-Type"] == kind
    assert headers.get_all("Cache-Control") == [cached]


def test_a_page_that_did_not_change_is_not_sent_again(site: Site) -> None:
    _, headers, _ = site.ask("/probe-of-the-web-server/")
    status, again, body = site.ask("/probe-of-the-web-server/", If_None_Match=headers["ETag"])
    assert (status, body) == (304, b"")
    assert "Cache-Control" not in again  # another one would replace the page's in a browser's cache


def test_text_is_compressed(site: Site) -> None:
    _, headers, body = site.ask("/probe-of-the-web-server/style.css", Accept_Encoding="gzip")
    assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(body) < len(gzip.decompress(body)) == 2200


def test_a_compressed_file_beside_another_does_not_take_its_place(site: Site) -> None:
    _, headers, body = site.ask("/probe-of-the-web-server/packed.txt", Accept_Encoding="gzip")
    assert (headers["Content-Encoding"], body) == (None, b"plain\n")


@pytest.mark.parametrize("name", ["other.example", "www.example.org.other.example", "192.0.2.1"])
def test_a_name_that_no_site_has_is_refused(site: Site, name: str) -> None:
    status, _, body = site.ask("/", Host=name)
    assert status == 421
    assert b"421 Misdirected Request" in body


def test_a_folder_without_its_slash_leads_to_the_page_wherever_the_port_is(site: Site) -> None:
    status, headers, _ = site.ask("/probe-of-the-web-server")
    assert (status, headers["Location"]) == (301, "/probe-of-the-web-server/")


def test_it_is_started_with_the_host(host: Any) -> None:
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled
    assert not host.file("/etc/nginx/sites-enabled/default").exists
    assert host.file("/etc/appliance/in-service").user == "root"


def test_settings_that_nginx_would_refuse_are_not_put_in_place(host: Any) -> None:
    broken = host.run("echo 'server { listen 80; root; }' > /run/probe.conf && appliance-nginx-test /run/probe.conf")
    assert broken.rc != 0
    assert "invalid number of arguments" in broken.stderr
    assert host.run("appliance-nginx-test /etc/nginx/conf.d/appliance.conf; rm /run/probe.conf").rc == 0
