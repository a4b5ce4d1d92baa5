"""Installations with a real admin process, and command lines that act on them on their host or by the API."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance import audit, clock
from appliance import config as settings
from appliance.accounts import tokens, users
from appliance.actor import Actor, acting
from appliance.audit import AuditFilter
from appliance.demo.frontend import free_port
from appliance.installation import open_installation
from appliance.queue import processes
from appliance.tasks.program import ApplianceProgram

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 40.0
SETTINGS = """\
docroot = "{folder}/www"
database = "{database}"
host = "here"
[[targets]]
name = "front1"
address = "{folder}/front1"
other_path = true
[admin]
url = "https://127.0.0.1:{port}/"
preview_url = "https://127.0.0.2:{port}/"
listen = "127.0.0.1:{port}"
[mail]
host = "127.0.0.1"
sender = "blog@example.org"
"""
SITE = """\
[[sites]]
name = "{name}"
title = "{name}"
url = "https://{name}.example/"
folder = "{name}"
timezone = "Europe/Berlin"
[[sites.sources]]
name = "notes"
folder = "{folder}/notes-{name}"
"""
#: What the command `admin` runs, which refuses to do so as root.
_SERVE = """
import sys
from pathlib import Path
from appliance import logging
from appliance.config import load
from appliance.web import server
from appliance.web.admin.served import served

logging.configure(False)
file = Path(sys.argv[1])
sys.exit(server.serve(lambda: served(load(file)), file=file))
"""


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit status."""

    out: str
    error: str
    status: int

    @property
    def text(self) -> str:
        return self.out + self.error


@dataclass
class Installation:
    """An installation with its admin process, and a user who may do everything."""

    folder: Path
    port: int
    run: Callable[..., Told]
    token: str = ""
    process: subprocess.Popen[bytes] | None = None
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def local(self, line: str, *words: str) -> Told:
        """Run a command on the host, as `--later` if it edits."""
        return self.run(line, words, {"APPLIANCE_CONFIG": str(self.folder / "appliance.toml")})

    def remote(self, line: str, *words: str, token: str = "") -> Told:
        """Run a command by the API, where there are no settings."""
        return self.run(
            line,
            words,
            {"APPLIANCE_API": self.url, "APPLIANCE_TOKEN": token or self.token, "APPLIANCE_CONFIG": "/none"},
        )

    def make_token(self, name: str, days: float | None = None, scopes: list[str] | None = None, **roles: str) -> str:
        with self.opened(), acting(Actor("set-up", "shell")):
            named: Any = {"*" if site == "everywhere" else site: role for site, role in roles.items()}
            user = users.look_up(name) or users.add_user(name, display="Editor", roles=named)
            return tokens.create(user, "a laptop", scopes=scopes, days=days)[0]

    @contextmanager
    def opened(self) -> Iterator[settings.Config]:
        config = settings.load(self.folder / "appliance.toml")
        with open_installation(config):
            yield config

    def audit(self) -> list[audit.AuditRow]:
        """What was done since the installation is there, the oldest first."""
        with self.opened():
            return list(audit.list_audit(AuditFilter(), size=500).rows)[::-1]

    def start(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", _SERVE, str(self.folder / "appliance.toml")]
        log = (self.folder / "admin.log").open("ab")
        with log:
            self.process = subprocess.Popen(words, env=environ, stdout=log, stderr=log)
        end = clock.monotonic() + SECONDS
        while not self._answers():
            assert clock.monotonic() < end and self.process.poll() is None, (self.folder / "admin.log").read_text()
            clock.sleep(0.02)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with suppress(OSError):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        return False

    def await_worker(self) -> None:
        """Wait until the admin process is listed."""
        end = clock.monotonic() + SECONDS
        with self.opened():
            while not processes.list_processes():
                assert clock.monotonic() < end
                clock.sleep(0.02)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(SECONDS)


Make = Callable[..., Installation]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Told]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "SSH_CONNECTION", "SSH_CLIENT"):
        monkeypatch.delenv(name, raising=False)

    def run(line: str, words: tuple[str, ...] = (), environ: dict[str, str] | None = None) -> Told:
        with monkeypatch.context() as patch:
            for name in ("APPLIANCE_API", "APPLIANCE_TOKEN", "APPLIANCE_CONFIG"):
                patch.delenv(name, raising=False)
            for name, value in (environ or {}).items():
                patch.setenv(name, value)
            status = 0
            try:
                ApplianceProgram(name="appliance").run(["appliance", *line.split(), *words])
            except SystemExit as leaving:
                status = leaving.code if isinstance(leaving.code, int) else 1
        out, error = capsys.readouterr()
        return Told(out, error, status)

    return run


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path, run: Callable[..., Told]) -> Iterator[Make]:
    """Return a function that makes an installation with these sites, and starts its admin process."""
    made: list[Installation] = []

    def make(*sites: str, url: str = "") -> Installation:
        folder, port = tmp_path / f"installation{len(made)}", free_port()
        for name in ("front1", *(f"notes-{site}" for site in sites or ("blog",))):
            (folder / name).mkdir(parents=True)
        server: Any = request.getfixturevalue("postgres") if request.param == "postgresql" else None
        database = server.fresh() if server else f"{folder}/appliance.db"
        text = SETTINGS.format(folder=folder, port=port, database=database)
        text = text.replace(f"https://127.0.0.1:{port}/", url or f"https://127.0.0.1:{port}/")
        text = text.replace("[[targets]]", "".join(SITE.format(name=site, folder=folder) for site in sites or ("blog",))
                            + "[[targets]]")  # fmt: skip
        (folder / "appliance.toml").write_text(text, "utf-8")
        one = Installation(folder, port, run)
        one.token = one.make_token("ada", everywhere="admin")
        made.append(one)
        one.start()
        return one

    yield make
    for one in made:
        one.end()
