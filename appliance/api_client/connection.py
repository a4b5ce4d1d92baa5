"""Requests to an API, with their repetitions and refusals.

Guarantees that a request that may have been carried out is sent again only with the same Idempotency-Key, under which
the other side carries it out once, and that no answer of another host is believed: redirects are refused.
"""

from __future__ import annotations

import json
import os
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

import appliance
from appliance import clock
from appliance.api_client.address import TOKEN, parse_address, read_token, token_file
from appliance.errors import ApiError, ApiInterrupted, ApiRefused

#: Seconds to connect, and seconds without a byte, more than the application lets a request take.
_CONNECT: Final = 10.0
_SILENT: Final = 60.0
#: Seconds between a broken connection and the next attempt.
_PAUSES: Final = (0.2, 1.0, 3.0, 6.0)
#: The most bytes of an answer.
_LARGEST: Final = 64 * 1024 * 1024
_KIND: Final = "urn:appliance:problem:"
_UNCHANGED: Final = "Appliance-Changed"

_CHUNK: Final = 1 << 16


class _Broken(Exception):  # noqa: N818 - an event
    """The connection broke; `was_sent` says whether the request may have arrived."""

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        self.was_sent = was_sent
        super().__init__(reason)


class Reply:
    """What an API answered to a request that it carried out."""

    def __init__(self, response: httpx.Response, body: bytes) -> None:
        self.changed = response.headers.get(_UNCHANGED) != "?0"
        self.value: Any = json.loads(body) if body else None


@contextmanager
def connect(address: str) -> Iterator[Connection]:
    """Open the API at an address with the token of whoever runs this; closed at the end.

    Raises:
        ApiError: the address or the token cannot be used.
    """
    base, token = parse_address(address), read_token()
    headers = {"Authorization": f"Bearer {token}", "User-Agent": f"appliance/{appliance.__version__}"}
    is_secure = base.startswith("https:")
    with httpx.Client(
        base_url=base, headers=headers, timeout=httpx.Timeout(_SILENT, connect=_CONNECT), follow_redirects=False,
        # A proxy would read what is sent to this host without TLS.
        trust_env=is_secure, verify=_trusted() if is_secure else True,
    ) as client:  # fmt: skip
        yield Connection(client, base)


def _trusted() -> ssl.SSLContext:
    """The authorities of this host, or those that SSL_CERT_FILE names."""
    file = os.environ.get("SSL_CERT_FILE")
    try:
        return ssl.create_default_context(cafile=file) if file else ssl.create_default_context()
    except (OSError, ssl.SSLError) as error:
        raise ApiError(f"SSL_CERT_FILE: {file} cannot be used ({error}); name a file of certificates.") from error


