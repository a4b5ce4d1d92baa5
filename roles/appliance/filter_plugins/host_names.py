"""Host names as browsers send them, which is how nginx compares them.

A browser asks for `bücher.example` by its A-label, `xn--bcher-kva.example`, in lower case and without a dot at the end,
and for an IPv6 address in brackets and in its shortest form. How names with other than ASCII letters become A-labels is
what browsers do (UTS 46, non-transitional: ß stays ß) and not what Python's own codec does (IDNA 2003: ß becomes ss),
which would have the site served under a name that nobody asks for. That is the package `idna`, which a controller
needs for such names alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible.errors import AnsibleFilterError

try:
    import idna
except ImportError:  # only names of other letters need it
    idna = None

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def appliance_host(value: str) -> str:
    """The host name of an address such as `https://www.example.org/`, or of a bare name, as browsers send it.

    Raises:
        AnsibleFilterError: in a sentence, where it is no name that anybody could ask for.
    """
    try:
        return _host(str(value))
    except ValueError as error:
        raise AnsibleFilterError(f"“{value}” {error}") from error


def appliance_host_fault(value: str) -> str:
    """What is wrong with a host name, as the end of a sentence; empty when nothing is."""
    try:
        _host(str(value))
    except ValueError as error:
        return str(error)
    return ""


def appliance_by_host(given: Iterable[Mapping[str, Any]], key: str) -> dict[str, list[Mapping[str, Any]]]:
    """What is given, such as sites, by the host names in `key`; the first of each name first.

    Raises:
        AnsibleFilterError: in a sentence, where one is no host name.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in given:
        found.setdefault(appliance_host(one[key]), []).append(one)
    return found


def appliance_origin(value: str) -> str:
    """The origin of an address, such as `https://www.example.org`, as a header may have it.

    Raises:
        AnsibleFilterError: in a sentence, where its host name is none.
    """
    parts = urlsplit(str(value))
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise AnsibleFilterError(f"“{value}” has a port that is none; write a number up to 65535") from error
    return f"{parts.scheme.lower()}://{appliance_host(value)}{port}"


def _host(value: str) -> str:
    try:
        name = urlsplit(value).hostname or "" if "://" in value else value
    except ValueError as error:
        raise ValueError(f"has no host name that can be read ({error})") from error
    if ":" in name:
        return f"[{_address(name.strip('[]'), ipaddress.IPv6Address)}]"
    name = name.removesuffix(".").lower() if name.isascii() else _encoded(name.removesuffix("."))
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _address(name, ipaddress.IPv4Address)
    if len(name) > 253:
        raise ValueError("has a host name of more than 253 letters")
    for label in labels:
        _check(label)
    return name


def _address(name: str, kind: Callable[[str], ipaddress.IPv4Address | ipaddress.IPv6Address]) -> str:
    try:
        address = kind(name)
    except ValueError as error:
        raise ValueError(f"has a host that looks like an address and is none ({error})") from error
    if "%" in str(address):
        raise ValueError("has an address with a zone, which nobody else can ask for")
    return str(address)


def _encoded(name: str) -> str:
    if idna is None:
        raise ValueError(
            "has a host name of other than ASCII letters, which this machine cannot turn into the name that browsers "
            "send; install the Python package idna beside Ansible, or write the name that begins with xn--"
        )
    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii").removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError(f"has a host name that browsers cannot ask for ({error})") from error


def _check(label: str) -> None:
    if not label:
        raise ValueError("has a host name with a part that is empty")
    if len(label) > 63:
        raise ValueError(f"has a host name with a part of more than 63 letters, “{label}”")
    if not _LABEL.fullmatch(label):
        raise ValueError(f"has a host name with the part “{label}”; use letters, digits and, within it, hyphens")
    if label.startswith("xn--"):
        try:
            decoded = label.removeprefix("xn--").encode("ascii").decode("punycode")
        except (UnicodeError, ValueError, OverflowError) as error:
            raise ValueError(f"has a host name with the part “{label}”, which stands for no letters") from error
        if decoded.isascii() or not decoded.isprintable():
            raise ValueError(f"has a host name with the part “{label}”, which stands for no letters of a name")


class FilterModule:
    """The filters, by the names that tasks and templates use."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Every filter of this file."""
        return {
            "appliance_by_host": appliance_by_host,
            "appliance_host": appliance_host,
            "appliance_host_fault": appliance_host_fault,
            "appliance_origin": appliance_origin,
        }
