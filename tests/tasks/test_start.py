"""A command starts without importing what it does not use."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import publishing, running, status
from appliance.queue.handlers import registry
from appliance.tasks import command_table
from devtools import reference
from devtools.command_table import all_tasks, register
from tests.postgresql import Server

register()

#: What only commands that build, deliver, import or draw need.
_LIBRARIES = {
    "PIL",
    "asyncio",
    "comrak",
    "defusedxml",
    "jinja2",
    "markupsafe",
    "nh3",
    "playhouse",
    "prometheus_client",
    "psycopg",
    "pygments",
    "rich",
    "structlog",
    "unittest",
}
_ROOMS = {
    "appliance.building",
    "appliance.editorial",
    "appliance.exporting",
    "appliance.housekeeping",
    "appliance.importing",
    "appliance.notifications",
    "appliance.planning",
    "appliance.publishing",
    "appliance.pull_job",
    "appliance.running",
}
_DATABASE = {"peewee", "sqlite3", "appliance.db", "appliance.queue", "appliance.delivery", "appliance.content"}
_SETTINGS = {"pydantic", "pydantic_core", "appliance.config"}

_TELLING = "import json, sys\n{}\nsys.stderr.write('\\n' + json.dumps([n for n, m in sys.modules.items() if m]))"
_COMMAND = """
from appliance.tasks import main
sys.argv = ["appliance", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def imported(folder: Path, code: str, *words: str, config: str = "appliance.toml") -> set[str]:
    """The modules that a process of its own has imported in the end."""
    environ = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    ran = subprocess.run(
        [sys.executable, "-c", _TELLING.format(code), json.dumps(words)],
        cwd=folder,
        env={**environ, "APPLIANCE_CONFIG": str(folder / config)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stderr.splitlines()[-1]))


#: A question to one table, which a room has for whoever reports.
_REPORTS = {"appliance.planning", "appliance.planning.faults"}


def those_of(modules: set[str], names: set[str]) -> set[str]:
    return {module for module in modules if any(module == name or module.startswith(f"{name}.") for name in names)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with a target and two jobs."""
    folder = tmp_path_factory.mktemp("start")
    imported(folder, _COMMAND, "site.init", ".")
    with (folder / "appliance.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'[[targets]]\nname = "www1"\naddress = "{folder}/www1"\nother_path = true\n')
    imported(folder, _COMMAND, "publish")
    return folder


#: Modules that a command may import beyond Python's and invoke's own: a little more than it does.
_MOST = {"status": 200, "jobs.list": 160, "processes.list": 160, "targets.list": 210}


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_the_version_is_told_without_importing_anything_that_runs_commands(home: Path, words: list[str]) -> None:
    modules = imported(home, _COMMAND, *words)
    assert not those_of(modules, {*_LIBRARIES, *_ROOMS, *_DATABASE, *_SETTINGS, "invoke"})
    assert those_of(modules, {"appliance"}) == {"appliance", "appliance.lazy_imports", "appliance.tasks"}


@pytest.mark.parametrize("words", [["--help"], ["--list"], ["--complete", "--", "appliance jobs."], []])
def test_what_there_is_is_told_without_the_rooms_that_do_it(home: Path, words: list[str]) -> None:
    modules = imported(home, _COMMAND, *words)
    assert not those_of(modules, {*_LIBRARIES, *_ROOMS, *_DATABASE, *_SETTINGS})
    assert len(modules - imported(home, "import invoke")) < 30


@pytest.mark.parametrize("words", [[name] for name in _MOST] + [["jobs.show", "1"], ["status", "--json"]])
def test_a_command_that_only_looks_imports_no_room_that_works(home: Path, words: list[str]) -> None:
    modules = imported(home, _COMMAND, *words)
    assert "appliance.db" in modules
    assert not those_of(modules, {*_LIBRARIES, *_ROOMS}) - _REPORTS
    if most := _MOST.get(words[0]):
        assert len(modules - imported(home, "import invoke")) < most


@pytest.mark.parametrize("words", [["targets.pause", "www1"], ["targets.resume", "www1"], ["jobs.delete", "999999"]])
def test_nor_does_one_that_marks_a_row(home: Path, words: list[str]) -> None:
    modules = imported(home, _COMMAND.replace("not end.code", "end.code in (None, 0, 1)"), *words)
    assert not those_of(modules, {*_LIBRARIES, *_ROOMS})


def test_a_database_on_a_server_has_its_driver(home: Path, postgres: Server) -> None:
    settings = (home / "appliance.toml").read_text("utf-8")
    (home / "server.toml").write_text(f'database = "{postgres.fresh()}"\n{settings}', "utf-8")
    modules = imported(home, _COMMAND, "status", config="server.toml")
    assert "psycopg" in modules
    assert not those_of(modules, _ROOMS) - _REPORTS


def test_compiled_code_is_kept_of_what_is_imported_after_the_command_line_was_read(home: Path) -> None:
    code = f"sys.dont_write_bytecode = False\n{_COMMAND}\nassert not sys.dont_write_bytecode"
    assert "appliance.queue.store" in imported(home, code, "status")


@pytest.mark.parametrize("name", sorted(command_table.COMMANDS))
def test_the_table_says_of_each_command_what_the_command_says(name: str) -> None:
    assert inspect.getdoc(command_table.load_task(name).body).splitlines()[0] == command_table.COMMANDS[name][1]
    assert {name: task.name for name, task in reference.tasks(all_tasks())}.keys() == command_table.COMMANDS.keys()


def test_status_knows_every_kind_of_work() -> None:
    assert running and publishing  # which register them
    assert set(registry.names()) == status.KINDS