class Connection:
    """An API that is open."""

    def __init__(self, client: httpx.Client, base: str) -> None:
        self._client = client
        self._name = urlsplit(base).netloc

    def get(self, path: str, **query: Any) -> Any:
        """Return what is at a path. Values of the query that are None or empty are left out."""
        return self.ask("GET", path, query=query).value

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Send a request that does something, once however often it has to be sent."""
        return self.ask("POST", path, body=body)

    def ask(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None,
        file: Path | None = None, version: str | None = None,
    ) -> Reply:  # fmt: skip
        """Send a request, again if the connection breaks and this cannot do harm, and return the answer.

        Args:
            method: its method.
            path: below the API.
            query: its parameters.
            body: what is sent as JSON.
            file: the file whose bytes are sent in place of JSON.
            version: the version that an edit expects.

        Raises:
            ApiRefused: it was refused.
            ApiInterrupted: it may have been carried out, and nobody can tell.
            ApiError: it was not carried out.
        """
        headers: dict[str, str] = {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if method in ("POST", "PATCH"):
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if file is not None:  # the application takes no body whose length is not told first
            headers |= {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        given = {name: value for name, value in (query or {}).items() if value not in (None, "", [], ())}
        # A PUT or a DELETE has no key: it is sent again only if it cannot have arrived.
        is_repeatable = method in ("GET", "POST", "PATCH")

        def build() -> httpx.Request:
            told = None if body is None else json.dumps(body).encode()
            sent = told if file is None else _chunks_of(file)
            return self._client.build_request(method, path.lstrip("/"), params=given, headers=headers, content=sent)

        return self._repeat(build, is_repeatable)

    def _repeat(self, build: Callable[[], httpx.Request], is_repeatable: bool) -> Reply:
        broken: _Broken | None = None
        for pause in (*_PAUSES, None):
            try:
                return self._send(build())
            except _Broken as error:
                if broken is None and not error.was_sent:
                    raise ApiError(f"{self._name} cannot be reached: {error}; correct --api, or try again.") from error
                broken = error
                if not is_repeatable or pause is None:
                    break
                clock.sleep(pause)
        raise ApiInterrupted(
            f"{self._name}: the connection broke, so the result is unknown; look before you repeat it ({broken})."
        ) from broken

    def _send(self, request: httpx.Request) -> Reply:
        try:
            response = self._client.send(request, stream=True)
            try:
                body = _read(response)
            finally:
                response.close()
        except httpx.ConnectError as error:
            if (fault := _certificate_fault(error)) is not None:
                raise ApiError(
                    f"{self._name}: its certificate is not trusted here: {fault}; name a file with the certificate of"
                    " its authority in SSL_CERT_FILE, or correct --api."
                ) from error
            raise _Broken(_reason(error), was_sent=False) from error
        except (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise _Broken(_reason(error), was_sent=False) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise _Broken(_reason(error), was_sent=True) from error
        return self._judge(response, body)

    def _judge(self, response: httpx.Response, body: bytes) -> Reply:
        status, kind = response.status_code, response.headers.get("Content-Type", "").partition(";")[0]
        if 300 <= status < 400:
            where = urlsplit(response.headers.get("Location", "")).netloc or "another path"
            raise ApiError(f"{self._name} sends requests on to {where}; give the address of the admin application.")
        if status >= 400 and kind == "application/problem+json":
            self._refuse(status, json.loads(body))
        if status in (502, 503, 504):  # of a web server whose application is away
            raise _Broken(f"it answered with status {status}", was_sent=True)
        if status == 421 or status >= 400 or (body and kind != "application/json"):
            raise ApiError(
                f"{self._name} answered with status {status} and not as an API does; give the address of the admin"
                " application."
            )
        try:
            return Reply(response, body)
        except ValueError as error:
            raise _Broken("its answer is no JSON", was_sent=True) from error

    def _refuse(self, status: int, problem: Mapping[str, Any]) -> None:
        """Raise the error of a problem."""
        kind = str(problem.get("type", "")).removeprefix(_KIND)
        detail = str(problem.get("detail", "")) or f"{self._name} answered with status {status}."
        if kind == "in-progress":  # the first attempt, whose connection broke, goes on
            raise _Broken("it is still being carried out", was_sent=True)
        if status == 401:
            raise ApiError(
                f"{self._name}: the token is unknown, has ended or was revoked; make another in your account, and put"
                f" it into {TOKEN} or {token_file()}."
            )
        if status == 429:
            detail = f"{self._name}: {detail}"
        if errors := problem.get("errors"):
            detail = "; ".join(_field(error) for error in errors)
        code = problem.get("exit_status")
        exit_code = code if isinstance(code, int) else 3 if status >= 500 else 1
        raise ApiRefused(detail, kind=kind, exit_code=exit_code, status=status)


def _field(error: Mapping[str, Any]) -> str:
    place = str(error.get("pointer") or error.get("parameter") or "").strip("/")
    return f"{place}: {error.get('detail', '')}".removeprefix(": ").rstrip(".")


def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _LARGEST:
            raise ApiError(f"{response.url.host} answered with more than {_LARGEST:,} bytes; ask for less.")
    return bytes(body)


def _chunks_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _certificate_fault(error: BaseException | None) -> str | None:
    """Return what is wrong with a certificate, in the words of the library; None if that is not why."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return None


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
