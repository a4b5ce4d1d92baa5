"""Command lines, typed in the process of the tests."""

from __future__ import annotations

from typing import Protocol

import pytest

from appliance.tasks.program import ApplianceProgram


class Typed(Protocol):
    """Runs a command line; returns what it printed. Its exit status must be `status`."""

    def __call__(self, line: str, *words: str, status: int = 0) -> str:
        """`words` follow the line as they are, spaces and all."""


@pytest.fixture
def command_line(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command line where the test is; returns what it printed; its exit status must be that expected."""

    def run(line: str, *words: str, status: int = 0) -> str:
        code = 0
        try:
            ApplianceProgram(name="appliance").run(["appliance", *line.split(), *words])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        told, error = capsys.readouterr()
        assert code == status, told + error
        return told + error

    return run
