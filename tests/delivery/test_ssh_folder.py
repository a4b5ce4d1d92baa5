"""The private folder of couriers is made again when it is gone, and removed after a process that was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config import DeliverySettings
from appliance.delivery.courier import Couriers
from appliance.delivery.transports import ssh_folder
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder
from appliance.demo.frontend import FrontEnd

from .conftest import Publisher

FrontEnds = Callable[..., list[FrontEnd]]


def folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("appliance-*"))


def test_deliveries_go_on_when_a_cleaner_removes_the_folder(publisher: Publisher, front_ends: FrontEnds) -> None:
    fronts = front_ends(2)
    publisher.put("a.html", "a")
    with Couriers(publisher.targets) as couriers:
        assert all(state.level for state in couriers.settle(tries=1))
        for text in "bc":
            (folder,) = folders()
            shutil.rmtree(folder)
            publisher.put("a.html", text)
            states = couriers.settle(tries=2)
            assert all(state.level for state in states), [state.error for state in states]
            assert {(front.docroot / "a.html").read_text() for front in fronts} == {text}


def test_deliveries_go_on_when_only_old_files_are_removed(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1)
    publisher.put("a.html", "a")
    with Couriers(publisher.targets) as couriers:
        couriers.settle(tries=1)
        for file in folders()[0].iterdir():
            if file.is_file():
                file.unlink()
        publisher.put("a.html", "b")
        (state,) = couriers.settle(tries=1)
        assert state.level, state.error


def test_it_moves_when_its_place_is_gone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_folder, "_LONGEST", 1000)
    session = tmp_path / "session"
    session.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    folder = SshFolder(DeliverySettings())
    assert folder.path.parent == session
    shutil.rmtree(session)
    folder.ensure()
    assert folder.path.parent == Path(tempfile.gettempdir())
    assert folder.path.is_dir()
    folder.remove()


def test_a_folder_that_somebody_put_in_its_place_is_not_used(publisher: Publisher) -> None:
    folder = SshFolder(publisher.delivery)
    before = folder.path
    shutil.rmtree(before)
    before.mkdir()
    folder.ensure()
    assert folder.path != before
    folder.remove()
    assert before.is_dir()
    before.rmdir()


@pytest.mark.parametrize("name", ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"])
def test_it_lies_where_cleaners_do_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(ssh_folder, "_LONGEST", 1000)
    monkeypatch.setenv(name, f"{tmp_path}:/nowhere" if name == "RUNTIME_DIRECTORY" else str(tmp_path))
    folder = SshFolder(DeliverySettings())
    assert folder.path.parent == tmp_path
    folder.remove()
    monkeypatch.setenv(name, "/nowhere")
    folder = SshFolder(DeliverySettings())
    assert folder.path.parent == Path(tempfile.gettempdir())
    folder.remove()


def test_it_is_locked_so_that_cleaners_pass_over_it() -> None:
    """systemd-tmpfiles takes this lock of each folder before it cleans there, and leaves the folder if it cannot."""
    folder = SshFolder(DeliverySettings())
    opened = os.open(folder.path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(opened)
    folder.remove()


KILLED = """
import os, sys
from pathlib import Path
from appliance.config import DeliverySettings, TargetSettings
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder
from appliance.delivery.targets import Target
delivery = DeliverySettings.model_validate_json(sys.argv[1])
target = Target(TargetSettings.model_validate_json(sys.argv[2]), Path(sys.argv[3]), delivery)
SshConnection(target, SshFolder(delivery), 0).warm()
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_courier_left_is_removed_at_the_next_start(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    words = [publisher.delivery.model_dump_json(), front.settings().model_dump_json(), str(publisher.docroot)]
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir(), "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, check=False)
    (left,) = folders()
    assert (left / "m0").is_socket()
    living = SshFolder(publisher.delivery)
    assert not left.exists(), "what the killed courier left is still there"
    assert living.path.is_dir()
    another = SshFolder(publisher.delivery)
    assert living.path.is_dir(), "the folder of a process that lives was taken for one that was left"
    for folder in (living, another):
        folder.remove()


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    for name in ("appliance-unmarked", "appliance-open", "other-marked"):
        (tmp_path / name).mkdir(mode=0o700)
    for name in ("appliance-open", "other-marked"):
        (tmp_path / name / ".ssh-folder").touch()
    (tmp_path / "appliance-open").chmod(0o755)
    (tmp_path / "appliance-file").touch()
    (tmp_path / "appliance-link").symlink_to(tmp_path / "other-marked")
    before = sorted(tmp_path.rglob("*"))
    assert ssh_folder.remove_abandoned(tmp_path) == []
    assert sorted(tmp_path.rglob("*")) == before


def test_connections_follow_the_folder(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1)
    folder = SshFolder(publisher.delivery)
    connection = SshConnection(publisher.targets[0], folder, 0)
    connection.warm()
    before = connection.remote_shell
    shutil.rmtree(folder.path)
    connection.warm()
    assert connection.remote_shell != before and connection.config_file.is_file()
    connection.close()
    folder.remove()
