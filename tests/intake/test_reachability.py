"""Why an intake cannot be reached: one sentence with the place, its owner and mode, and what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.errors import IntakeUnavailable
from appliance.intake.client import IntakeClient
from appliance.intake.messages import REFUSED, ReadyRequest
from appliance.intake.reachability import explain_refusal

ROOT = Path(__file__).resolve().parents[2]
#: An account that owns nothing here, as which a connection is tried. Modules are loaded before it is taken on.
_TRY = """
import os, sys
from pathlib import Path
from appliance.errors import IntakeUnavailable
from appliance.intake.client import IntakeClient
from appliance.intake.messages import ReadyRequest
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    print(IntakeClient(Path(sys.argv[1])).ask(ReadyRequest()).sentence)
except IntakeUnavailable as error:
    print(error)
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take on another account")

Said = Callable[[int, int], str]


def why(path: Path) -> str:
    with pytest.raises(IntakeUnavailable) as caught:
        IntakeClient(path, 0.2).ask(ReadyRequest())
    return str(caught.value)


@pytest.fixture
def said_to_nobody(tmp_path: Path) -> Said:
    """What the account nobody is told of a socket with a mode in a folder with a mode, both of the group games."""

    def say(folder_mode: int, mode: int) -> str:
        for above in (tmp_path, *tmp_path.parents):
            if not above.stat().st_mode & 0o077:  # pytest's own, of which there are more where tests run side by side
                above.chmod(0o755)
        folder = tmp_path / "run"
        folder.mkdir()
        path = folder / "intake.sock"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen()
            for each, its_mode in ((path, mode), (folder, folder_mode)):
                os.chown(each, -1, 60)
                each.chmod(its_mode)
            ended = subprocess.run(
                [sys.executable, "-c", _TRY, str(path)], capture_output=True, text=True, timeout=30, check=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        return ended.stdout.strip()

    return say


def test_no_socket(tmp_path: Path) -> None:
    assert why(tmp_path / "intake.sock") == (
        f"the intake does not answer at {tmp_path}/intake.sock: there is no such socket; start “appliance work” with"
        " the same [web] path and intake, or correct the setting intake"
    )


def test_a_socket_whose_process_was_killed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "intake.sock"))
    assert "nobody listens there any more; start “appliance work”" in why(tmp_path / "intake.sock")


@needs_root
@pytest.mark.parametrize(
    ("folder_mode", "mode", "sentence"),
    [
        (0o750, 0o660, "{folder} belongs to root:games with mode 0750, and nobody may not enter it; run “usermod -aG"
         " games nobody” and start this process again"),
        (0o700, 0o660, "{folder} belongs to root:games with mode 0700, and nobody may not enter it; run “chmod g+x"
         " {folder}”, with a group that nobody is a member of"),
        (0o755, 0o660, "{folder}/intake.sock belongs to root:games with mode 0660, and nobody may not connect to it;"
         " run “usermod -aG games nobody” and start this process again"),
        (0o755, 0o600, "{folder}/intake.sock belongs to root:games with mode 0600, and nobody may not connect to it;"
         " set [web] intake_group in appliance.toml to a group of nobody, and restart “appliance work”"),
    ],
)  # fmt: skip
def test_an_account_that_may_not_reach_it(
    said_to_nobody: Said, tmp_path: Path, folder_mode: int, mode: int, sentence: str
) -> None:
    assert said_to_nobody(folder_mode, mode).endswith(": " + sentence.format(folder=tmp_path / "run"))


def test_an_account_that_the_intake_refuses() -> None:
    assert "name it as [web] intake_user in appliance.toml" in explain_refusal(Path("/run/intake.sock"))
    assert REFUSED.sentence
