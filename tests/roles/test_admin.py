"""What the role `admin` writes: a unit that sees little, settings without keys, and an nginx for its names alone."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.template import trust_as_template

from appliance.config import load
from appliance.demo.frontend import free_port
from tests import web_stack
from tests.roles.nginx import running
from tests.roles.rendering import render
from tests.web_stack import Answer

#: The greatest exposure allowed, as systemd-analyze has it: 0 is none, 10 all there is.
EXPOSURE = 1.2

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
GIVEN: dict[str, Any] = {
    "appliance_admin_url": "https://admin.example.org/",
    "appliance_admin_preview_url": "https://preview.example.org/",
    "appliance_sites": [{"name": "x", "title": "X", "url": "http://x.example/", "theme": "/etc/appliance/themes/x"}],
    "appliance_settings": {"caches": [{"url": "http://c.example/", "headers": {"X-Key": "a-token"}}],
                           "admin": {"workers": 2}, "mail": {"host": "mail.example", "sender": "a@x.example"}},
}  # fmt: skip
POSTGRESQL = {
    "groups": {"all": ["one", "db"], "publishers": ["one"], "frontends": ["one"], "databases": ["db"]},
    "hostvars": {"one": {}, "db": {"appliance_address": "192.0.2.31"}},
}


def keys(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        if re.match(r"\w+=", line):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def unit(**more: Any) -> str:
    return render("admin/appliance-admin.service.j2", **{**GIVEN, **more})


@needs_systemd
@pytest.mark.parametrize("more", [{}, POSTGRESQL, {"appliance_database_url": "postgresql://x@y/z"}],
                         ids=["sqlite", "postgresql", "elsewhere"])  # fmt: skip
def test_the_service_is_hardly_exposed(more: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "appliance-admin.service"
    file.write_text(unit(**more))
    (tmp_path / "appliance-admin.socket").write_text(render("admin/appliance-admin.socket.j2", **GIVEN))
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager"]
    found = subprocess.run([*command, file], capture_output=True, text=True)
    assert "Overall exposure level" in found.stdout, found.stderr
    print(re.findall(r"Overall exposure level.*", found.stdout))
    assert found.returncode == 0, found.stdout


def test_on_sqlite_it_is_the_publishing_account_and_sees_the_database_alone() -> None:
    found = keys(unit())
    assert (found["User"], found["Group"]) == (["publish"], ["publish"])
    assert found["ReadWritePaths"] == ["/var/lib/appliance"]
    assert found["TemporaryFileSystem"] == ["/run:ro", "/etc/appliance:ro", "/srv/www:ro"]
    assert "-/srv/.www.staging" in found["InaccessiblePaths"]
    assert found["PrivateNetwork"] == ["yes"]


def test_on_postgresql_it_has_an_account_of_its_own_and_talks_to_the_database_alone() -> None:
    found = keys(unit(**POSTGRESQL))
    assert (found["User"], found["Group"], found["SupplementaryGroups"]) == (
        ["appliance-admin"], ["publish"], ["appliance-admin"],
    )  # fmt: skip
    assert found["BindPaths"] == ["/var/lib/appliance/assets"]
    assert found["TemporaryFileSystem"] == ["/run:ro", "/etc/appliance:ro", "/var/lib/appliance:ro", "/srv/www:ro"]
    assert (found["IPAddressDeny"], found["IPAddressAllow"]) == (["any"], ["192.0.2.31"])


def written(tmp_path: Path, **more: Any) -> Path:
    """The settings of the admin application, as its task writes them."""
    known = {**GIVEN, **more, "publisher_written": trust_as_template("{{ admin_settings }}")}
    file = tmp_path / "appliance.toml"
    file.write_text(render("publisher/appliance.toml.j2", "publisher", "admin", **known))
    return file


@pytest.mark.parametrize("more", [{}, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_its_settings_hold_no_keys_and_no_tokens(tmp_path: Path, more: dict[str, Any]) -> None:
    file = written(tmp_path, **more)
    text = file.read_text()
    assert not any(word in text for word in ("a-token", "ssh_key", "known_hosts", "id_ed25519"))
    config = load(file)
    assert config.admin.url == "https://admin.example.org/"
    assert (config.admin.workers, config.admin.with_work) == (2, False)
    if more:
        assert (config.database_url or "").startswith("postgresql://appliance_admin@192.0.2.31/appliance?")
        assert "passfile=/etc/appliance/admin/pgpass" in (config.database_url or "")
    else:
        assert config.database_file == Path("/var/lib/appliance/appliance.db")


def test_the_publishing_host_knows_of_it_and_runs_it_apart() -> None:
    found = tomllib.loads(render("publisher/appliance.toml.j2", **GIVEN))["admin"]
    assert found == {"url": "https://admin.example.org/", "preview_url": "https://preview.example.org/",
                     "with_work": False, "listen": "unix:/run/appliance-admin.sock", "workers": 2}  # fmt: skip
    assert "admin" not in tomllib.loads(render("publisher/appliance.toml.j2"))


class Behind:
    """Takes the place of the application: answers with the head of each request."""

    def __init__(self, path: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            with client:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(65_536)
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Frame: own\r\nConnection: close\r\n\r\n" % len(
                    head
                )
                client.sendall(answer + head)

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


@contextmanager
def served(folder: Path, **more: Any) -> Iterator[int]:
    """Run nginx with what the role writes, and something behind it; yields the port."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=admin.example.org", "-addext", "subjectAltName=DNS:admin.example.org,DNS:preview.example.org",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    text = render("admin/nginx.conf.j2", **{
        **GIVEN, "admin_certificate": str(folder / "certificate.pem"), "admin_key": str(folder / "key.pem"),
        "admin_tls_port": f"127.0.0.1:{port}", "admin_port_suffix": "", "admin_listens_on_ipv6": False,
        "admin_is_new": False, "admin_access_log": "off", "appliance_admin_socket": str(folder / "admin.sock"), **more,
    })  # fmt: skip
    temporary = "".join(
        f"{kind}_temp_path {folder}/temporary;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"user root; daemon off; worker_processes 1; pid {folder}/pid; error_log stderr warn;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\n{temporary}\n{text}\n}}\n"
    )
    with running(folder, file, port):
        yield port


