"""Writing the YAML of an export: readable, deterministic, and read back as the same values."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

import yaml

from appliance import clock

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_WIDTH = 1 << 20


class _BlockDumper(_Base):  # type: ignore[misc]
    """Writes strings of several lines as literal blocks."""


def _represent_string(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_BlockDumper.add_representer(str, _represent_string)


def dump_yaml(value: Any) -> str:
    """`value` as YAML, with keys in their order."""
    readable = _dump(value, _BlockDumper)
    if "|" in readable and yaml.load(readable, Loader=_Loader) != value:  # noqa: S506 - a safe loader
        return _dump(value, _Base)  # a literal block cannot hold some spaces and line ends
    return readable


def render_document(meta: dict[str, Any], text: str) -> str:
    """A file with front matter and `text`, which follows unchanged."""
    return f"---\n{dump_yaml(meta)}---\n{text}"


def local_datetime(timestamp: int, zone: tzinfo) -> datetime:
    """A time in `zone`, or in UTC if the offset of that zone is not a whole number of minutes, as YAML requires."""
    local = clock.to_datetime(timestamp, zone)
    offset = local.utcoffset()
    return clock.to_datetime(timestamp) if offset is None or offset.total_seconds() % 60 else local


def _dump(value: Any, dumper: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=_LINE_WIDTH
    )
    # PyYAML ends a document with "..." after a block that keeps its line ends; "---" ends the front matter instead.
    return text[:-4] if text.endswith("\n...\n") else text
