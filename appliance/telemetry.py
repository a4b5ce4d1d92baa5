"""What processes say while they work: events with named values, one line each.

Guarantees that an event stays one line whatever its values hold (a comment cannot forge one),
that a line is written at once and whole, so that several processes can share a stream, and that times are not
doubled where systemd's journal adds its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from appliance import clock

#: Syslog's numbers, by which the journal tells an error from a remark.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_DEBUG, _INFO = 10, 20


def configure(
    verbose: bool = False,
    stream: TextIO | None = None,
    *,
    json_lines: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Say where events go and how they look; may be called again; forked children inherit it.

    Args:
        verbose: tell debug events as well.
        stream: where to write, standard error by default.
        json_lines: one JSON object a line for programs, rather than lines for people.
        environ: tells whether `stream` is the journal, by JOURNAL_STREAM.
    """
    out = stream or sys.stderr
    journal = _is_journal(out, environ)
    shape: list[Processor] = [structlog.processors.format_exc_info]
    if json_lines:
        shape += [_stamped, structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]
    else:
        shape += [_journal_line] if journal else [_stamped, _line]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *shape],
        wrapper_class=structlog.make_filtering_bound_logger(_DEBUG if verbose else _INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream or cast(TextIO, _StandardError())),
        cache_logger_on_first_use=False,
    )


class _StandardError:
    """Standard error as it is when something is written; what cannot be told must stop nobody's work."""

    def write(self, text: str) -> None:
        """Write, unless there is nowhere to."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush, unless there is nothing to."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def logger(name: str) -> FilteringBoundLogger:
    """The logger of one part, for `logger("courier").warning("front1 does not answer", tries=3)`."""
    made: FilteringBoundLogger = structlog.get_logger(part=name)
    return made


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _stamped(_logger: Any, _method: str, event: EventDict) -> EventDict:
    now = clock.local(clock.now())
    return {"time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **event}


def _line(_logger: Any, _method: str, event: EventDict) -> str:
    time = event.pop("time")
    return f"{time} {event['level']:<7} {_said(event)}"


def _journal_line(_logger: Any, _method: str, event: EventDict) -> str:
    return f"<{_PRIORITIES.get(event['level'], 6)}>{_said(event)}"


def _said(event: EventDict) -> str:
    """`part: what happened key=value …`; only a traceback follows on lines of its own, indented."""
    values = dict(event)
    values.pop("level")
    name, what, trace = values.pop("part", ""), values.pop("event"), values.pop("exception", "")
    words = [f"{name}:"] if name else []
    words += [_printable(str(what)), *(f"{key}={_value(value)}" for key, value in values.items())]
    return " ".join(words) + "".join(f"\n    {_printable(line)}" for line in str(trace).splitlines())


def _value(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    plain = text and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
