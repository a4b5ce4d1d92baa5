"""`python -m tests.soak --seconds 600 --seed N`: a fault run, as `./inv soak` starts it.

As root it runs in name spaces of its own: whatever becomes of it, its processes and its small disk are gone with it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.postgresql import Server, installed
from tests.soak.run import Order, Run

#: Seconds that everything but the load may take.
_BESIDES = 240
_APART = "APPLIANCE_SOAK_APART"
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")


def main() -> int:
    order = _ordered()
    if _may_be_apart():
        # A shell is the first process there: it asks after every child that ends, also those that are not its own.
        inside = [
            "sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            sys.executable,
            "-m",
            "tests.soak",
            *sys.argv[1:],
            f"--seed={order.seed}",
        ]
        return subprocess.run([*_UNSHARE, *inside], env={**os.environ, _APART: "1"}, check=False).returncode
    if not installed() or not shutil.which("rsync"):
        print("a fault run needs the server programs of PostgreSQL, and rsync (apt-get install postgresql rsync)")
        return 3
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _told_to_end)
    signal.alarm(int(order.seconds) + _BESIDES)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    print(
        f"seed {order.seed}: {order.seconds:.0f} s, {order.rate:g} edits a second, a fault every {order.gap:g} s",
        flush=True,
    )
    run = None
    try:
        with Server() as server:
            run = Run(folder, server, order)
            run.go()
    except Exception:
        traceback.print_exc()
        wrong = ["the run broke off", *(run.wrong if run else [])]
    else:
        wrong = run.wrong
    for fault in wrong[:40]:
        print(f"WRONG: {fault}")
    if wrong:
        print(f"{len(wrong)} things were wrong with seed {order.seed}; the logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    print("nothing was wrong")
    return 0


def _ordered() -> Order:
    parser = argparse.ArgumentParser(prog="soak", description="A fault run.")
    parser.add_argument("--seconds", type=float, default=600, help="how long it is under load")
    parser.add_argument("--seed", type=int, default=None, help="what chance is drawn from; a new one if not given")
    parser.add_argument("--rate", type=float, default=20, help="edits a second")
    parser.add_argument("--gap", type=float, default=5, help="seconds between two faults, on average")
    parser.add_argument("--without", action="append", default=[], help="a kind of fault to leave out")
    given = parser.parse_args()
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    return Order(seed, given.seconds, given.gap, given.rate, without=tuple(given.without))


def _may_be_apart() -> bool:
    if os.geteuid() or _APART in os.environ or not shutil.which("unshare"):
        return False
    return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def _too_long(_number: int, _frame: object) -> None:
    raise TimeoutError("the run took too long")


def _told_to_end(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
