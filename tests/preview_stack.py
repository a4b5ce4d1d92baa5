"""An installation whose previews are shared, behind a web server that speaks TLS, with a front end beside it.

`work` runs the admin process, which answers for previews too, the intake, the web process and a worker; nginx has a
certificate that nobody has signed. All is on loopback and ended by process id. The database is open in the process of
the test.

    with preview_stack(folder) as stack, chromium() as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(stack.share(stack.draft))
"""

from __future__ import annotations

import http.client
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import clock, previews, publishing
from appliance.config import Config, load
from appliance.content import assets, entries
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from appliance.demo.daemon import Daemon
from appliance.demo.frontend import HOST, end_process_tree, free_port
from appliance.installation import open_installation
from tests.building.test_pages import picture
from tests.leftovers import none_left
from tests.local_site import moment, tree
from tests.tls_server import make_certificate, start_nginx
from tests.web_stack import PATIENCE, Answer, ask, to_toml

#: Browsers find these names on this machine without asking a name server.
NAME, ADMIN_NAME = "preview.localhost", "admin.localhost"
#: The folders of the installation that readers are served, or that are sent to front ends.
PUBLIC = ("www", "copy")


class _Daemon(Daemon):
    """The daemon; its target is a folder, to which there is no connection to wait for."""

    def _wait_for_connections(self) -> None:
        pass


@dataclass
class PreviewStack:
    """A running installation."""

    folder: Path
    config: Config
    daemon: Daemon
    port: int
    #: An entry that is not published, with a picture.
    draft: Entry

    def share(self, entry: Entry) -> str:
        """Return a new link to the preview of an entry."""
        return previews.link_url(self.config, previews.share(self.config, "blog", entry)[0])

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        """Send a request through the web server."""
        trust = ssl.create_default_context(cafile=self.folder / "cert.pem")
        trust.check_hostname = False  # we ask by the address
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=PATIENCE, context=trust)
        return ask(connection, method, path, None, {"Host": f"{NAME}:{self.port}", **headers})

    def public(self) -> dict[str, bytes]:
        """Every file that readers are served, or that was sent to the target."""
        return {f"{name}/{path}": content for name in PUBLIC for path, content in tree(self.folder / name).items()}

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
def preview_stack(folder: Path, database: str = "", *, theme: str = "default") -> Iterator[PreviewStack]:
    """Run the installation in an empty folder until the block ends, on a PostgreSQL database if one is named."""
    with ExitStack() as stack:
        stack.enter_context(none_left())
        short = Path(tempfile.mkdtemp(prefix="previews-"))  # the path of a socket is limited
        stack.callback(shutil.rmtree, short, ignore_errors=True)
        port = free_port()
        config = _settings(folder, short, database, theme, port)
        stack.enter_context(open_installation(config))
        draft = _fill(config)
        publishing.publish(config)
        make_certificate(folder, NAME, ADMIN_NAME)
        lock = stack.enter_context((folder / "lock").open("w"))
        (short / "ssh").mkdir()
        daemon = stack.enter_context(_Daemon(config, short / "ssh", lock.fileno()))
        stack.callback(end_process_tree, start_nginx(folder, short / "admin.sock", port, ADMIN_NAME, NAME))
        running = PreviewStack(folder, config, daemon, port, draft)
        running.await_that(lambda: _is_ready(running), 3 * PATIENCE)
        yield running


def _settings(folder: Path, short: Path, database: str, theme: str, port: int) -> Config:
    file = folder / "appliance.toml"
    made = {
        "docroot": folder / "www",
        "host": "publisher",
        "database": database or None,
        "admin": {
            "url": f"https://{ADMIN_NAME}:{port}/",
            "preview_url": f"https://{NAME}:{port}/",
            "listen": f"unix:{short}/admin.sock",
        },
        "web": {"path": "/-/", "listen": f"unix:{short}/web.sock", "intake": short / "intake.sock", "workers": 1},
        "queue": {"workers": 1},
        "targets": [{"name": "copy", "address": str(folder / "copy"), "other_path": True}],
        "sites": [{"name": "blog", "title": "A Blog", "url": "https://blog.example/", "theme": theme}],
    }
    file.write_text(to_toml(made), "utf-8")
    (folder / "copy").mkdir()
    return load(file)


def _fill(config: Config) -> Entry:
    site = Site.get()
    published = EntryData(title="Published", slug="published", text="Words.", published_at=moment("2026-11-01"))
    entries.save(site, published)
    file = config.path.with_name("cat.png")
    file.write_bytes(picture(40))
    assets.add_file(config, site, file, "cat.png")
    text = "Not *yet*.\n\n![A cat](/cat.png)"
    draft = EntryData(title="Draft", slug="draft", text=text, published_at=moment("2026-11-02"), status="draft")
    return entries.save(site, draft)[0]


def _is_ready(stack: PreviewStack) -> bool:
    try:
        return stack.ask("GET", "/").status == 404 and any("published" in path for path in tree(stack.folder / "copy"))
    except OSError:
        return False
