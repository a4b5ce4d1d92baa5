"""An installation with its admin application behind a web server that speaks TLS, as on publishing hosts.

`work` runs the admin process and a worker; nginx has a certificate that nobody has signed, and passes everything on.
All is on loopback and ended by process id. The database is open in the process of the test.

    with admin_stack(folder) as stack, chromium(trusted=stack.certificate) as browser:
        browser.new_page(base_url=stack.url).goto("/sign-in")
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from appliance import clock, publishing
from appliance.config import Config, load
from appliance.demo.daemon import Daemon
from appliance.demo.frontend import HOST, end_process_tree, free_port
from appliance.installation import open_installation
from tests.leftovers import none_left
from tests.tls_server import make_certificate, openssl, start_nginx
from tests.web_stack import PATIENCE, Answer, ask, to_toml

#: The name of the admin application. Browsers find it on this machine without asking a name server.
NAME = "admin.localhost"
SITES = (
    {"name": "blog", "title": "Field notes", "url": "https://blog.example/", "folder": "blog"},
    {"name": "news", "title": "Harbour news", "url": "https://news.example/", "folder": "news"},
)


@dataclass
class AdminStack:
    """A running admin application."""

    folder: Path
    config: Config
    daemon: Daemon
    port: int

    @property
    def url(self) -> str:
        """The address of the admin application without a slash at its end, as origins are written."""
        return f"https://{NAME}:{self.port}"

    @cached_property
    def key_digest(self) -> str:
        """The digest of the certificate's public key, by which Chromium can be told to trust it."""
        public = openssl(self.folder, "x509", "-in", "cert.pem", "-pubkey", "-noout")
        key = subprocess.run(
            ["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True, check=True
        )
        return base64.b64encode(hashlib.sha256(key.stdout).digest()).decode()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request through the web server."""
        trust = ssl.create_default_context(cafile=self.folder / "cert.pem")
        trust.check_hostname = False  # we ask by the address
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=PATIENCE, context=trust)
        return ask(connection, method, path, body, {"Host": f"{NAME}:{self.port}", **(headers or {})})

    def await_that(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Look until it is so, and return what was found."""
        end = clock.monotonic() + seconds
        while not (found := condition()):
            assert clock.monotonic() < end, f"it never came to be; {self.log()[-3000:]}"
            clock.sleep(0.01)
        return found

    def log(self) -> str:
        """Return what `work` has written."""
        return self.daemon.log.read_text("utf-8", "replace")


@contextmanager
def admin_stack(
    folder: Path, database: str = "", *, sites: Sequence[Mapping[str, Any]] = SITES, **sections: Any
) -> Iterator[AdminStack]:
    """Run an admin application until the block ends.

    Args:
        folder: an empty folder for all of it.
        database: the URL of an empty PostgreSQL database; SQLite without it.
        sites: the sites.
        sections: further sections of the settings, such as admin={"idle_minutes": 5}, or targets=[…].
    """
    with ExitStack() as stack:
        stack.enter_context(none_left())
        short = Path(tempfile.mkdtemp(prefix="admin-"))  # the path of a socket is limited
        stack.callback(shutil.rmtree, short, ignore_errors=True)
        port = free_port()
        config = _settings(folder, short, database, port, sites, sections)
        stack.enter_context(open_installation(config))
        publishing.publish(config)
        make_certificate(folder, NAME)
        lock = stack.enter_context((folder / "lock").open("w"))
        (short / "ssh").mkdir()
        daemon = stack.enter_context(Daemon(config, short / "ssh", lock.fileno()))
        stack.callback(end_process_tree, start_nginx(folder, short / "admin.sock", port, NAME))
        running = AdminStack(folder, config, daemon, port)
        running.await_that(lambda: _answers(running), 3 * PATIENCE)
        yield running


def _settings(
    folder: Path, short: Path, database: str, port: int, sites: Sequence[Mapping[str, Any]], sections: Mapping[str, Any]
) -> Config:  # fmt: skip
    own: dict[str, Any] = {
        "admin": {"url": f"https://{NAME}:{port}/", "listen": f"unix:{short}/admin.sock"},
        "queue": {"workers": 1},
        "delivery": {"temp_path": f"{short}/ssh"},
    }
    merged = {**sections, **{name: {**values, **sections.get(name, {})} for name, values in own.items()}}
    file = folder / "appliance.toml"
    made = {
        "docroot": folder / "www",
        "host": "publisher",
        "database": database or None,
        **merged,
        "sites": list(sites),
    }
    file.write_text(to_toml(made), "utf-8")
    return load(file)


def _answers(stack: AdminStack) -> bool:
    try:
        return stack.ask("GET", "/sign-in").status == 200
    except OSError:
        return False
