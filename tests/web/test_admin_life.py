"""The life of the admin process: real gunicorn on both databases, outages, uploads, and what replaces its workers."""

from __future__ import annotations

import hashlib
import http.client
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import clock, db
from appliance.config import Config, validate
from appliance.queue import processes
from appliance.queue.processes import ProcessRow
from tests.postgresql import Server
from tests.web_stack import Answer, UnixConnection, ask

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 40.0
HOST = "admin.example.org"
#: The admin process, with a few routes more.
_SERVE = """
import hashlib, os, sys
from dataclasses import replace
from pathlib import Path
from flask import request
from appliance import db, logging
from appliance.config import load
from appliance.web import server
from appliance.web.admin import guard
from appliance.web.admin.application import create_application
from appliance.web.admin.body_limits import allow_upload
from appliance.web.admin.served import served

def create(config):
    switch = create_application(config)
    app = switch._first

    @guard.route(app, "/worker", public=True)
    def worker():
        return f"{os.getpid()} {db.execute('SELECT count(*) FROM process').fetchone()[0]}"

    @guard.route(app, "/api/slow", public=True)
    def slow():
        sql = ("SELECT pg_sleep(60)" if config.database_url else
               "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t) SELECT count(*) FROM t")
        return str(db.execute(sql).fetchone())

    @guard.route(app, "/api/upload", public=True, methods=("PUT",))
    def upload():
        allow_upload(config.admin)
        digest, size = hashlib.sha256(), 0
        while data := request.stream.read(65536):
            digest.update(data)
            size += len(data)
        return f"{size} {digest.hexdigest()}"

    @guard.route(app, "/api/body", public=True, methods=("PUT",))
    def body():
        return str(len(request.get_data()))

    return switch

logging.configure(False)
file = Path(sys.argv[1])

def read():
    config = load(file)
    return replace(served(config), create=lambda: create(config))

sys.exit(server.serve(read, file=file))
"""


class Admin:
    """An admin process that runs by itself."""

    def __init__(self, folder: Path, database: str, **settings: object) -> None:
        self.folder = folder
        self.file = folder / "appliance.toml"
        self.log = folder / "admin.log"
        self.database = database
        self.write(**settings)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(self.file)],
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}, stdout=log, stderr=log,
            )  # fmt: skip
        self.await_that(self.answers)

    def write(self, **settings: object) -> None:
        """Write the settings in place of the former ones."""
        known = {"url": f"https://{HOST}/", "workers": 1, "threads": 4, "upload": 4_194_304, **settings}
        section = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in known.items())
        site = '[[sites]]\nname = "blog"\ntitle = "A Blog"\nurl = "https://blog.example/"\n'
        text = f'docroot = "{self.folder}/www"\ndatabase = "{self.database}"\nhost = "here"\n{site}[admin]\n{section}'
        self.file.with_name("next").write_text(text, "utf-8")
        self.file.with_name("next").rename(self.file)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        connection = UnixConnection(self.folder / "run" / "admin.sock")
        return ask(connection, method, path, body, {"Host": HOST, **headers})

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False

    def await_that(self, condition: Callable[[], object]) -> None:
        end = clock.monotonic() + SECONDS
        while not condition():
            assert clock.monotonic() < end, self.log.read_text()
            clock.sleep(0.02)

    def workers(self) -> set[int]:
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def memory(self) -> int:
        """The resident memory that workers do not share, in bytes."""
        lines = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in self.workers()]
        return sum(int(line.split()[1]) * 1024 for each in lines for line in each if line.startswith("Private"))

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(SECONDS)


@contextmanager
def running(folder: Path, database: str, **settings: object) -> Iterator[Admin]:
    admin = Admin(folder, database, **settings)
    try:
        yield admin
    finally:
        admin.end()


@pytest.fixture
def admin(database: Config, tmp_path: Path) -> Iterator[Admin]:
    with running(tmp_path, database.database) as started:
        yield started


def rows() -> list[ProcessRow]:
    return [row for row in processes.list_processes() if row.role == processes.ADMIN]


def test_it_answers_under_its_name_and_its_workers_are_listed(admin: Admin) -> None:
    pid, _ = admin.ask("/worker").text.split()
    assert {int(pid)} == admin.workers()
    assert admin.ask("/", Host="elsewhere.example").status == 421
    admin.await_that(rows)
    (row,) = rows()
    assert (row.pid, row.host, row.doing) == (int(pid), "here", "answering users")
    with pytest.raises(processes.QueueError, match="answers as long as it runs"):
        processes.request(row.name, "pause")
    assert admin.end() == 0
    assert rows() == []
    assert not list(admin.folder.glob("run/*")), "its socket is gone"
    assert not list(admin.folder.glob("appliance-*")), "and what it kept in files"


def test_a_worker_that_is_asked_to_is_replaced_while_others_go_on(admin: Admin) -> None:
    admin.await_that(rows)
    former = admin.workers()
    processes.request(rows()[0].name, "recycle")
    wrong: list[object] = []
    over = threading.Event()

    def use() -> None:
        while not over.wait(0.01):
            status = admin.ask("/worker").status
            if status != 200:
                wrong.append(status)

    user = threading.Thread(target=use)
    user.start()
    admin.await_that(lambda: admin.workers() and not admin.workers() & former)
    over.set()
    user.join()
    assert wrong == []
    admin.await_that(lambda: {row.pid for row in rows()} == admin.workers())


def test_changed_settings_are_used_without_a_restart(admin: Admin) -> None:
    former = admin.workers()
    admin.write(workers=2)
    admin.await_that(lambda: len(admin.workers()) == 2 and not admin.workers() & former)
    admin.write(workers=1)
    admin.process.send_signal(signal.SIGHUP)
    admin.await_that(lambda: len(admin.workers()) == 1)


