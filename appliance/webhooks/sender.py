"""One request to a webhook: resolved once, signed, within a time, without proxies and redirects.

What it raises says whether another attempt can help. A webhook is another party's: it can keep no connection open
longer than its time, and of its answer no more is read than a few lines.
"""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from appliance import __version__, clock
from appliance.config import WebhookSettings
from appliance.errors import WebhookError, WebhookRefused
from appliance.webhooks import signature
from appliance.webhooks.addresses import Resolve, checked_addresses, resolve

#: Bytes of an answer that are read.
_ANSWER: Final = 4096
#: The longest time that an answer may ask to be left alone, in seconds.
_LONGEST_REST: Final = 3600.0
#: Refusals that pass by themselves.
_FOR_NOW: Final = (408, 425, 429)
#: The answer of a webhook that wants no more events.
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request that was taken."""

    status: int
    seconds: float


class Sender:
    """Sends requests to webhooks. `lookup` resolves names; tests give their own."""

    def __init__(self, lookup: Resolve = resolve) -> None:
        self._lookup = lookup

    def post(self, webhook: WebhookSettings, number: str, body: bytes) -> Answer:
        """Post an event, signed at this moment.

        Raises:
            WebhookError: it was not taken, and may be later.
            WebhookRefused: it was not taken, and will not be until a person changes something.
        """
        began, at = clock.monotonic(), int(clock.now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"appliance/{__version__}",
            "webhook-id": number,
            "webhook-timestamp": str(at),
            "webhook-signature": signature.sign(signature.read_secrets(webhook.secret_file), number, at, body),
        }
        status, reason, answered = self._exchange(webhook, headers, body)
        if 200 <= status < 300:
            return Answer(status, clock.monotonic() - began)
        raise _refusal(webhook, status, reason, answered)

    def _exchange(
        self, webhook: WebhookSettings, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, http.client.HTTPMessage]:
        parts = urlsplit(webhook.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        addresses = checked_addresses(host, port, webhook.allow_private, self._lookup)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        end = clock.monotonic() + webhook.timeout
        try:
            with _connected(webhook, addresses, host, port, end) as connection:
                connection.request("POST", path, body, dict(headers))
                response = connection.getresponse()
                # Read, or else some servers take it for a broken connection; no longer than its beginning.
                with suppress(http.client.HTTPException, OSError):
                    response.read(_ANSWER)
                return response.status, response.reason, response.headers
        except (http.client.HTTPException, OSError) as error:
            late = clock.monotonic() >= end
            said = f"no answer within {webhook.timeout:g} s" if late else str(error) or type(error).__name__
            raise WebhookError(f"{_named(webhook)}: {said}; check that it can be reached from this host") from error


#: The sender of this process.
SENDER: Final = Sender()


@contextmanager
def _connected(
    webhook: WebhookSettings, addresses: Sequence[str], host: str, port: int, end: float
) -> Iterator[http.client.HTTPConnection]:
    """A connection to one of the addresses, which is cut when its time is over, whatever it is waiting for."""
    connection = http.client.HTTPConnection(host, port)
    plain = _open(addresses, port, end)
    # By the number, since the wrapped socket has the same: a time-out of each step would not bound their number.
    cut = threading.Timer(max(0.0, end - clock.monotonic()), _cut, [plain])
    cut.daemon = True
    cut.start()
    try:
        connection.sock = plain
        if webhook.url.startswith("https:"):
            context = ssl.create_default_context(cafile=str(webhook.ca_file) if webhook.ca_file else None)
            connection.sock = context.wrap_socket(plain.dup(), server_hostname=host)
            connection.default_port = http.client.HTTPS_PORT
        yield connection
    finally:
        cut.cancel()
        connection.close()
        plain.close()


def _open(addresses: Sequence[str], port: int, end: float) -> socket.socket:
    """Connect to the first address that answers."""
    error: OSError = TimeoutError("no time left")
    for address in addresses:
        left = end - clock.monotonic()
        if left <= 0:
            break
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(left)
            opened.connect((address, port))
        except OSError as failed:
            opened.close()
            error = failed
        else:
            return opened
    raise error


def _cut(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _refusal(webhook: WebhookSettings, status: int, reason: str, headers: http.client.HTTPMessage) -> WebhookError:
    said = f"{_named(webhook)} answered {status} {' '.join(reason.split())[:100]}".rstrip()
    if status in _FOR_NOW or status >= 500:
        return WebhookError(f"{said}; it is asked again", retry_after=_asked_rest(headers), status=status)
    if 300 <= status < 400:
        return WebhookRefused(f"{said}; redirects are not followed, so write the final address", status=status)
    if status == GONE:
        return WebhookRefused(f"{said}: it wants no more events; webhooks.enable goes on all the same", status=status)
    return WebhookRefused(f"{said}; correct the address or the secret, then retry the job", status=status)


def _asked_rest(headers: http.client.HTTPMessage) -> float | None:
    """The seconds that Retry-After asks for, within bounds; None if it says nothing that can be understood."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST_REST)
    with suppress(ValueError, TypeError, OverflowError):
        return min(max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - clock.now()), _LONGEST_REST)
    return None


def _named(webhook: WebhookSettings) -> str:
    return f"the webhook {webhook.name} at {urlsplit(webhook.url).hostname}"
