"""The socket of the web process: who may connect from the first moment on, and what is told when it fails."""

from __future__ import annotations

import grp
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.config import WebSettings
from appliance.demo.frontend import free_port
from appliance.errors import WebError
from appliance.web import listening

ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to any group")
#: Listens as an account that is in no group but its own.
_AS_NOBODY = """
import os, sys
from appliance.config import WebSettings
from appliance.errors import WebError
from appliance.web import listening
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    listening.listen(WebSettings(listen="unix:" + sys.argv[1], socket_group="games"))
except WebError as error:
    print(error)
"""


def settings(path: Path, **values: str) -> WebSettings:
    return WebSettings.model_validate({"listen": f"unix:{path}", **values})


@needs_root
@pytest.mark.conformance("D2")
def test_a_socket_has_the_group_and_the_mode_of_the_web_server(tmp_path: Path) -> None:
    path = tmp_path / "run" / "web.sock"
    with listening.listen(settings(path, socket_group="games", socket_mode="0660")):
        about = path.stat()
        assert (about.st_gid, stat.S_IMODE(about.st_mode)) == (grp.getgrnam("games").gr_gid, 0o660)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert [file.name for file in path.parent.iterdir()] == ["web.sock"]


@needs_root
@pytest.mark.conformance("D2")
def test_a_group_that_the_account_is_no_member_of_is_told_with_the_mend(tmp_path: Path) -> None:
    for above in (tmp_path, *list(tmp_path.parents)[:2]):
        above.chmod(0o755)
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    ended = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(tmp_path / "run" / "web.sock")], capture_output=True, text=True,
        check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ended.stdout.strip() == (
        f"{tmp_path}/run/web.sock: this account may not give the socket to the group “games”; add the account to that"
        " group, or correct [web] socket_group"
    )
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"socket_group": "no-such-group"}, "there is no group “no-such-group”; create it, or correct"),
        ({"listen": "unix:{folder}/file/web.sock"}, "File exists; correct that, or choose another path"),
        ({"listen": "unix:{folder}/file"}, "is a file and no socket; move it away"),
        ({"listen": "unix:{folder}/" + "long" * 40}, "is too long for a socket; choose a path of at most 95 bytes"),
        ({"listen": "127.0.0.1:{port}"}, "Address already in use"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_sentence(tmp_path: Path, values: dict[str, str], told: str) -> None:
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        given = {key: value.format(folder=tmp_path, port=taken.getsockname()[1]) for key, value in values.items()}
        with pytest.raises(WebError, match=re.escape(told)):
            listening.listen(settings(tmp_path / "web.sock", **given))
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_process_that_ends_removes_its_own_socket_only(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    first = listening.open_sockets(settings(path))
    second = listening.open_sockets(settings(path))
    first.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    second.close()
    assert not path.exists()


def test_what_a_killed_process_had_begun_is_swept(tmp_path: Path) -> None:
    ended = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    left, others = tmp_path / f".web.sock.{ended.stdout.strip()}", tmp_path / f".web.sock.{os.getppid()}"
    for file in (left, others):
        file.touch()
    with listening.listen(settings(tmp_path / "web.sock")):
        assert not left.exists()
        assert others.exists()
