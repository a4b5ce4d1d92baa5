"""`--api URL`: commands that act on an installation elsewhere, by its API.

A command asks for its verbs (see `verbs`) and does not know where they act. Those without such verbs are refused, so
that none acts on this host although another was meant.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from appliance.errors import ApiError

#: The variable that has the address, where the command line has none.
API: Final = "APPLIANCE_API"
_OPTION: Final = "--api"

#: The commands that work by an API.
SUPPORTED: Final = {
    "content.add",
    "content.edit",
    "content.show",
    "content.list",
    "content.delete",
    "content.comment",
    "content.comments",
    "content.edit-comment",
    "content.moderate",
    "content.upload",
    "content.assets",
    "content.move-asset",
    "content.remove-asset",
    "content.sources",
    "content.terms",
    "content.rename",
    "content.merge",
    "content.delete-term",
    "comments.approve",
    "comments.hold",
    "comments.spam",
    "comments.delete",
    "comments.undo",
    "comments.ban",
    "comments.unban",
    "comments.bans",
    "comments.erase",
    "jobs.list",
    "jobs.show",
    "jobs.retry",
    "jobs.delete",
    "jobs.prioritise",
    "targets.list",
    "pages.where",
    "targets.pause",
    "targets.resume",
    "targets.resync",
    "processes.list",
    "processes.pause",
    "processes.resume",
    "processes.recycle",
    "periodic",
    "status",
    "publish",
    "content.pull",
    "audit.list",
    "audit.show",
    "audit.export",
    "previews.share",
    "previews.list",
    "previews.revoke",
    "tokens.add",
    "tokens.list",
    "tokens.revoke",
    "users.add",
    "users.list",
    "users.show",
    "users.edit",
    "users.role",
    "users.disable",
    "users.enable",
    "users.reset",
    "users.sessions",
}
#: Commands that are about files, processes or secrets of one host, and so make no sense by an API.
_OF_A_HOST: Final = {
    "admin", "audit.verify", "content.export", "content.import", "demo", "docroot", "drain", "preview", "serve",
    "site", "targets.forget", "why", "work",
}  # fmt: skip


def take_option(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the value of --api, None without it, and the other words of a command line.

    Raises:
        ApiError: it has no value, or is given together with --inventory.
    """
    end = words.index("--") if "--" in words else len(words)
    address, others, remaining = None, list[str](), iter(words[:end])
    for word in remaining:
        option, sign, value = word.partition("=")
        if option != _OPTION:
            others.append(word)
            continue
        address = value if sign else next(remaining, "")
        if not address or address.startswith("-"):
            raise ApiError("--api has no value; give the address of the admin application, as in: --api https://….")
    if address is not None and any(word.partition("=")[0] == "--inventory" for word in others):
        raise ApiError("--api and --inventory both say where to run the command; give one of them.")
    return address, [*others, *words[end:]]


#: What --api of the command line says. It is no variable, since programs that a command starts would inherit that.
_chosen: list[str | None] = [None]


def choose(address: str | None) -> None:
    """Have the commands of this command line act by the API at an address; None for what the variable says."""
    _chosen[0] = address


def address(environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of the API that commands act by; empty if they act on this host."""
    return _chosen[0] or environ.get(API, "")


def check_command(name: str) -> None:
    """Refuse a command that does not work by an API, if there is one to act by.

    Raises:
        ApiError: it does not.
    """
    if address() and name not in SUPPORTED:
        raise ApiError(refusal(name))


def refusal(name: str) -> str:
    """Return why a command does not work by an API, and what to do."""
    of_host = name in _OF_A_HOST or name.partition(".")[0] in _OF_A_HOST
    why = "is about one host" if of_host else "is not among the commands that work by an API"
    return f"{name} {why}; run it on a publishing host without --api and {API}, or from the controller."
