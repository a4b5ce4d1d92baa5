from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path

import pytest
import structlog

from appliance import logging


@pytest.fixture(autouse=True)
def _restored() -> object:
    yield
    structlog.reset_defaults()


def said(verbose: bool = False, json_lines: bool = False) -> io.StringIO:
    stream = io.StringIO()
    logging.configure(verbose, stream, json_lines=json_lines)
    return stream


def test_an_event_is_one_line_with_its_values() -> None:
    stream = said()
    logging.get_logger("courier").warning("front1 does not answer", tries=3, lag=1.23456, path="a b")
    pattern = r'\d{4}-\d\d-\d\dT[\d:.]{12}Z warning courier: front1 does not answer tries=3 lag=1\.235 path="a b"\n'
    assert re.fullmatch(pattern, stream.getvalue())


def test_values_cannot_forge_a_line() -> None:
    stream = said()
    logging.get_logger("web").info("comment\nby", author="x\n2026 error forged", other="\x1b[2J\u2028")
    assert stream.getvalue().count("\n") == 1
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_debug_events_are_told_when_asked_for() -> None:
    quiet, loud = said(), io.StringIO()
    logging.get_logger("queue").debug("claimed")
    logging.configure(True, loud)
    logging.get_logger("queue").debug("claimed")
    assert quiet.getvalue() == ""
    assert loud.getvalue().endswith("debug   queue: claimed\n")


def test_programs_get_json() -> None:
    stream = said(json_lines=True)
    logging.get_logger("queue").error("cannot write", path=Path("/srv/www"), title="ü")
    event = json.loads(stream.getvalue())
    assert re.fullmatch(r"[\d-]{10}T[\d:.]{12}Z", event.pop("time"))
    assert event == {
        "event": "cannot write",
        "level": "error",
        "part": "queue",
        "path": "/srv/www",
        "title": "ü",
    }


def test_a_traceback_follows_its_line() -> None:
    stream = said()
    try:
        int("no\nway")
    except ValueError:
        logging.get_logger("worker").exception("job failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("error   worker: job failed")
    assert rest[-1].startswith("    ValueError: invalid literal")
    assert all(line.startswith("    ") for line in rest)


def test_the_journal_gets_priorities_and_no_times(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        logging.configure(stream=stream, environ=environ)
        logging.get_logger("courier").error("front1 is away", tries=3)
        stream.seek(0)
        assert stream.read() == "<3>courier: front1 is away tries=3\n"
