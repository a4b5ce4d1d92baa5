"""Sending one mail over SMTP.

No password and no mail is sent unencrypted when the settings ask for encryption. The error says whether a retry can
help: 5xx replies are permanent (`MailRefused`), everything else is temporary (`MailError`).
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage

from appliance.config import MailSettings
from appliance.errors import MailError, MailRefused

_HOST_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}")


def send_message(settings: MailSettings, message: EmailMessage, to: str, host_name: str) -> None:
    """Send `message` to the address `to`; returns as soon as the server has accepted it.

    Args:
        settings: the server and how to connect to it.
        message: the mail.
        to: the address of the recipient.
        host_name: the name of this host in the SMTP greeting.

    Raises:
        MailRefused: the server refuses the mail permanently, or lacks a feature that the settings require.
        MailError: the server cannot be reached or defers the mail.
    """
    server_address = "{}:{}".format(*settings.server)
    try:
        with _connected(settings, host_name) as server:
            server.send_message(message, settings.sender, [to])
    except smtplib.SMTPRecipientsRefused as error:
        code, reply = next(iter(error.recipients.values()))
        raise _error_for_reply(server_address, code, reply) from error
    except smtplib.SMTPResponseException as error:
        raise _error_for_reply(server_address, error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailRefused(
            f"{server_address} lacks a feature that [mail] in the settings requires ({error}); correct the settings"
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(
            f"{server_address} cannot be used: {error}; check that the server runs and that [mail] names it"
        ) from error


@contextmanager
def _connected(settings: MailSettings, host_name: str) -> Iterator[smtplib.SMTP]:
    # Given explicitly, because smtplib would look the name up and might wait for a name server.
    hello = host_name if _HOST_NAME.fullmatch(host_name) else "localhost"
    host, port = settings.server
    if settings.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, hello, timeout=settings.timeout, context=_context(settings))
    else:
        server = smtplib.SMTP(host, port, hello, timeout=settings.timeout)
    try:
        if settings.security == "starttls":
            server.starttls(context=_context(settings))
        if settings.user:
            server.login(settings.user, _password(settings))
        yield server
        # The reply is not awaited: the mail is accepted, and the end of the job should be committed at once.
        with suppress(smtplib.SMTPException, OSError):
            server.putcmd("quit")
    finally:
        server.close()


def _context(settings: MailSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)


def _password(settings: MailSettings) -> str:
    file = settings.password_file
    lines = file.read_text("utf-8").splitlines() if file else []
    if not lines:
        raise MailError(f"{file} contains no password; write it on the first line")
    if not lines[0].isascii():
        raise MailRefused(f"{file} contains characters that are not ASCII and cannot be sent; choose another password")
    return lines[0]


def _error_for_reply(server: str, code: int, reply: bytes | str) -> MailError:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    sentence = f"{server} answered {code} {' '.join(text.split())}"
    if code >= 500:
        return MailRefused(f"{sentence}; fix that, then retry the job")
    return MailError(f"{sentence}; the mail will be retried")
