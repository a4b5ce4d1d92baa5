"""A token is sent over TLS that is verified: by the authorities of this host, or by those that SSL_CERT_FILE names."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import clock
from appliance.demo.frontend import end_process_tree, free_port
from tests.api_client.conftest import SECONDS, Installation, Make, Told
from tests.tls_server import make_certificate, start_nginx

pytestmark = pytest.mark.slow


@contextmanager
def behind_tls(make: Make, folder: Path, name: str) -> Iterator[tuple[Installation, str]]:
    """An installation behind a web server whose certificate, for this name, nobody has signed; and its address."""
    port = free_port()
    one = make(url=f"https://localhost:{port}/")
    folder.mkdir()
    make_certificate(folder, name)
    nginx = start_nginx(folder, one.port, port, "localhost")
    try:
        end = clock.monotonic() + SECONDS
        while subprocess.run(
            ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], stderr=subprocess.DEVNULL
        ).returncode:
            assert clock.monotonic() < end and nginx.poll() is None, (folder / "nginx.log").read_text()
        yield one, f"https://localhost:{port}/"
    finally:
        end_process_tree(nginx)


def ask(one: Installation, url: str, **environ: str) -> Told:
    return one.run("content.list", (), {"APPLIANCE_API": url, "APPLIANCE_TOKEN": one.token, **environ})


def test_a_certificate_is_trusted_if_a_variable_names_it_and_else_not(make: Make, tmp_path: Path) -> None:
    with behind_tls(make, tmp_path / "tls", "localhost") as (one, url):
        certificate = str(tmp_path / "tls" / "cert.pem")
        assert ask(one, url, SSL_CERT_FILE=certificate) == Told("no entries\n", "", 0)
        refused = ask(one, url)
        assert (refused.out, refused.status) == ("", 3)
        name = url.removeprefix("https://").rstrip("/")
        assert refused.error == (
            f"{name}: its certificate is not trusted here: self-signed certificate; name a file with the certificate of"
            " its authority in SSL_CERT_FILE, or correct --api.\n"
        )
        missing = ask(one, url, SSL_CERT_FILE="/nosuch.pem")
        assert (missing.status, missing.error[:34]) == (3, "SSL_CERT_FILE: /nosuch.pem cannot ")
        assert "POST" not in (one.folder / "admin.log").read_text()


def test_a_certificate_for_another_name_is_refused(make: Make, tmp_path: Path) -> None:
    with behind_tls(make, tmp_path / "tls", "other.example") as (one, url):
        refused = ask(one, url, SSL_CERT_FILE=str(tmp_path / "tls" / "cert.pem"))
        assert (refused.out, refused.status, "Hostname mismatch" in refused.error) == ("", 3, True)
