"""An installation driven from the shell, and real front ends."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.demo.frontend import FrontEnd, write_known_hosts
from tests.leftovers import none_left
from tests.local_site import archive, index, tree, write_theme

ROOT = Path(__file__).resolve().parents[2]
#: Seconds nothing here may take.
PATIENCE = 60.0


class Shell:
    """The commands, as people call them, in one installation's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.docroot = folder / "www"
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command that must end with `code`, and without a stack trace."""
        process = self.start(*words)
        out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in out + err, err
        assert process.returncode == code, (words, process.returncode, out, err)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def ready(self) -> None:
        """Import the posts, publish and drain: three commands, one process."""
        self._in_one(["content.import", "posts"], ["publish"], ["drain"])

    def planned(self) -> None:
        """Import the posts and publish: two commands, one process."""
        self._in_one(["content.import", "posts"], ["publish"])

    def _in_one(self, *commands: list[str]) -> None:
        code = (
            "import json, sys; from appliance.tasks.program import ApplianceProgram\n"
            "for words in json.loads(sys.argv[1]):\n"
            "    ApplianceProgram(binary='appliance').run(['appliance', *words], exit=False)"
        )
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", code, json.dumps(commands)]
        subprocess.run(words, cwd=self.folder, env=env, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own."""
        env = {key: value for key, value in os.environ.items() if key != "APPLIANCE_CONFIG"}
        return subprocess.Popen(
            [sys.executable, "-c", "from appliance.tasks import main; main()", *words],
            cwd=self.folder, env={**env, "PYTHONPATH": str(ROOT)}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def settings(self, more: str = "", site: str = "") -> None:
        """Write the settings: one site, `theme` beside them."""
        (self.folder / "appliance.toml").write_text(
            f'docroot = "{self.docroot}"\nhost = "here"\n{more}\n'
            f'[[sites]]\nname = "blog"\ntitle = "Blog"\nurl = "https://blog.example/"\ntheme = "./theme"\n{site}\n',
            "utf-8",
        )

    def theme(self, manifest: str = "", **files: str) -> None:
        """Write the theme; a file's name has an underscore for its dot."""
        plain = {"entry.html": "{{ entry.title }} {{ entry.html }}", "listing.html": "{{ listing.total }}"}
        named = {name.replace("_", "."): text for name, text in files.items()}
        standard = index("index.html") + archive("entry", "{slug}/") + archive("page", "{folder}/{slug}/")
        write_theme(self.folder / "theme", manifest or standard, {**plain, **named})

    def post(self, name: str, text: str = "Hello.", **front: Any) -> Path:
        """Write a post."""
        file = self.folder / "posts" / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        front = {"title": name, "date": "2026-01-01", **front}
        lines = [f"{key}: {json.dumps(value)}" for key, value in front.items()]
        file.write_text("\n".join(["---", *lines, "---", "", text, ""]), "utf-8")
        return file

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the database."""
        connection = sqlite3.connect(self.folder / "appliance.db", timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def state(self) -> tuple[object, ...]:
        """All that a refused command must leave as it was."""
        if not (self.folder / "appliance.db").exists():
            return (None,)
        tables = ("entry", "artifact", "job", "publication")
        rows = [self.ask(f"SELECT * FROM {table} ORDER BY 1") for table in tables]
        return (*rows, tree(self.docroot) if self.docroot.is_dir() else None)

    def await_that(self, condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
        """Look until it is so."""
        limit = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < limit, "it never came to be"
            assert process is None or process.poll() is None, process and process.communicate()
            time.sleep(0.005)

    def published(self) -> int:
        """Files that were published so far."""
        return int(self.ask("SELECT COUNT(*) FROM publication")[0][0])

    def deliver_to(self, front_ends: Sequence[FrontEnd], more: str = "", tries: int = 4) -> None:
        """Settings with these front ends."""
        key = self.folder.parent / "key"
        text = f'{more}\n[delivery]\nssh_key = "{key}"\nknown_hosts = "{key}.known"\n'
        text += f"tries = {tries}\nconnect_timeout = 2\n"
        for front_end in front_ends:
            target = front_end.settings()
            text += f'[[targets]]\nname = "{target.name}"\naddress = "{target.address}"\naccess = "module"\n'
            text += f"port = {target.port}\nother_path = true\n"
        self.settings(text)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A site with a theme of three templates, and no posts."""
    made = Shell(tmp_path / "site")
    made.settings()
    made.theme()
    return made


@pytest.fixture(scope="module")
def front_ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[FrontEnd]]]:
    """Two front ends, and the folder whose `key` they accept; ended with all they started."""
    folder = tmp_path_factory.mktemp("front")
    made = [FrontEnd(folder / name, folder / "key", name) for name in ("www1", "www2")]
    with none_left():
        try:
            for front_end in made:
                front_end.start(http=False)
            write_known_hosts(folder / "key.known", made)
            yield folder, made
        finally:
            for front_end in made:
                front_end.stop()
