"""The life of a web process: what replaces its workers, or all of it, while readers go on and none is refused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import clock

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 40.0
#: Starts a command as systemd does: the socket has the number 3, and the process that gets it is named.
_LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execve(sys.argv[2], sys.argv[2:], {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
"""
_GET = b"GET %s HTTP/1.1\r\nHost: here\r\n\r\n"


class Web:
    """A web process that runs by itself, with settings of its own."""

    def __init__(self, folder: Path, listen: str = "", **settings: object) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.listen = listen or f"unix:{folder}/web.sock"
        self.settings = folder / "web.toml"
        self.program = folder / "bin" / "appliance"
        self.log = folder / "web.log"
        self.write(**settings)
        self.install("one")

    def write(self, **settings: object) -> None:
        """Write the settings in place of the former ones."""
        known = {"path": "/-/", "listen": self.listen, "workers": 2, "threads": 2, "timeout": 4.0,
                 "intake": str(self.folder / "intake.sock"), **settings}  # fmt: skip
        lines = [f"{key} = {value!r}\n".replace("'", '"') for key, value in known.items()]
        self.replace(self.settings, "".join(lines))

    def install(self, release: str, command: str = "") -> None:
        """Install a release: a command that runs the checkout, and says which release it is."""
        serve = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
if sys.argv[1:] == ["--version"]:
    {command or f'print("release {release}")'}
    sys.exit()
