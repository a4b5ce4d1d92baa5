"""The spam check of a service that speaks Akismet's protocol (https://akismet.com/developers/detailed-docs/).

`comment-check` answers `true` for spam and `false` for ham; its header `X-akismet-pro-tip: discard` marks spam that
nobody needs to look at. `submit-spam` and `submit-ham` report what a person decided differently. What a reader wrote
goes to the service with the reader's IP address, so a site that chooses it has to tell its readers.
"""

from __future__ import annotations

import http.client
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from appliance import __version__, clock
from appliance.errors import SpamCheckError, SpamCheckRefused
from appliance.spam.base import Candidate, Opinion

#: Seconds for each step of a request, and for all of it.
TIMEOUT: Final = 10.0
_WHOLE: Final = 30.0
#: Bytes of an answer that are read; answers have a few words.
_ANSWER: Final = 4096

_KEY: Final = re.compile(r"[A-Za-z0-9]{6,64}")
_THANKS: Final = "Thanks for making the web a better place."


class Akismet:
    """Asks the service."""

    is_remote = True

    def __init__(self, url: str, key_file: Path, timeout: float = TIMEOUT) -> None:
        self._url, self._key_file, self._timeout = urlsplit(url), key_file, timeout

    def judge(self, candidate: Candidate) -> Opinion:
        """Ask whether a comment is spam."""
        answer, headers = self._post("comment-check", candidate)
        if answer == "false":
            return Opinion("ham")
        if answer == "true":
            certain = headers.get("X-akismet-pro-tip", "").strip().lower() == "discard"
            return Opinion("certain" if certain else "spam", "Akismet takes it for spam")
        raise self._refusal(answer, headers)

    def report(self, candidate: Candidate, *, is_spam: bool) -> None:
        """Submit a comment as spam or as ham."""
        answer, headers = self._post("submit-spam" if is_spam else "submit-ham", candidate)
        if answer != _THANKS:
            raise self._refusal(answer, headers)

    def _post(self, call: str, candidate: Candidate) -> tuple[str, http.client.HTTPMessage]:
        """Post a request, and return the text and the headers of the answer."""
        body = urlencode({"api_key": self._key(), **_parameters(candidate)}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "User-Agent": f"appliance/{__version__}",
        }
        make = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = make(self._url.hostname or "", self._url.port, timeout=self._timeout)
        try:
            connection.request("POST", f"{self._url.path.rstrip('/')}/1.1/{call}", body, headers)
            response = connection.getresponse()
            answer = self._read(response)
        except (http.client.HTTPException, OSError) as error:
            raise SpamCheckError(f"{self._name}: {error}; check that it can be reached from this host") from error
        finally:
            connection.close()
        if response.status != 200:
            raise SpamCheckError(f"{self._name} answered {response.status} {response.reason}; it is asked again")
        return answer, response.headers

    def _read(self, response: http.client.HTTPResponse) -> str:
        """Read a short answer, even if it comes byte by byte."""
        end, parts = clock.monotonic() + _WHOLE, b""
        while len(parts) < _ANSWER and (part := response.read1(_ANSWER)):
            parts += part
            if clock.monotonic() > end:
                raise TimeoutError("the answer takes too long")
        return parts.decode("utf-8", "replace").strip()

    def _key(self) -> str:
        try:
            lines = self._key_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SpamCheckRefused(f"the key of {self._name} cannot be read: {error}; mend the file") from error
        if not lines or not _KEY.fullmatch(lines[0].strip()):
            raise SpamCheckRefused(f"{self._key_file} holds no key of {self._name}; write it on the first line")
        return lines[0].strip()

    @property
    def _name(self) -> str:
        return f"the spam check at {self._url.hostname}"

    def _refusal(self, answer: str, headers: http.client.HTTPMessage) -> SpamCheckError:
        """The error for an answer that is none."""
        said = headers.get("X-akismet-debug-help") or headers.get("X-akismet-alert-msg") or answer[:100]
        sentence = f"{self._name} does not judge: {' '.join(said.split()) or 'an empty answer'}"
        return SpamCheckRefused(f"{sentence}; check the key and the address of the site, then retry the job")


def _parameters(candidate: Candidate) -> dict[str, str]:
    """What the protocol tells of a comment. Values that are not known are left out."""
    values = {
        "blog": candidate.site,
        "user_ip": candidate.address,
        "user_agent": candidate.user_agent,
        "referrer": candidate.referrer,
        "permalink": candidate.page,
        "comment_type": "reply" if candidate.is_reply else "comment",
        "comment_author": candidate.author,
        "comment_author_email": candidate.email,
        "comment_author_url": candidate.website,
        "comment_content": candidate.text,
        "comment_date_gmt": datetime.fromtimestamp(candidate.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "blog_lang": candidate.language.replace("-", "_").lower(),
        "blog_charset": "UTF-8",
    }
    return {name: value for name, value in values.items() if value}
