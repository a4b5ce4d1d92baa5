"""What runs towards a target, with what it is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.delivery.transports import subprocess_runner
from appliance.delivery.transports.subprocess_runner import SubprocessRunner
from appliance.errors import DeliveryError


def test_a_command_that_reads_late_gets_all_of_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a pipe holds, to one that reads only after we have looked a few times whether it may go on."""
    monkeypatch.setattr(subprocess_runner, "_INTERVAL", 0.01)
    gate, looks = tmp_path / "gate", 0
    os.mkfifo(gate)
    opened = os.open(gate, os.O_RDWR)

    def permit() -> DeliveryError | None:
        nonlocal looks
        looks += 1
        if looks == 5:
            os.write(opened, b"begin\n")
        return DeliveryError("it never reads the rest") if looks > 500 else None

    try:
        code, said, _ = SubprocessRunner("front", permit).run(
            ["sh", "-c", f"read word < {gate}; wc -c"], b"x" * 1_000_000
        )
    finally:
        os.close(opened)
    assert (code, said) == (0, [b"1000000"])
