"""A web server that speaks TLS, on loopback, before a socket or a port, with a certificate that nobody has signed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from appliance.demo.frontend import HOST, with_parent_death_signal


def make_certificate(folder: Path, *names: str) -> None:
    """Write `cert.pem` and `key.pem` for these names."""
    openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={','.join(f'DNS:{name}' for name in names)}",
        "-keyout", "key.pem", "-out", "cert.pem",
    )  # fmt: skip


def openssl(folder: Path, *arguments: str) -> bytes:
    """Run openssl in a folder, and return what it prints."""
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True).stdout


def start_nginx(folder: Path, upstream: Path | int, port: int, *names: str) -> subprocess.Popen[bytes]:
    """Start nginx with the certificate; it passes all requests for these names on to a Unix socket or a port here."""
    place = f"{HOST}:{upstream}" if isinstance(upstream, int) else f"unix:{upstream}:"
    temporary = "".join(
        f"{kind}_temp_path {folder}/nginx-temp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 256; }}
http {{
    access_log off; {temporary}
    server {{
        listen {HOST}:{port} ssl;
        server_name {" ".join(names)};
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://{place};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header Forwarded "";
        }}
    }}
}}
""",
        "utf-8",
    )
    with (folder / "nginx.log").open("ab") as log:
        return subprocess.Popen(
            with_parent_death_signal(["/usr/sbin/nginx", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
