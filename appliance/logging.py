"""Log events of the processes: a message with named values, one line each.

An event stays one line whatever its values contain, so a comment cannot forge one. A line is written at once and whole,
so several processes can share a stream. Times are left out where systemd's journal adds its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO, cast

from appliance import clock
from appliance.terminal_text import escape_json, escape_line

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor

#: Syslog's numbers, by which the journal tells an error from a remark.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_DEBUG, _INFO = 10, 20

#: What `configure` asked for and no event needed yet: most commands tell none, and structlog takes long to import.
_asked: Callable[[], None] | None = None


def configure(
    verbose: bool = False,
    stream: TextIO | None = None,
    *,
    json_lines: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Configure where events go and in which form. May be called again; forked children inherit it.

    Args:
        verbose: log debug events too.
        stream: where to write, standard error by default.
        json_lines: one JSON object a line for programs, rather than lines for people.
        environ: tells whether `stream` is the journal, by JOURNAL_STREAM.
    """
    global _asked
    _asked = partial(_configure, verbose, stream, json_lines, _is_journal(stream or sys.stderr, environ))


#: Values that every event of this thread has for now.
_bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default=MappingProxyType({}))


@contextmanager
def bound(**values: Any) -> Iterator[None]:
    """Add these values to every event of this thread while the block runs, such as the id of the job that runs."""
    token = _bound.set({**_bound.get(), **values})
    try:
        yield
    finally:
        _bound.reset(token)


def _with_bound(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {**_bound.get(), **event}


def _configure(verbose: bool, stream: TextIO | None, json_lines: bool, journal: bool) -> None:
    import structlog

    shape: list[Processor] = [structlog.processors.format_exc_info]
    if json_lines:
        shape += [_stamped, structlog.processors.JSONRenderer(_json, default=str)]
    else:
        shape += [_journal_line] if journal else [_stamped, _line]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _with_bound, structlog.processors.add_log_level, *shape],
        wrapper_class=structlog.make_filtering_bound_logger(_DEBUG if verbose else _INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream or cast(TextIO, _StandardError())),
        cache_logger_on_first_use=False,
    )


class _StandardError:
    """The current standard error. A failure to write a log line never stops the work."""

    def write(self, text: str) -> None:
        """Write, unless there is nowhere to."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """Flush, unless there is nothing to."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of one part, for `logger("courier").warning("front1 does not answer", tries=3)`."""
    return cast("FilteringBoundLogger", _Logger(name))


class _Logger:
    """Takes the place of a logger of structlog's, which is imported and set up with the first event of any."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, method: str) -> Any:
        global _asked
        import structlog

        if asked := _asked:
            asked()
            _asked = None  # only now: another thread must not tell its first event before
        return getattr(structlog.get_logger(part=self._part), method)


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _stamped(_logger: Any, _method: str, event: EventDict) -> EventDict:
    now = clock.to_datetime(clock.now())
    return {"time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **event}


def _line(_logger: Any, _method: str, event: EventDict) -> str:
    time = event.pop("time")
    return f"{time} {event['level']:<7} {_said(event)}"


def _journal_line(_logger: Any, _method: str, event: EventDict) -> str:
    return f"<{_PRIORITIES.get(event['level'], 6)}>{_said(event)}"


def _said(event: EventDict) -> str:
    """Format an event as `part: event key=value …`. A traceback follows, indented, on lines of its own."""
    values = dict(event)
    values.pop("level")
    name, what, trace = values.pop("part", ""), values.pop("event"), values.pop("exception", "")
    words = [f"{name}:"] if name else []
    words += [escape_line(str(what)), *(f"{key}={_value(value)}" for key, value in values.items())]
    return " ".join(words) + "".join(f"\n    {escape_line(line)}" for line in str(trace).splitlines())


def _value(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    plain = text and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())


def _json(event: Any, **how: Any) -> str:
    return escape_json(json.dumps(event, ensure_ascii=False, **how))
