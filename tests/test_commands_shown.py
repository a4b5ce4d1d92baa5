"""The commands of the front page and the tutorial, typed as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs" / "tutorial" / "two-front-ends.md"

#: What a test replaces: the environment is made already, and nobody looks at the site.
REPLACED = {"./inv ": "appliance ", ". .venv/bin/activate": "true", "python3 -m http.server --directory": "ls"}


def blocks(text: str) -> str:
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for shown, typed in REPLACED.items():
        commands = commands.replace(shown, typed)
    return commands


def typed(commands: str, home: Path) -> str:
    programs = home / "bin"
    programs.mkdir()
    appliance = programs / "appliance"
    appliance.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'from appliance.tasks import main; main()' \"$@\"\n")
    appliance.chmod(0o755)
    surroundings = {
        **os.environ,
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(["sh", "-ec", commands], cwd=home, env=surroundings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_front_page_publishes_a_folder(tmp_path: Path) -> None:
    posts = tmp_path / "posts"
    posts.mkdir()
    (posts / "2026-11-09-hello.md").write_text("# Hello\n\nA post.\n", "utf-8")
    # A cluster is stood up by the scenarios in molecule/.
    on_this_host = (ROOT / "README.md").read_text("utf-8").partition("## Stand up a cluster")[0]
    listed = typed(blocks(on_this_host), tmp_path)
    assert {"index.html", "feed.xml", "2026"} <= set(listed.split())


def test_the_tutorial_publishes_edits_and_comments(tmp_path: Path) -> None:
    on_one_host = TUTORIAL.read_text("utf-8").partition("## Step 3")[0]
    said = typed(blocks(on_one_host), tmp_path)
    page = (tmp_path / "site" / "www" / "2026" / "11" / "hello" / "index.html").read_text("utf-8")
    assert "Our very first post" in page
    assert "Nice." in page
    assert "1 changed, 1 unchanged" in said
