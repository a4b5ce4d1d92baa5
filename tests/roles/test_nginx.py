"""What the role frontend makes of nginx: each name has its own site, and no other words or files take its place."""

from __future__ import annotations

import gzip
import http.client
import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.demo.frontend import free_port
from tests.roles.nginx import NGINX, running, settings, site
from tests.roles.rendering import ROLES

pytestmark = pytest.mark.slow

#: As long as a part of a name may be, but for two letters; too long for nginx's own table of names.
LONG = "a" * 61 + ".example"


@pytest.mark.parametrize(
    "urls",
    [
        ["http://www.example.org/"],
        [f"http://{LONG}/"],
        [f"http://{LONG}/", "http://" + ".".join(["b" * 63] * 3 + ["c" * 61]) + "/"],
        [f"http://a-name-of-some-length-{number}.example.org/" for number in range(300)],
        [f"http://{number}.{'n' * 40}.example.org/" for number in range(20)],
        ["http://bücher.example/", "http://[2001:DB8::0:1]/", "http://192.0.2.1/", "http://WWW.EXAMPLE.ORG./"],
        ["http://bücher.example/", "http://xn--bcher-kva.example/notes/"],
        ["https://bücher.example/", "https://b.example/"],
    ],
    ids=["one", "long", "longest", "many", "long and many", "of all kinds", "twice the same", "with certificates"],
)
def test_nginx_takes_the_names_without_a_word(urls: list[str], tmp_path: Path) -> None:
    more: dict[str, Any] = {}
    if urls[0].startswith("https"):
        certify(tmp_path)
        pair = {"certificate": str(tmp_path / "pem"), "key": str(tmp_path / "key")}
        more = {"frontend_tls": [{"name": "BÜCHER.example", **pair}, {"name": "*", **pair}],
                "frontend_tls_port": f"127.0.0.1:{free_port()}"}  # fmt: skip
    sites = [site(url, "notes" if url.endswith("/notes/") else "") for url in urls]
    file = settings(tmp_path, appliance_sites=sites, frontend_web_servers=["127.0.0.1:9"], **more)
    done = subprocess.run([*NGINX, file, "-t", "-q"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def certify(folder: Path) -> None:
    """A certificate of its own for a test, and its key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=tls.example", "-keyout", folder / "key", "-out", folder / "pem"],
        check=True, capture_output=True,
    )  # fmt: skip


class Echo(http.server.BaseHTTPRequestHandler):
    """An upstream that tells what it was asked."""

    def do_GET(self) -> None:
        """Tell the headers of the request, one a line."""
        said = "".join(f"{name}: {value}\n" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        """Tell the body of the request."""
        said = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Front:
    """A running nginx with several sites."""

    def __init__(self, folder: Path, port: int, tls_port: int) -> None:
        self.docroot = folder / "docroot"
        self.port = port
        self.tls_port = tls_port

    def ask(self, host: str | None, path: str = "/", method: str = "GET", **more: Any) -> http.client.HTTPResponse:
        """One request to the plain port, with the header Host as given, or without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        return self._ask(connection, host, path, method, **more)

    def ask_safely(self, name: str | None, host: str, path: str = "/") -> http.client.HTTPResponse:
        """One request over TLS to the server of `name`, for `host`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPConnection("127.0.0.1", self.tls_port, timeout=30)
        with socket.create_connection(("127.0.0.1", self.tls_port), timeout=30) as plain:
            connection.sock = context.wrap_socket(plain, server_hostname=name)
        return self._ask(connection, host, path, "GET")

    def _ask(
        self, connection: http.client.HTTPConnection, host: str | None, path: str, method: str,
        headers: dict[str, str] | None = None, body: bytes | None = None,
    ) -> http.client.HTTPResponse:  # fmt: skip
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = {**({"Host": host} if host is not None else {}), **(headers or {})}
        if body is not None:
            given["Content-Length"] = str(len(body))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.text = answer.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
        connection.close()
        return answer


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    certify(folder)
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    found = Front(folder, free_port(), free_port())
    sites = [
        site("http://first.example/", "first"),
        site("http://bücher.example/", "books"),
        site("http://straße.example/", "street"),
        site(f"http://{LONG}/", "long"),
        site("https://tls.example/", "tls"),
    ]
    file = settings(
        folder,
        appliance_sites=sites,
        frontend_port=f"127.0.0.1:{found.port}",
        frontend_tls_port=f"127.0.0.1:{found.tls_port}",
        frontend_tls=[{"name": "TLS.example", "certificate": str(folder / "pem"), "key": str(folder / "key")}],
        frontend_web_servers=[f"127.0.0.1:{upstream.server_address[1]}"],
        frontend_web_post_rate="1000r/s",
        frontend_name="www-1",
    )
    for name in ("first", "books", "street", "long", "tls"):
        (found.docroot / name).mkdir(parents=True)
        (found.docroot / name / "index.html").write_text(name)
        (found.docroot / name / "404.html").write_text("not here")
    with running(folder, file, found.port):
        yield found
    upstream.shutdown()
    upstream.server_close()


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("first.example", "first"),
        ("xn--bcher-kva.example", "books"),
        ("XN--BCHER-KVA.example.", "books"),
        ("xn--bcher-kva.example:8080", "books"),
        ("xn--strae-oqa.example", "street"),
        (LONG, "long"),
    ],
)
def test_a_name_has_its_own_site(front: Front, host: str, shown: str) -> None:
    answer = front.ask(host)
    assert (answer.status, answer.text) == (200, shown)


@pytest.mark.parametrize(
    "host",
    ["other.example", "127.0.0.1", "localhost", "strasse.example", "a.first.example", "first.example.org", "_", ""],
)
def test_a_name_that_no_site_has_is_refused(front: Front, host: str) -> None:
    answer = front.ask(host)
    assert answer.status in (400, 421)
    assert "first" not in answer.text
    assert answer.headers["Server"] == "nginx"


def test_a_request_without_a_name_is_refused(front: Front) -> None:
    assert front.ask(None).status == 400


@pytest.mark.parametrize("name", ["other.example", "first.example", None])
def test_no_certificate_is_shown_for_a_name_without_one(front: Front, name: str | None) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        front.ask_safely(name, "tls.example")


def test_a_site_has_its_certificate_and_other_names_are_refused_within(front: Front) -> None:
    answer = front.ask_safely("tls.example", "tls.example")
    assert (answer.status, answer.text) == (200, "tls")
    assert answer.headers["Strict-Transport-Security"]
    for other in ("other.example", "first.example"):
        assert front.ask_safely("tls.example", other).status == 421


def test_a_redirect_leads_to_the_site_s_own_name(front: Front) -> None:
    answer = front.ask("TLS.example.", "/page?x=1")
    assert answer.status == 301
    assert answer.headers["Location"] == f"https://tls.example:127.0.0.1:{front.tls_port}/page?x=1"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/.well-known/acme-challenge/.hidden"), ("GET", "/.well-known/acme-challenge/")]
)
def test_proofs_of_certificates_are_all_that_is_served_plain(front: Front, method: str, path: str) -> None:
    folder = front.docroot / "tls/.well-known/acme-challenge"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text("proof")
    (folder / ".hidden").write_text("secret")
    assert front.ask("tls.example", "/.well-known/acme-challenge/token").text == "proof"
    assert front.ask("tls.example", path, method).status in (403, 404)


@pytest.mark.parametrize("ending", ["gz", "br", "zst"])
def test_an_upload_takes_no_file_s_place(front: Front, ending: str) -> None:
    """An author's `sitemap.xml.gz` of an earlier day is not sent for the sitemap that was generated since."""
    folder = front.docroot / "first"
    (folder / "sitemap.xml").write_text("generated")
    (folder / f"sitemap.xml.{ending}").write_bytes(gzip.compress(b"uploaded long ago", mtime=0))
    for name in ("index.htm", "index.php", "default.html", "index.html.gz"):
        (folder / name).write_bytes(gzip.compress(b"uploaded", mtime=0))
    accepts = {"Accept-Encoding": "gzip, br, zstd"}
    answer = front.ask("first.example", "/sitemap.xml", headers=accepts)
    assert (answer.status, answer.text) == (200, "generated")
    assert front.ask("first.example", "/", headers=accepts).text == "first"
    uploaded = front.ask("first.example", f"/sitemap.xml.{ending}")
    assert (uploaded.status, uploaded.headers["Content-Encoding"]) == (200, None)


def test_a_folder_is_not_listed_and_has_no_index_but_ours(front: Front) -> None:
    folder = front.docroot / "first/uploads"
    folder.mkdir(exist_ok=True)
    for name in ("index.htm", "picture.png", "index"):
        (folder / name).write_text("uploaded")
    answer = front.ask("first.example", "/uploads/")
    assert (answer.status, answer.text) == (404, "not here")


@pytest.mark.parametrize("name", [".htaccess", ".git/config", ".appliance-docroot", ".index.html.Ab3dEf"])
def test_nothing_hidden_is_served(front: Front, name: str) -> None:
    file = front.docroot / "first" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("secret")
    for path in (f"/{name}", f"//{name}", f"/{name.replace('.', '%2e', 1)}", f"/x/../{name}"):
        assert front.ask("first.example", path).status == 404


def test_no_link_is_followed(front: Front) -> None:
    (front.docroot / "first/link").symlink_to("/etc/hostname")
    (front.docroot / "first/folder").symlink_to("/etc")
    for path in ("/link", "/folder/hostname"):
        assert front.ask("first.example", path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND", "TRACE", "OPTIONS", "PURGE"])
def test_files_are_only_fetched(front: Front, method: str) -> None:
    assert front.ask("first.example", "/", method).status == 405


FORGED = {
    "X-Real-IP": "192.0.2.66",
    "X-Forwarded-For": "192.0.2.66",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Port": "66",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Scheme": "gopher",
    "X-Forwarded-User": "root",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=192.0.2.66;host=evil.example",
    "X-Client-IP": "192.0.2.66",
    "X-Cluster-Client-IP": "192.0.2.66",
    "True-Client-IP": "192.0.2.66",
    "CF-Connecting-IP": "192.0.2.66",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-Host": "evil.example",
    "X-HTTP-Method-Override": "DELETE",
    "X-Remote-User": "root",
    "Remote-User": "root",
    "Front-End-Https": "on",
    "Proxy": "http://evil.example/",
    "Via": "1.1 evil.example",
    "X_Real_IP": "192.0.2.66",
    "X-Appliance-Front-End": "another",
    "X-Whatever-Comes-Next": "evil",
    "Upgrade": "websocket",
}


def test_what_a_visitor_says_of_itself_does_not_pass(front: Front) -> None:
    answer = front.ask("xn--bcher-kva.example:80", "/-/", headers=FORGED)
    said = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert said == {
        "Host": "xn--bcher-kva.example",
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "xn--bcher-kva.example",
        "X-Forwarded-Port": str(front.port),
        "X-Forwarded-Proto": "http",
        "X-Appliance-Front-End": "www-1",
    }


def test_what_a_form_needs_passes(front: Front) -> None:
    wanted = {
        "Origin": "http://first.example",
        "Referer": "http://first.example/page/",
        "User-Agent": "a browser",
        "Accept-Language": "de",
        "Sec-Fetch-Site": "same-origin",
        "X-Requested-With": "script",
    }
    said = front.ask("first.example", "/-/", headers=wanted).text.splitlines()
    assert {f"{name}: {value}" for name, value in wanted.items()} <= set(said)
    assert front.ask("first.example", "/-/", "POST", body=b"text=hello").text == "text=hello"


@pytest.mark.parametrize(
    ("scheme", "name", "status"),
    [("http", "first.example", 200), ("http", "tls.example", 301), ("http", "other.example", 421),
     ("https", "tls.example", 200), ("https", "other.example", None)],
)  # fmt: skip
def test_the_look_at_a_host_asks_by_the_name_of_a_site(
    front: Front, scheme: str, name: str, status: int | None
) -> None:
    """As playbooks/check.yml does; by its address alone nginx would answer nobody."""
    port = front.port if scheme == "http" else front.tls_port
    asked = ["/usr/bin/python3", ROLES.parent / "playbooks/files/ask_nginx.py", scheme, str(port), name, "/"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == (str(status) if status else "")
    assert (done.returncode, bool(done.stderr)) == ((0, False) if status else (1, True))


def test_a_site_s_comments_are_its_own_name_s(front: Front) -> None:
    """What no site has does not reach the upstream either."""
    assert front.ask("other.example", "/-/").status == 421