def test_a_statement_that_takes_too_long_is_ended(database: Config, tmp_path: Path) -> None:
    with running(tmp_path, database.database, timeout=0.5) as admin:
        began = clock.monotonic()
        answer = admin.ask("/api/slow")
        assert (answer.status, "took longer" in answer.text) == (503, True)
        assert clock.monotonic() - began < 10
        assert admin.ask("/worker").status == 200


def test_an_upload_is_kept_in_a_file_and_arrives_whole(tmp_path: Path, config: Config) -> None:
    size = 60_000_000
    with running(tmp_path, str(config.database_file), upload=size) as admin:
        small = os.urandom(2_000_000)
        assert admin.ask("/api/upload", "PUT", small).text == f"{len(small)} {hashlib.sha256(small).hexdigest()}"
        before = admin.memory()
        data = os.urandom(size)
        assert admin.ask("/api/upload", "PUT", data).text == f"{size} {hashlib.sha256(data).hexdigest()}"
        assert admin.memory() - before < 20_000_000
        assert not list(tmp_path.glob("appliance-request-*"))


def test_bodies_have_limits(admin: Admin) -> None:
    assert admin.ask("/api/body", "PUT", b"x" * 1_000_000).text == "1000000"
    assert admin.ask("/api/body", "PUT", b"x" * 2_000_000).status == 413
    assert admin.ask("/api/upload", "PUT", b"x" * 5_000_000).status == 413
    begun = [begin_upload(admin, 4_000_000) for _ in range(6)]
    try:
        # Each takes its share before it has sent anything of it.
        answered = await_answers(begun, 2)
        assert all(b" 429 " in client.sock.recv(1000) for client in answered)
        assert admin.ask("/worker").status == 200
        assert await_answers(begun, 2) == answered, "the others are waited for"
    finally:
        for client in begun:
            client.close()
    admin.await_that(lambda: admin.ask("/api/upload", "PUT", b"x" * 4_000_000).status == 200)


def begin_upload(admin: Admin, size: int) -> http.client.HTTPConnection:
    connection = UnixConnection(admin.folder / "run" / "admin.sock")
    connection.putrequest("PUT", "/api/upload", skip_host=True)
    connection.putheader("Host", HOST)
    connection.putheader("Content-Length", str(size))
    connection.endheaders(b"x")
    return connection


def await_answers(clients: list[http.client.HTTPConnection], number: int) -> list[http.client.HTTPConnection]:
    """Return those that have an answer, or were sent one and then left, once there are as many."""
    poll = select.poll()
    for client in clients:
        poll.register(client.sock, select.POLLIN)
    end = clock.monotonic() + SECONDS
    while len(ready := dict(poll.poll(100))) < number:
        assert clock.monotonic() < end, f"{len(ready)} have an answer"
    return [client for client in clients if client.sock.fileno() in ready]


def test_an_outage_of_the_database_is_said_and_gets_over(postgres: Server, tmp_path: Path) -> None:
    with Server() as server:
        url = server.url("postgres")
        settings = validate(
            {"docroot": str(tmp_path / "www"), "database": url,
             "sites": [{"name": "blog", "title": "A", "url": "https://a.example/"}]}, tmp_path / "appliance.toml",
        )  # fmt: skip
        opened = db.connect(settings)
        opened.close()
        with running(tmp_path, url, timeout=1.0) as admin:
            assert admin.ask("/worker").status == 200
            server.restart()
            assert [admin.ask("/worker").status for _ in range(12)] == [200] * 12, "broken connections are replaced"
            server.stop()
            answer = admin.ask("/worker")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert "The database cannot be used" in answer.text
            server.start()
            assert admin.ask("/worker").status == 200
            server.pause()
            try:
                began = clock.monotonic()
                assert admin.ask("/worker").status == 503
                assert clock.monotonic() - began < 15
                assert admin.ask("/healthz").status == 200
            finally:
                server.resume()
            admin.await_that(lambda: admin.ask("/worker").status == 200)
            assert "Traceback" not in admin.log.read_text()
            assert admin.end() == 0


def test_work_runs_it_as_a_part_and_replaces_it_with_itself(config: Config, tmp_path: Path) -> None:
    admin = Admin.__new__(Admin)
    admin.folder, admin.file, admin.log = tmp_path, tmp_path / "appliance.toml", tmp_path / "work.log"
    admin.database = str(config.database_file)
    admin.write()
    with admin.log.open("wb") as log:
        admin.process = subprocess.Popen(
            [sys.executable, "-c", "from appliance.tasks import main; main()", "work", "--only", "admin"],
            env={**os.environ, "PYTHONPATH": str(ROOT), "APPLIANCE_CONFIG": str(admin.file)}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        admin.await_that(admin.answers)
        admin.await_that(rows)
        (row,) = rows()
        assert row.keeper == f"here:{admin.process.pid}"
        processes.request(row.keeper, "recycle")
        admin.await_that(lambda: rows() and rows()[0].pid != row.pid)
        assert admin.ask("/healthz").status == 200
    finally:
        assert admin.end() == 0, admin.log.read_text()
    assert rows() == []


def test_a_worker_takes_little_memory(config: Config, tmp_path: Path) -> None:
    with running(tmp_path, str(config.database_file)) as admin:
        for _ in range(200):
            assert admin.ask("/sign-in").status == 200
        (worker,) = admin.workers()
        resident = int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        print(f"\na worker: {resident / 1e6:.0f} MB resident, {admin.memory() / 1e6:.0f} MB of its own", end="")
        assert resident < 200_000_000
        assert admin.memory() < 60_000_000
