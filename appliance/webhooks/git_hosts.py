"""Requests of git hosts, and whether they are genuine: GitHub, GitLab, Gitea, Forgejo, and Standard Webhooks.

Every one of them shows that it knows a secret: by a signature over the body as it came, or, GitLab by its older way, by
the secret itself. What is told of a genuine request is only what decides about a pull.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from appliance.errors import WebhookRefused
from appliance.webhooks import signature

#: Characters that a secret must have.
_SHORTEST: Final = 16
#: The headers by which the hosts name an event, and the events that are pushes.
_EVENT_HEADERS: Final = ("X-GitHub-Event", "X-Forgejo-Event", "X-Gitea-Event", "X-Gitlab-Event")
_PUSHES: Final = frozenset({"push", "Push Hook", "System Hook"})
_BRANCH: Final = "refs/heads/"

#: Returns a header of the request, or None.
Header = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class HostRequest:
    """A genuine request."""

    #: The name of the host, for the audit.
    sender: str
    #: What tells this request from others. It is among what was signed, so that nobody else can change it.
    mark: str
    #: Whether it is about a push; a ping is not.
    is_push: bool
    #: The branch that was pushed to, and the one that the repository's HEAD names; None if the request does not say.
    branch: str | None
    default_branch: str | None

    def concerns(self, branch: str) -> bool:
        """Whether a source that follows `branch` (empty for the default one) may have changed."""
        wanted = branch or self.default_branch
        return self.is_push and (wanted is None or self.branch is None or self.branch == wanted)


def check_secrets(secrets: Sequence[str]) -> None:
    """Return if all secrets are long enough.

    Raises:
        WebhookRefused: one is too short.
    """
    if any(len(secret) < _SHORTEST for secret in secrets):
        raise WebhookRefused(f"the secret of a source's webhook is short; write one of {_SHORTEST} characters or more")


def read_request(secrets: Sequence[str], header: Header, body: bytes, now: float) -> HostRequest | None:
    """Return what a request says; None if it is not genuine.

    Args:
        secrets: the secrets, one of which the sender has to know.
        header: returns a header by its name.
        body: the body as it came.
        now: the time, in seconds since the epoch.
    """
    found = _sender(secrets, header, body, now)
    if found is None:
        return None
    sender, mark = found
    event = next((value for name in _EVENT_HEADERS if (value := header(name))), None)
    told = _parse(body)
    reference = told.get("ref")
    branch = reference.removeprefix(_BRANCH) if isinstance(reference, str) else None
    is_push = event is None or event in _PUSHES
    if isinstance(reference, str) and not reference.startswith(_BRANCH):
        is_push = False  # a tag
    return HostRequest(sender, mark, is_push, branch, _default_branch(told))


def _sender(secrets: Sequence[str], header: Header, body: bytes, now: float) -> tuple[str, str] | None:
    """Who sent a genuine request, and the mark of it."""
    digest = hashlib.sha256(body).hexdigest()
    if given := header("webhook-signature"):
        number, time = header("webhook-id") or "", header("webhook-timestamp") or ""
        is_genuine = bool(number) and signature.verify(secrets, number, time, given, body, now)
        return ("gitlab" if header("X-Gitlab-Event") else "webhook", f"id {number[:200]}") if is_genuine else None
    for name, sender in _SIGNED.items():
        if given := header(name):
            return (sender, f"body {digest}") if _fits(secrets, given.removeprefix("sha256="), body) else None
    if given := header("X-Gitlab-Token"):
        known = sum(hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets)
        return ("gitlab", f"body {digest}") if known else None
    _fits(secrets, "", body)  # so that it takes as long
    return None


#: The headers with an HMAC-SHA256 of the body in hexadecimal. Forgejo and Gitea send those of their forebears too.
_SIGNED: Final = {
    "X-Forgejo-Signature": "forgejo", "X-Gitea-Signature": "gitea", "X-Hub-Signature-256": "github",
}  # fmt: skip


def _fits(secrets: Sequence[str], given: str, body: bytes) -> bool:
    offered = given.strip().lower().encode()
    expected = [hmac.digest(secret.encode(), body, hashlib.sha256).hex().encode() for secret in secrets]
    return sum(hmac.compare_digest(offered, one) for one in expected) > 0


def _parse(body: bytes) -> Mapping[str, Any]:
    """The object in a body, which a host may have put into a form; empty if it cannot be read."""
    with suppress(ValueError, RecursionError):
        text = body.decode("utf-8")
        if not text.lstrip().startswith("{"):
            text = parse_qs(text, max_num_fields=10).get("payload", [""])[0]
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {}


def _default_branch(told: Mapping[str, Any]) -> str | None:
    for key in ("repository", "project"):
        about = told.get(key)
        found = about.get("default_branch") if isinstance(about, dict) else None
        if isinstance(found, str):
            return found
    return None
