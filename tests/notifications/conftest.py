"""Real SMTP servers on loopback, with and without encryption and accounts."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from appliance import db
from appliance.config import Config, MailSettings, validate
from appliance.content import sites
from appliance.content.models import Author, Site
from appliance.demo.frontend import free_port


class Server:
    """An SMTP server; `answers` are given in place of 250, one after the other, by command."""

    def __init__(self, **how: Any) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.answers: dict[str, list[str]] = {}
        self.signed_in: list[str] = []
        self.port = free_port()
        self.controller = Controller(self, "127.0.0.1", self.port, **how)

    def _answer(self, command: str, usual: str) -> str:
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else usual

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return self._answer("MAIL", "250 OK")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        answer = self._answer("RCPT", "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self._answer("DATA", "250 taken")
        if answer.startswith("250"):
            self.raw.append(envelope.original_content)
            found = message_from_bytes(envelope.original_content, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.mails.append(found)
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(b"blog", b"opensesame")
        if right:
            self.signed_in.append("blog")
        return AuthResult(success=right, handled=False)

    def settings(self, **more: Any) -> MailSettings:
        """How this server is reached."""
        plain = {"host": "localhost", "port": self.port, "security": "none", "sender": "blog@blog.example"}
        return MailSettings(**{**plain, "timeout": 5.0, **more})


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(**how: Any) -> Server:
            server = Server(**how)
            server.controller.start()
            stack.callback(server.controller.stop)
            return server

        yield start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody has signed, with its key in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    return folder


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """A server's side of TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def installed(database: Config, server: Server) -> Config:
    """The installation on each database, with mail and a web process."""
    raw = database.model_dump(exclude={"path"}) | {"mail": server.settings().model_dump(), "host": "here"}
    raw["web"] = raw["web"] | {"path": "/-/"}
    config = validate(raw, database.path)
    sites.sync(config)
    with db.write():
        for name, address in (("Ada", "ada@a.example"), ("Bob", "bob@b.example"), ("Cy", "")):
            Author.create(site=Site.get(), name=name, slug=name.lower(), email=address)
    return config