def ask(
    folder: Path, port: int, name: str, host: str = "", method: str = "GET", path: str = "/x?y", **headers: str
) -> Answer:
    trust = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    connection = http.client.HTTPSConnection(name, port, context=trust, timeout=20)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        connection.sock = trust.wrap_socket(opened, server_hostname=name)
        return web_stack.ask(connection, method, path, None, {"Host": host or name, **headers})


def test_nginx_passes_on_what_is_asked_under_its_names_and_nothing_else(tmp_path: Path) -> None:
    behind = Behind(tmp_path / "admin.sock")
    with served(tmp_path) as port:
        for name in ("admin.example.org", "preview.example.org"):
            answer = ask(tmp_path, port, name, X_Forwarded_For="203.0.113.9", **{
                "X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Appliance-Front-End": "www1",
                "Sec-Fetch-Site": "same-origin", "Cookie": "a=b",
            })  # fmt: skip
            head = answer.text
            assert answer.status == 200
            assert answer.headers["X-Frame"] == "own"
            assert answer.headers["Strict-Transport-Security"] is None, "headers are the application's"
            sent = dict(line.split(": ", 1) for line in head.strip().splitlines()[1:])
            assert sent["Host"] == name
            assert sent["X-Forwarded-For"] == "127.0.0.1"
            assert (sent["Sec-Fetch-Site"], sent["Cookie"]) == ("same-origin", "a=b")
            assert "Forwarded" not in sent and "X-Appliance-Front-End" not in sent
        assert ask(tmp_path, port, "admin.example.org", "elsewhere.example").status == 421
        with pytest.raises(ssl.SSLError):
            ask(tmp_path, port, "elsewhere.example")
        behind.close()
        away = ask(tmp_path, port, "admin.example.org")
        assert (away.status, away.headers["Retry-After"], away.headers["Cache-Control"]) == (503, "5", "no-store")
        large = ask(tmp_path, port, "admin.example.org", method="POST", **{"Content-Length": "40000000"})
        assert large.status == 413


def test_no_secret_of_an_address_is_written_down(tmp_path: Path) -> None:
    behind = Behind(tmp_path / "admin.sock")
    log = tmp_path / "access.log"
    with served(tmp_path, admin_access_log=str(log)) as port:
        for path in ("/reset/s3cret", "/invitation/s3cret?s3cret", "/users?s3cret"):
            ask(tmp_path, port, "admin.example.org", path=path, Referer="https://admin.example.org/reset/s3cret")
        ask(tmp_path, port, "preview.example.org", path="/s3cret/")
    lines = log.read_text().splitlines()
    assert len(lines) == 1
    assert '"GET /users" 200' in lines[0]
    assert "s3cret" not in lines[0]
    behind.close()


def test_only_some_networks_may_use_it(tmp_path: Path) -> None:
    behind = Behind(tmp_path / "admin.sock")
    with served(tmp_path, admin_allowed=["192.0.2.0/24"]) as port:
        assert ask(tmp_path, port, "admin.example.org").status == 403
        assert ask(tmp_path, port, "preview.example.org").status == 200
    behind.close()


def test_a_front_end_with_certificates_refuses_other_names_by_itself() -> None:
    more = {"frontend_tls": [{"name": "*"}], "admin_listens_on_ipv6": False, "admin_is_new": True}
    assert "default_server" not in render("admin/nginx.conf.j2", **GIVEN, **more)
    assert "default_server" in render("admin/nginx.conf.j2", **GIVEN, **{**more, "frontend_tls": []})
