"""YAML as the export writes it: the same for the same values, readable, and read back as what it was."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

import yaml

from appliance import clock

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WIDE = 1 << 20


class _Blocks(_Base):  # type: ignore[misc]
    """Writes texts of several lines as such."""


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Blocks.add_representer(str, _text)


def dumped(value: Any) -> str:
    """`value` as YAML, keys in their order."""
    readable = _dump(value, _Blocks)
    if "|" in readable and yaml.load(readable, Loader=_Loader) != value:  # noqa: S506 - a safe loader
        return _dump(value, _Base)  # a text whose spaces or line ends a block does not hold
    return readable


def document(meta: dict[str, Any], text: str) -> str:
    """A file with front matter; the text follows byte for byte."""
    return f"---\n{dumped(meta)}---\n{text}"


def moment(seconds: int, zone: tzinfo) -> datetime:
    """A moment as it is written: in the zone of the site, or UTC where that zone's offset is no whole minute."""
    local = clock.local(seconds, zone)
    offset = local.utcoffset()
    return clock.local(seconds) if offset is None or offset.total_seconds() % 60 else local


def _dump(value: Any, dumper: Any) -> str:
    made: str = yaml.dump(
        value, Dumper=dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=_WIDE
    )
    # After a text whose last line ends are kept, a mark that the document is over; here the front matter's end is one.
    return made[:-4] if made.endswith("\n...\n") else made
