"""Types of settings. An invalid value is rejected with a sentence that says what to write instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

_DATABASE_URL = re.compile(r"postgres(?:ql)?://")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_URL = re.compile(r"https?://[^/\s?#]+(/[^\s?#]*)?")
_LISTENER = re.compile(r"\d{1,3}(\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]|localhost")
_SSH_OPTION = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)\S.*")
#: Neither user nor host may begin with -, since ssh would read the address as an option.
ADDRESS = re.compile(r"(?P<host>(?:\w[\w.+-]*@)?(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|\w[\w.-]*))(?::(?P<path>.*))?")

#: Folders that cannot be a docroot, and trees in which no folder can be one.
# fmt: off
_SYSTEM_FOLDERS = frozenset((
    "/", "/dev", "/dev/shm", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp",  # noqa: S108
    "/usr", "/usr/local", "/usr/share", "/var", "/var/lib", "/var/log",
))
_SYSTEM_TREES = (
    "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys",
    "/usr/bin", "/usr/lib", "/usr/sbin",
)
# fmt: on


def absolute_path(path: Path) -> Path:
    """Return `path` if it is absolute and without `..`.

    Raises:
        ValueError: with a sentence that says what to write instead.
    """
    if not path.is_absolute():
        raise ValueError(f"“{path}” is relative; write the absolute path, beginning with /")
    if ".." in path.parts:
        raise ValueError(f"“{path}” contains ..; write the path without it")
    if not str(path).isprintable():
        raise ValueError(f"{str(path)!r} contains a character that cannot be printed; write the path without it")
    return Path("/", *path.parts[1:])


def _not_a_system_folder(path: Path) -> Path:
    trees = [tree for tree in _SYSTEM_TREES if path.is_relative_to(tree)]
    if trees or str(path) in _SYSTEM_FOLDERS:
        raise ValueError(f"“{path}” is a system folder; name a folder made for the site, such as /srv/www")
    return path


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"“{value}” is not a name; use up to 63 of a-z, 0-9, - and _, beginning with a-z or 0-9")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"“{value}” is not a time zone; use a name such as Europe/Berlin or UTC") from error
    return value


def _site_url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"“{value}” is not a site address; write it like https://www.example.org/")
    return value.rstrip("/") + "/"


def _database(value: str) -> str:
    if "://" in value and not _DATABASE_URL.match(value):
        raise ValueError(f"“{value}” is not a database; name a file, or write postgresql://user@host/name")
    if not value or not value.isprintable():
        raise ValueError("the database is missing; name a file, or write postgresql://user@host/name")
    return value


def _folder(value: str) -> str:
    trimmed = value.strip("/")
    segments = trimmed.split("/") if trimmed else []
    wrong = any(s.startswith(".") or "\\" in s or not s for s in segments)
    if value.startswith("/") or wrong or not value.isprintable():
        raise ValueError(f"“{value}” is not a folder below the docroot; write it like blog or news/local")
    return trimmed


def _listener(value: str) -> str:
    host, _, port = value.rpartition(":")
    whole = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if value and not (_LISTENER.fullmatch(host) and whole):
        raise ValueError(
            f"“{value}” is not an address to listen on; write an address of this host and a port: 127.0.0.1:9187"
        )
    return value


def _address(value: str) -> str:
    local = value.startswith("/")
    match = ADDRESS.fullmatch(value)
    if not local and not match:
        raise ValueError(
            f"“{value}” is not a target; write user@host:/srv/www, an alias from ssh's configuration or /srv/www"
        )
    path = value if local else match["path"] if match else None
    if path is None:
        return value
    if not path.startswith("/"):
        raise ValueError(f"“{value}” has a relative path; write the absolute one, like user@host:/srv/www")
    _not_a_system_folder(absolute_path(Path(path)))
    return value


def _ssh_option(value: str) -> str:
    found = _SSH_OPTION.fullmatch(value)
    if not found or not value.isprintable():
        raise ValueError(f"“{value}” is not an ssh option; write it like ProxyJump=gate")
    keyword = found[1].lower()
    if keyword in ("host", "match"):
        raise ValueError(f"“{value}” begins the settings of other hosts; put those into ~/.ssh/config")
    if keyword in ("remotecommand", "sessiontype", "stdinnull", "forkafterauthentication"):
        raise ValueError(f"“{value}” would prevent rsync from running there; remove it")
    return value


#: A path as written in the file.
AnyPath = Annotated[Path, Field(strict=False)]
AbsolutePath = Annotated[AnyPath, AfterValidator(absolute_path)]
Docroot = Annotated[AbsolutePath, AfterValidator(_not_a_system_folder)]
Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str, AfterValidator(_zone)]
SiteUrl = Annotated[str, AfterValidator(_site_url)]
Folder = Annotated[str, AfterValidator(_folder)]
Database = Annotated[str, AfterValidator(_database)]
Address = Annotated[str, AfterValidator(_address)]
SshOption = Annotated[str, AfterValidator(_ssh_option)]
#: An address of this host and a port, or empty.
Listener = Annotated[str, AfterValidator(_listener)]