from pathlib import Path
from appliance import logging
from appliance.config import load_web
from appliance.web import server
from appliance.web.program import Program
from appliance.web.public.served import served
logging.configure(False)
print("release {release} begins", flush=True)
file = Path(sys.argv[2])
sys.exit(server.serve(lambda: served(load_web(file)), file=file, program=Program.of_task("serve")))
"""
        place = self.folder / f"release-{release}"
        place.write_text(f"#!{sys.executable}\n{serve}", "utf-8")
        place.chmod(0o755)
        self.program.parent.mkdir(exist_ok=True)
        link = self.program.with_name("next")
        link.symlink_to(place)
        link.rename(self.program)

    @staticmethod
    def replace(path: Path, text: str) -> None:
        path.with_name("next").write_text(text, "utf-8")
        path.with_name("next").rename(path)

    def start(self, *before: str, **options: object) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*before, str(self.program), "serve", str(self.settings)], stdout=log, stderr=log,
                env={**os.environ, "TMPDIR": str(self.temporary)}, **options,  # type: ignore[call-overload]
            )  # fmt: skip
        self.await_that(self.answers)
        self.await_that(lambda: len(self.children()) >= 2)  # the first one answers before there is the second

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get() == 200
        except OSError:
            return False

    def ask(self, path: str = "/healthz") -> bytes:
        if self.listen.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(SECONDS)
            address: object = self.listen.removeprefix("unix:")
        else:
            client = socket.socket()
            client.settimeout(SECONDS)
            host, _, port = self.listen.rpartition(":")
            address = (host, int(port))
        with client:
            client.connect(address)  # type: ignore[arg-type]
            client.sendall(_GET % path.encode())
            answer = b""
            while data := client.recv(65_536):
                answer += data
        return answer

    def get(self, path: str = "/healthz") -> int:
        return int(self.ask(path).split()[1])

    def children(self) -> set[int]:
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def await_that(self, condition: Callable[[], object]) -> None:
        end = clock.monotonic() + SECONDS
        while not condition():
            assert clock.monotonic() < end, self.log.read_text()
            clock.sleep(0.02)

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def requests(self) -> int:
        found = re.findall(
            rb'appliance_web_requests_total{route="healthz",status="200"} ([0-9.e+]+)', self.ask("/metrics")
        )
        return int(float(found[0]))

    def folders(self) -> list[Path]:
        return sorted(self.temporary.iterdir())

    @contextmanager
    def readers(self, number: int = 4) -> Iterator[list[str]]:
        """While the block runs, readers ask one request after another; yields what went wrong."""
        wrong: list[str] = []
        over = threading.Event()
        self.asked = 0

        def read() -> None:
            while not over.is_set():
                try:
                    status = self.get()
                except (OSError, IndexError) as error:
                    wrong.append(repr(error))
                else:
                    self.asked += 1
                    if status != 200:
                        wrong.append(str(status))
                over.wait(0.005)  # the machine has other work

        threads = [threading.Thread(target=read) for _ in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield wrong
        finally:
            over.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Web]]:
    made: list[Web] = []

    def begin(listen: str = "", **settings: object) -> Web:
        made.append(Web(tmp_path, listen, **settings))
        return made[-1]

    yield begin
    for web in made:
        if hasattr(web, "process") and web.process.poll() is None:
            web.process.terminate()
            web.process.wait(SECONDS)


@pytest.fixture
def web(make: Callable[..., Web]) -> Web:
    started = make()
    started.start()
    return started


@pytest.mark.conformance("D1")
@pytest.mark.parametrize("limit", [{"requests_per_worker": 40}, {"worker_hours": 0.0003}])
def test_workers_are_replaced_after_requests_or_a_time(make: Callable[..., Web], limit: dict[str, object]) -> None:
    web = make(**limit)
    web.start()
    seen = web.children()
    with web.readers() as wrong:
        web.await_that(lambda: seen.update(web.children()) or len(seen) >= 8)
    assert wrong == []
    files = [file.name for folder in web.folders() for file in folder.glob("*.db")]
    assert len(files) <= 2 * (2 + 2 + 1), "those of workers that have ended are one"
    counted = web.requests()
    assert counted >= web.asked, "what ended workers have counted is counted still"


def test_changed_settings_are_used_without_a_restart(web: Web) -> None:
    former = web.children()
    with web.readers() as wrong:
        web.write(workers=3)
        web.await_that(lambda: len(web.children()) == 3 and not web.children() & former)
    assert wrong == []


def test_it_reports_to_the_intake_of_changed_settings(web: Web) -> None:
    web.await_that(lambda: web.said("/intake.sock: there is no such socket"))
    web.write(intake=str(web.folder / "other.sock"))
    web.await_that(lambda: web.said("/other.sock: there is no such socket"))


def test_wrong_settings_change_nothing_and_are_told(web: Web) -> None:
    former = web.children()
    with web.readers() as wrong:
        web.write(workers=0)
        web.await_that(lambda: web.said("the settings cannot be used"))
        web.process.send_signal(signal.SIGHUP)
        web.await_that(lambda: web.log.read_text().count("the settings cannot be used") == 2)
        assert web.children() == former
    assert wrong == []
    assert web.said("workers")


def test_after_an_upgrade_the_new_release_takes_over(web: Web) -> None:
    former, pid = web.children(), web.process.pid
    with web.readers() as wrong:
        web.install("two")
        web.await_that(lambda: web.said("release two begins"))
        web.await_that(lambda: web.children() and not web.children() & former)
    assert wrong == []
    assert web.process.poll() is None
    assert web.process.pid == pid
    web.await_that(lambda: len(web.folders()) == 1)  # that of the former release, once its workers have ended
    web.process.terminate()
    assert web.process.wait(SECONDS) == 0
    assert web.folders() == []
    assert not list(web.folder.glob("*.sock*"))


def test_a_process_that_is_still_loading_ends_at_once_when_told(make: Callable[..., Web]) -> None:
    web = make()
    with web.log.open("wb") as log:
        process = subprocess.Popen([str(web.program), "serve", str(web.settings)], stdout=log, stderr=log)
    try:
        web.await_that(lambda: Path(web.listen.removeprefix("unix:")).exists())
        process.terminate()
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    assert not list(web.folder.glob("*.sock*"))


def test_a_release_that_does_not_start_takes_nothing_over(web: Web) -> None:
    former = web.children()
    web.install("broken", "raise SystemExit('there is no library called bz2')")
    web.await_that(lambda: web.said("does not start"))
    assert web.said("there is no library called bz2")
    assert web.children() == former
    assert web.get() == 200


def test_what_a_killed_process_leaves_is_removed_by_the_next(web: Web) -> None:
    former = web.children()
    web.process.kill()
    web.process.wait(SECONDS)
    assert web.folders(), "a killed process cannot tidy up"
    web.start()
    web.await_that(web.children)
    web.await_that(lambda: not any(Path(f"/proc/{child}").exists() for child in former))
    web.await_that(lambda: len(web.folders()) == 1)
    web.process.terminate()
    assert web.process.wait(SECONDS) == 0
    assert web.folders() == []


def test_a_request_that_has_begun_is_answered_by_the_release_that_took_it(web: Web) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(web.listen.removeprefix("unix:"))
        client.sendall(b"POST /-/blog/comments HTTP/1.1\r\nHost: here\r\nContent-Length: 7\r\n\r\nentry")
        former = web.children()
        web.process.send_signal(signal.SIGHUP)
        web.await_that(lambda: len(web.children() - former) == 2)
        assert web.children() & former, "the worker that has the request goes on"
        client.sendall(b"=1")
        assert client.recv(100).startswith(b"HTTP/1.1 415"), "it was taken whole, and is not a form"


@pytest.mark.conformance("D1")
def test_systemd_may_pass_the_socket(make: Callable[..., Web], tmp_path: Path) -> None:
    web = make(f"unix:{tmp_path}/activated.sock")
    activate = shutil.which("systemd-socket-activate")
    if activate is None:
        pytest.skip("systemd-socket-activate is not installed (Debian: systemd)")
    web.start(activate, f"--listen={tmp_path}/activated.sock")
    web.process.terminate()
    assert web.process.wait(SECONDS) == 0
    assert (tmp_path / "activated.sock").exists(), "it is systemd's"


def test_nobody_is_refused_while_a_process_with_a_passed_socket_is_restarted(make: Callable[..., Web]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as passed:
        web = make(f"127.0.0.1:{passed.getsockname()[1]}")
        launcher = [sys.executable, "-c", _LAUNCH, str(passed.fileno())]
        web.start(*launcher, pass_fds=(passed.fileno(),))
        with web.readers() as wrong:
            for _ in range(2):
                web.process.terminate()
                assert web.process.wait(SECONDS) == 0
                web.start(*launcher, pass_fds=(passed.fileno(),))
            web.install("two")
            web.await_that(lambda: web.said("release two begins"))
        assert wrong == []
