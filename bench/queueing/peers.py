"""Other queues beside ours, in an environment made for them and thrown away."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from appliance import clock
from bench.queueing.figures import Latency

PACKAGES = ("huey", "procrastinate[psycopg]", "psycopg[binary]", "rq", "celery", "redis")
#: What each keeps its jobs in.
PEERS = {"huey": "SQLite", "procrastinate": "PostgreSQL", "rq": "Redis", "celery": "Redis"}


def measure(folder: Path, postgres_url: str, *, jobs: int, samples: int) -> Iterator[tuple[str, str, str]]:
    """Name with store, jobs a second and latency of each; a sentence instead of figures where there are none."""
    try:
        python = environment(folder / "venv", PACKAGES)
    except subprocess.CalledProcessError as error:
        yield "peers", "could not be installed", str(error.stderr).strip().splitlines()[-1]
        return
    with _redis(folder) as redis:
        addresses = {"huey": "-", "procrastinate": postgres_url, "rq": redis, "celery": redis}
        for name, kept in PEERS.items():
            if addresses[name] is None:
                yield f"{name} ({kept})", "not measured", "redis-server is not installed"
                continue
            yield (f"{name} ({kept})", *_one(python, name, folder, str(addresses[name]), jobs, samples))


def environment(place: Path, packages: Sequence[str]) -> Path:
    """Install packages into a new environment, and return its Python.

    Raises:
        subprocess.CalledProcessError: they cannot be installed.
    """
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    subprocess.run(install, check=True, capture_output=True, text=True)
    return python


def _one(python: Path, name: str, folder: Path, address: str, jobs: int, samples: int) -> tuple[str, str]:
    script = Path(__file__).with_name("peer.py")
    command = [python, script, name, folder, address, str(jobs), str(samples)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    except subprocess.CalledProcessError as error:
        return "failed", error.stderr.strip().splitlines()[-1]
    except subprocess.TimeoutExpired:
        return "failed", "it took more than 300 s"
    rate, *waits = map(float, done.stdout.split())
    return f"{rate:,.0f}", f"{Latency.of(waits)} of {len(waits)}"


@contextmanager
def _redis(folder: Path) -> Iterator[str | None]:
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    address = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        while not address.exists() and server.poll() is None:
            clock.sleep(0.02)
        yield str(address)
    finally:
        server.terminate()
        server.wait()
