"""Mail handed to real SMTP servers."""

from __future__ import annotations

import smtplib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from appliance.config import MailSettings
from appliance.errors import MailError, MailRefused
from appliance.notifications.message import Mailbox, compose
from appliance.notifications.smtp import send_message
from tests.notifications.conftest import Serve, Server

TO = "author@a.example"


def send(settings: MailSettings, to: str = TO) -> None:
    message = compose(Mailbox("Blog", settings.sender), Mailbox("Äda", to), "Hello", "Wörld\n", identity=["1"])
    send_message(settings, message, to, "pub1.blog.example")


@pytest.fixture
def secrets(tmp_path: Path, certificate: Path) -> dict[str, Any]:
    password = tmp_path / "password"
    password.write_text("opensesame\n", "utf-8")
    return {"user": "blog", "password_file": password, "ca_file": certificate / "cert.pem"}


def test_a_mail_arrives_whole(serve: Serve) -> None:
    server = serve()
    send(server.settings())
    assert server.envelopes == [("blog@blog.example", [TO])]
    assert server.mails[0].get_content().rstrip() == "Wörld"


def test_starttls_with_an_account(serve: Serve, tls: ssl.SSLContext, secrets: dict[str, Any]) -> None:
    server = _with_accounts(serve, tls)
    send(server.settings(security="starttls", **secrets))
    assert (server.signed_in, len(server.mails)) == (["blog"], 1)


def test_tls_from_the_beginning(serve: Serve, tls: ssl.SSLContext, certificate: Path) -> None:
    server = serve(ssl_context=tls)
    send(server.settings(security="tls", ca_file=certificate / "cert.pem"))
    assert len(server.mails) == 1


def test_a_certificate_nobody_trusts_is_refused(serve: Serve, tls: ssl.SSLContext) -> None:
    server = _with_accounts(serve, tls)
    with pytest.raises(MailError, match=r"(?i)certificate"):
        send(server.settings(security="starttls"))
    assert server.mails == []


def test_nothing_is_sent_in_the_clear_when_encryption_is_asked_for(serve: Serve, secrets: dict[str, Any]) -> None:
    server = serve()  # offers no STARTTLS
    with pytest.raises(MailRefused, match="STARTTLS"):
        send(server.settings(security="starttls", **secrets))
    assert (server.mails, server.signed_in) == ([], [])


def test_a_wrong_password_is_a_refusal(serve: Serve, tls: ssl.SSLContext, secrets: dict[str, Any]) -> None:
    server = _with_accounts(serve, tls)
    secrets["password_file"].write_text("guessed\n", "utf-8")
    with pytest.raises(MailRefused, match="535"):
        send(server.settings(security="starttls", **secrets))


def test_a_password_that_smtp_cannot_send(serve: Serve, tls: ssl.SSLContext, secrets: dict[str, Any]) -> None:
    server = _with_accounts(serve, tls)
    secrets["password_file"].write_text("schlüssel\n", "utf-8")
    with pytest.raises(MailRefused, match="not ASCII"):
        send(server.settings(security="starttls", **secrets))


def test_a_missing_password_file_is_an_error(serve: Serve, tls: ssl.SSLContext, secrets: dict[str, Any]) -> None:
    server = _with_accounts(serve, tls)
    secrets["password_file"].unlink()
    with pytest.raises(MailError, match="password"):
        send(server.settings(security="starttls", **secrets))


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("answer", "kind"), [("550 5.1.1 nobody here", MailRefused), ("451 later", MailError)])
def test_replies_from_500_are_permanent_and_others_temporary(
    serve: Serve, command: str, answer: str, kind: type[MailError]
) -> None:
    server = serve()
    server.answers[command] = [answer]
    with pytest.raises(MailError, match=answer[:3]) as caught:
        send(server.settings())
    assert type(caught.value) is kind
    assert server.mails == []


def test_a_server_that_is_down_or_silent_is_a_temporary_error() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        settings = MailSettings(
            host="127.0.0.1", port=mute.getsockname()[1], security="none", sender="b@b.example", timeout=0.2
        )
        with pytest.raises(MailError) as refused:
            send(settings)
        mute.listen()
        with pytest.raises(MailError) as silent:
            send(settings)
    assert {type(refused.value), type(silent.value)} == {MailError}


def test_a_failed_quit_is_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a mail that was taken would be sent once more."""
    server = serve()

    def broken(_self: object, _command: str, _arguments: str = "") -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    real = smtplib.SMTP.putcmd
    monkeypatch.setattr(
        smtplib.SMTP, "putcmd", lambda self, cmd, args="": (broken if cmd == "quit" else real)(self, cmd, args)
    )
    send(server.settings())
    assert len(server.mails) == 1


def test_an_address_in_unicode_needs_a_server_that_knows_it(serve: Serve) -> None:
    with pytest.raises(MailRefused, match="lacks a feature"):
        send(serve(enable_SMTPUTF8=False).settings(), "jörg@a.example")
    server = serve(enable_SMTPUTF8=True)
    send(server.settings(), "jörg@a.example")
    assert server.envelopes[0][1] == ["jörg@a.example"]


def _with_accounts(serve: Serve, tls: ssl.SSLContext) -> Server:
    made: list[Server] = []
    made.append(
        serve(
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=lambda *arguments: made[0].authenticate(*arguments),
        )
    )
    return made[0]
