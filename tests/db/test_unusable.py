"""A database that can be reached and not used: read-only, full, being stopped, moved away. It is waited for."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from appliance import clock, db, editorial, logging, running
from appliance.config import Config
from appliance.queue import processes
from appliance.tasks.program import ApplianceProgram
from tests.local_site import LocalSite, archive, index, local_site
from tests.postgresql import Server

THEME = archive("entry", "{slug}/index.html") + index("index.html")
COMMANDS = [("content.add", "One"), ("publish", "--all"), ("drain",), ("work", "--once"), ("periodic",)]
WRITE = "INSERT INTO throttle (kind, key, until) VALUES ('x', ?, 0)"


def await_that(true: Callable[[], Any], seconds: float = 30) -> Any:
    end = clock.monotonic() + seconds
    while not (found := true()):
        assert clock.monotonic() < end
        clock.sleep(0.02)
    return found


def write(text: str = "y") -> None:
    with db.write():
        db.execute(WRITE, [text])


def lost() -> bool:
    """Whether the next thing written says that the database is lost; anything else that is raised is."""
    try:
        write(str(clock.monotonic()))
    except Exception as error:
        if not db.is_unavailable(error):
            raise
        db.disconnect()
        return True
    return False


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave no room in a file system."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 65536)
        except OSError:
            pass
    return file


@contextmanager
def own_database(server: Server, where: str = "") -> Iterator[str]:
    """A database, and the session that governs it; its owner is nobody special."""
    with psycopg.connect(server.local("postgres"), autocommit=True) as admin:
        name = f"own_{int(clock.monotonic() * 1e6)}"
        admin.execute(f"CREATE ROLE {name} LOGIN")
        admin.execute(f"CREATE DATABASE {name} OWNER {name} {where}")
        yield server.local(name).replace("appliance@", f"{name}@")


def govern(server: Server, url: str, *commands: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(server.local("postgres"), autocommit=True) as admin:
        for command in commands:
            admin.execute(command.format(name=name))


_END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
_NO_WRITES = ("ALTER DATABASE {name} SET default_transaction_read_only = on", _END_ALL)
_WRITES = ("ALTER DATABASE {name} RESET default_transaction_read_only", _END_ALL)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (_NO_WRITES, _WRITES),
        (("ALTER DATABASE {name} CONNECTION LIMIT 0", _END_ALL), ("ALTER DATABASE {name} CONNECTION LIMIT -1",)),
        (("ALTER DATABASE {name} ALLOW_CONNECTIONS 0", _END_ALL), ("ALTER DATABASE {name} ALLOW_CONNECTIONS 1",)),
    ],
)  # fmt: skip
def test_a_server_that_refuses_is_lost_until_it_does_not(
    postgres: Server, make_config: Callable[..., Config], begin: tuple[str, ...], end: tuple[str, ...]
) -> None:
    with own_database(postgres) as url:
        opened = db.connect(make_config(database=url))
        assert not lost()
        govern(postgres, url, *begin)
        assert lost()
        assert lost()
        govern(postgres, url, *end)
        lost()  # the connection that was left may have been ended
        assert not lost()
        opened.close()


@pytest.mark.slow
def test_a_server_that_is_stopped_or_full_is_lost(make_config: Callable[..., Config]) -> None:
    with Server() as server, small_disk(server.folder / "small", "32m") as disk:
        os.chown(disk, *(lambda s: (s.st_uid, s.st_gid))(Path(server.folder).stat()))
        govern(server, "x", f"CREATE TABLESPACE small LOCATION '{disk}'")
        with own_database(server, "TABLESPACE small") as url:
            opened = db.connect(make_config(database=url))
            filler = fill(disk)
            assert sum(lost_with(f"{n}" * 2000) for n in range(400))
            filler.unlink()
            assert not lost()
            server.stop()
            assert lost()
            server.start()
            lost()
            assert not lost()
            opened.close()


def lost_with(text: str) -> bool:
    try:
        write(text)
    except Exception as error:
        assert db.is_unavailable(error), error
        db.disconnect()
        return True
    return False


def test_a_wrong_statement_is_not_a_lost_database(database: Config) -> None:
    for statement in ("SELECT nonsense", "INSERT INTO throttle (kind) VALUES (NULL)", "SELECT 1/'x'::int"):
        with pytest.raises(Exception, match=r"\w") as caught, db.write():
            db.execute(statement)
        assert not db.is_unavailable(caught.value), statement


@pytest.mark.slow
def test_a_file_on_a_full_disk_is_lost_until_there_is_room(tmp_path: Path, make_config: Callable[..., Config]) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        opened = db.connect(make_config(database=str(disk / "db")))
        filler = fill(disk)
        assert sum(lost_with(f"{n}" * 2000) for n in range(50))
        filler.unlink()
        assert not lost()
        opened.close()


def test_a_file_that_was_moved_away_is_waited_for_and_not_made_anew(config: Config) -> None:
    away = config.database_file.with_name("away")
    write()
    db.disconnect()
    config.database_file.rename(away)
    assert lost()
    assert not config.database_file.exists()
    away.rename(config.database_file)
    assert not lost()


def test_a_file_that_became_something_else_is_lost(config: Config) -> None:
    db.disconnect()
    kept = config.database_file.read_bytes()
    for name in ("-wal", "-shm"):
        config.database_file.with_name(config.database_file.name + name).unlink(missing_ok=True)
    config.database_file.write_bytes(b"nothing of the kind" * 500)
    assert lost()
    config.database_file.write_bytes(kept)


@contextmanager
def daemon(config: Config, said: Path, started: Callable[[], object] = lambda: None) -> Iterator[int]:
    """A daemon in a process of its own, which writes what it says to a file."""
    db.disconnect()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            out = os.open(said, os.O_WRONLY | os.O_CREAT)
            sys.stderr = os.fdopen(out, "w", buffering=1)
            logging.configure()
            db.open_database(config)
            running.work(config, workers=2)
            code = 0
        finally:
            os._exit(code)
    try:
        started()
        everybody = ["schedule", "supervisor", "worker", "worker"]
        await_that(lambda: sorted(row.role for row in processes.list_processes()) == everybody)
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.fixture
def shop(postgres: Server, tmp_path: Path) -> Iterator[LocalSite]:
    with own_database(postgres) as url, local_site(tmp_path, THEME, database=url) as made:
        made.run()
        yield made


@pytest.mark.slow
def test_no_process_ends_while_the_database_is_read_only(shop: LocalSite, postgres: Server, tmp_path: Path) -> None:
    said = tmp_path / "said"
    url = shop.config.database
    with daemon(shop.config, said) as pid:
        before = {row.pid for row in processes.list_processes()}
        govern(postgres, url, *_NO_WRITES)
        await_that(lambda: said.read_text().count("the database cannot be used") >= len(before))
        clock.sleep(3)  # a sentence a second would show
        lines = said.read_text()
        assert lines.count("the database cannot be used") <= len(before) + 1, lines
        assert "Traceback" not in lines
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        govern(postgres, url, *_WRITES)
        db.disconnect()
        editorial.add_entry(shop.config, "", "Afterwards", status="published")
        await_that((shop.docroot / "afterwards" / "index.html").exists)
        await_that(lambda: said.read_text().count("the database can be used again") >= 2)
        assert {row.pid for row in processes.list_processes()} == before, "none ended"
    assert "Traceback" not in said.read_text()


@pytest.mark.slow
def test_a_daemon_that_starts_while_the_database_is_read_only_waits(
    shop: LocalSite, postgres: Server, tmp_path: Path
) -> None:
    """As a publishing host does that comes back from a power cut while the database fails over."""
    said = tmp_path / "said"
    url = shop.config.database
    govern(postgres, url, *_NO_WRITES)

    def allow_writes() -> None:
        await_that(lambda: said.exists() and "the database cannot be used" in said.read_text())
        govern(postgres, url, *_WRITES)
        db.disconnect()

    with daemon(shop.config, said, allow_writes):
        editorial.add_entry(shop.config, "", "Afterwards", status="published")
        await_that((shop.docroot / "afterwards" / "index.html").exists)
    assert "Traceback" not in said.read_text()


def typed(*words: str) -> int:
    try:
        ApplianceProgram(name="appliance").run(["appliance", *words])
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_by_hand_ends_with_a_sentence(
    shop: LocalSite,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Any,
) -> None:
    url = shop.config.database
    (shop.folder / "appliance.toml").write_text(
        f'docroot = "{shop.docroot}"\nhost = "here"\ndatabase = "{url}"\n'
        '[[sites]]\nname = "blog"\ntitle = "A Blog"\nurl = "https://blog.example/"\ntheme = "theme"\n'
    )
    monkeypatch.chdir(shop.folder)
    govern(postgres, url, *_NO_WRITES)
    db.disconnect()
    code = typed(*words)
    told = capsys.readouterr()
    assert code == 3, told
    assert "read-only" in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert "Traceback" not in told.err + told.out


def test_a_command_by_hand_on_a_file_that_cannot_be_written(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed("site.init", "site") == 0
    monkeypatch.chdir(tmp_path / "site")
    with sqlite3.connect(tmp_path / "site" / "appliance.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("appliance.db.sqlite._BUSY_TIMEOUT", 0.2)
        capsys.readouterr()
        assert typed("content.add", "One") == 3
    told = capsys.readouterr()
    assert "locked" in told.err
    assert len(told.err.strip().splitlines()) == 1
