"""Devices as people know them: the browser and the system, as far as a User-Agent says.

What browsers send is long, and most of it names other browsers. It serves to recognise one's own sessions, no more.
"""

from __future__ import annotations

from typing import Final

#: What a User-Agent holds, and what it then comes from. The first that fits counts: most name their ancestors too.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_LONGEST: Final = 60


def device_of(agent: str) -> str:
    """Return the browser and the system that a User-Agent names, such as “Firefox on Linux”."""
    browser = _first(_BROWSERS, agent)
    system = _first(_SYSTEMS, agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or agent[:_LONGEST] or "Unknown device"


def _first(known: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for mark, name in known if mark in agent), "")
