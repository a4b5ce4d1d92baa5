"""Handing one mail to the SMTP server.

Guarantees that no password and no mail travels unencrypted when the settings ask for encryption, and that an error
says whether trying again can help: 5xx answers are for good, everything else may pass.
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


def deliver(settings: MailSettings, message: EmailMessage, to: str, host_name: str) -> None:
    """Send `message` to the address `to`; returns as soon as the server has taken it.

    Args:
        settings: which server, and how to reach it.
        message: what to send.
        to: the one address it goes to.
        host_name: what this host calls itself to the server.

    Raises:
        MailRefused: the server refuses it for good, or cannot do what the settings ask for.
        MailError: the server cannot be reached, or says to try later.
    """
    where = "{}:{}".format(*settings.server)
    try:
        with _connected(settings, host_name) as server:
            server.send_message(message, settings.sender, [to])
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _answered(where, code, said) from error
    except smtplib.SMTPResponseException as error:
        raise _answered(where, error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailRefused(f"{where} cannot do what is asked of it ({error}); correct [mail] in the settings") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(f"{where} cannot be used: {error}; look whether it runs and [mail] names it") from error


@contextmanager
def _connected(settings: MailSettings, host_name: str) -> Iterator[smtplib.SMTP]:
    # Its own way to find this host's name may wait for a name server.
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
        # Its answer is not awaited: the mail is taken, and the job's end is to be committed at once.
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
        raise MailError(f"{file} holds no password; write it in the first line")
    if not lines[0].isascii():
        raise MailRefused(f"{file} has other characters than ASCII, which cannot be sent; choose another password")
    return lines[0]


def _answered(where: str, code: int, said: bytes | str) -> MailError:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    sentence = f"{where} answered {code} {' '.join(words.split())}"
    if code >= 500:
        return MailRefused(f"{sentence}; mend that, then try the job again")
    return MailError(f"{sentence}; it is tried again")
