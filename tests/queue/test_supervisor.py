"""Processes kept alive."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from appliance import clock
from appliance.queue.supervisor import EXIT_RECYCLE, Supervisor, handle_signals, make_orphan_check


def until(supervisor: Supervisor, true: Callable[[], bool], seconds: float = 10) -> float:
    """Tend until something holds; returns how long it took."""
    began = clock.monotonic()
    while not true():
        assert supervisor.supervise() or true()
        assert clock.monotonic() - began < seconds
        clock.sleep(0.005)
    return clock.monotonic() - began


def waiting(log: Path, code: int = 0) -> Callable[[], int]:
    """A main that notes its process id and waits to be told to end."""

    def main() -> int:
        over = threading.Event()
        with handle_signals(over.set):
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")
            while not over.wait(0.01):
                pass
        return code

    return main


def started(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def test_one_that_wants_to_be_replaced_is_at_once_and_again(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def main() -> int:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return EXIT_RECYCLE if len(started(log)) < 6 else 0

    died = []
    supervisor = Supervisor({"worker": main}, lambda _name, pid: died.append(pid))
    assert until(supervisor, lambda: supervisor.all_finished()) < 2, "back-off would have taken six seconds"
    assert len(set(started(log))) == 6
    assert died == started(log)


def test_one_that_dies_is_restarted_with_back_off(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def main() -> int:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return 0 if len(started(log)) == 3 else 1

    supervisor = Supervisor({"worker": main})
    assert 0.5 < until(supervisor, lambda: supervisor.all_finished()) < 5


def test_recycling_replaces_one_after_another(tmp_path: Path) -> None:
    logs = [tmp_path / name for name in ("a", "b", "c")]
    supervisor = Supervisor({log.name: waiting(log) for log in logs})
    supervisor.start()
    until(supervisor, lambda: all(len(started(log)) == 1 for log in logs))
    least = len(logs)
    supervisor.recycle()

    def replaced() -> bool:
        nonlocal least
        least = min(least, len(supervisor.pids))
        return all(len(started(log)) == 2 for log in logs)

    assert until(supervisor, replaced) < 5
    assert least >= 2
    assert not set(supervisor.pids.values()) & {started(log)[0] for log in logs}
    supervisor.shut_down()
    until(supervisor, lambda: supervisor.all_finished())


def test_one_that_does_not_end_is_killed() -> None:
    def deaf() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        threading.Event().wait()
        return 0

    supervisor = Supervisor({"deaf": deaf})
    supervisor.start()
    supervisor.shut_down(0.3)
    assert 0.2 < until(supervisor, lambda: supervisor.all_finished()) < 3


def test_a_hangup_is_the_supervisors_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = Supervisor({"worker": waiting(log)})
    supervisor.start()
    until(supervisor, lambda: len(started(log)) == 1)
    os.kill(started(log)[0], signal.SIGHUP)
    supervisor.shut_down()
    until(supervisor, lambda: supervisor.all_finished())
    assert len(started(log)) == 1


def test_one_told_to_end_when_it_is_about_to_tells_nobody_else(tmp_path: Path) -> None:
    log, other = tmp_path / "log", tmp_path / "other"

    def leaving() -> int:
        code = waiting(log)()
        os.kill(os.getpid(), signal.SIGTERM)
        return code

    supervisor = Supervisor({"other": waiting(other), "worker": leaving})
    with handle_signals(supervisor.shut_down):
        supervisor.start()
        until(supervisor, lambda: len(started(log)) == 1 and len(started(other)) == 1)
        os.kill(supervisor.pids["worker"], signal.SIGTERM)
        until(supervisor, lambda: supervisor.all_finished(except_for="other"))
        handle = os.pidfd_open(supervisor.pids["other"])
        assert not select.select([handle], [], [], 0.3)[0], "told to end by the handler of its supervisor"
        os.close(handle)
        supervisor.shut_down()
        until(supervisor, lambda: supervisor.all_finished())


def test_one_that_has_just_ended_is_told_to_end_all_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    supervisor = Supervisor({"first": waiting(first), "second": waiting(second)})
    supervisor.start()
    until(supervisor, lambda: len(started(first)) == len(started(second)) == 1)
    gone, handle = supervisor.pids["first"], os.pidfd_open(supervisor.pids["second"])
    os.kill(gone, signal.SIGKILL)
    os.waitpid(gone, 0)  # as `tend` has, when a signal comes before it has noted it down
    supervisor.stop()
    assert select.select([handle], [], [], 5)[0]
    os.close(handle)


def test_connections_are_given_up_before_each_fork(tmp_path: Path) -> None:
    given = []
    log = tmp_path / "log"
    supervisor = Supervisor({"a": waiting(log), "b": waiting(log)}, before_fork=lambda: given.append(True))
    supervisor.start()
    assert len(given) == 2
    supervisor.shut_down()
    until(supervisor, lambda: supervisor.all_finished())


def test_one_whose_supervisor_is_killed_before_it_looks_knows_itself_an_orphan(tmp_path: Path) -> None:
    said, wait = os.pipe()

    def main() -> int:
        with handle_signals(lambda: None):
            os.write(wait, b"here;")
            while os.getppid() == supervisor_pid:
                clock.sleep(0.002)
            os.write(wait, str(make_orphan_check()()).encode())
        return 0

    pid = os.fork()
    if pid == 0:
        supervisor_pid = os.getpid()
        Supervisor({"worker": main}).start()
        threading.Event().wait(60)
        os._exit(1)
    os.close(wait)
    with os.fdopen(said, "rb") as answers:
        assert answers.read(5) == b"here;"
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert answers.read() == b"True"
