"""nginx with the settings that the role frontend writes, on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.demo.frontend import end_process_tree, free_port, with_parent_death_signal
from tests.roles.rendering import render

NGINX = ["nginx", "-e", "stderr", "-c"]


def settings(folder: Path, **given: Any) -> Path:
    """A whole file of settings for nginx, with what the role writes in it."""
    (folder / "docroot").mkdir(exist_ok=True)
    known = {
        "appliance_docroot": str(folder / "docroot"),
        "frontend_listens_on_ipv6": False,
        "frontend_is_new": False,
        "frontend_access_log": "off",
        **given,
    }
    known.setdefault("frontend_port", f"127.0.0.1:{free_port()}")
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/temporary;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr warn;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\n{temporary}\ninclude /etc/nginx/mime.types;\n"
        f"gzip_static on;\nautoindex on;\n{render('frontend/nginx.conf.j2', **known)}\n}}\n"
    )
    return file


def site(url: str, folder: str = "", name: str = "x") -> dict[str, str]:
    return {"name": name, "title": "Title", "url": url, "folder": folder}


@contextmanager
def running(folder: Path, file: Path, port: int) -> Iterator[None]:
    """Run nginx with a file of settings, from when it listens on `port`."""
    with (folder / "said").open("wb") as said:
        server = subprocess.Popen(with_parent_death_signal([*NGINX, str(file)]), stderr=said)
    try:
        until = threading.Event()
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (folder / "said").read_text()
            until.wait(0.05)
        yield
    finally:
        end_process_tree(server)
