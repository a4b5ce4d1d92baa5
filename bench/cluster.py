"""From bare hosts to the first page served, and how a run of site.yml grows with the number of front ends.

The hosts are containers of this machine with systemd and sshd, as those of the scenarios in molecule/: one publishing
host with SQLite and so many front ends, which share the machine's processors; hosts of their own would not. What stays
on the controller then is said as well: the processor time of ansible-playbook and all it starts there. Root, podman and
mmdebstrap are needed.

    ./inv bench cluster [-- --fronts 3 12]
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from devtools import test_hosts
from devtools.checks import ROOT

_NAME = "bench"
_FOLDER = ROOT / ".ansible" / "bench"
_INVENTORY = _FOLDER / "inventory"
#: Seconds nothing here may take.
_PATIENCE = 1800.0
_ENVIRONMENT = {
    **os.environ,
    **test_hosts.ENVIRONMENT,
    "APPLIANCE_HOSTS_TAG": test_hosts.TAG,
    "APPLIANCE_HOSTS_SOCKETS": str(test_hosts.socket_folder(_NAME)),
    "MOLECULE_PROJECT_DIRECTORY": str(ROOT),
    "MOLECULE_SCENARIO_NAME": _NAME,
    "MOLECULE_SCENARIO_DIRECTORY": str(_FOLDER),
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_HOME": str(ROOT / ".ansible" / "home"),
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}


@dataclass(frozen=True)
class Figures:
    """Seconds: of site.yml on bare hosts, until a first page was then served by all, and of site.yml once more.

    `bare_work` and `again_work` are seconds of processor time on the controller.
    """

    bare: float
    bare_work: float
    served: float
    again: float
    again_work: float


def measure(fronts: int) -> Figures:
    """Stand up a cluster of so many front ends, publish a page, run the playbook again, remove it all."""
    with _hosts(fronts) as addresses:
        began = time.monotonic()
        bare, bare_work = _timed("site.yml")
        _ansible(["ansible", "pub1", "--inventory", str(_INVENTORY), "--module-name=ansible.builtin.shell", "--args",
                  "appliance content.add First --text First --status published --address first.html"])  # fmt: skip
        for address in addresses:
            _await_page(address)
        served = time.monotonic() - began
        return Figures(bare, bare_work, served, *_timed("site.yml"))


@contextmanager
def _hosts(fronts: int) -> Iterator[Sequence[str]]:
    """Bare hosts; the addresses of the front ends."""
    groups = {
        "publishers": {"hosts": {"pub1": {"ansible_host": "192.0.2.11"}}},
        "frontends": {"hosts": {f"www{n}": {"ansible_host": f"192.0.2.{20 + n}"} for n in range(1, fronts + 1)}},
    }
    sites = [{"name": "blog", "title": "Field notes", "url": "http://www.example.org/"}]
    inventory = {"all": {"children": {"molecule": {"children": groups}}, "vars": {"appliance_sites": sites}}}
    _INVENTORY.mkdir(parents=True, exist_ok=True)
    (_INVENTORY / "hosts.yml").write_text(yaml.safe_dump(inventory), "utf-8")
    test_hosts.socket_folder(_NAME).mkdir(mode=0o700, exist_ok=True)
    try:
        _play("molecule/shared/create.yml")
        runtime = yaml.safe_load((_INVENTORY / "runtime.yml").read_text("utf-8"))["molecule"]["hosts"]
        yield [about["ansible_host"] for name, about in runtime.items() if name.startswith("www")]
    finally:
        test_hosts.close_connections(_NAME)
        _play("molecule/shared/destroy.yml")
        shutil.rmtree(_FOLDER)
        for sentence in test_hosts.leftovers([_NAME]):
            print(sentence, file=sys.stderr)


def _play(playbook: str) -> None:
    _ansible(["ansible-playbook", "--inventory", str(_INVENTORY), playbook])


def _timed(playbook: str) -> tuple[float, float]:
    """Run a playbook; seconds, and seconds of processor time on this side."""
    began, before = time.monotonic(), os.times()
    _play(playbook)
    after = os.times()
    work = after.children_user - before.children_user + after.children_system - before.children_system
    return time.monotonic() - began, work


def _ansible(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=_PATIENCE)  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")


def _await_page(address: str) -> None:
    """Until a front end serves the page."""
    end = time.monotonic() + _PATIENCE
    while True:
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            connection.request("GET", "/first.html")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if time.monotonic() > end:
            raise SystemExit(f"{address} does not serve the page")
        time.sleep(0.01)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fronts", type=int, nargs="+", default=[3, 12], help="front ends, the fewest first")
    fronts = parser.parse_args().fronts
    if os.geteuid() != 0:
        raise SystemExit("hosts with a systemd of their own need root; run this as root")
    test_hosts.build_image("bookworm")
    _ENVIRONMENT["APPLIANCE_HOSTS_IMAGE"] = test_hosts.image("bookworm")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| front ends | site.yml on bare hosts | of it the controller's processors | first page on all | "
          "site.yml again | of it the controller's processors |\n|---|---|---|---|---|---|", flush=True)  # fmt: skip
    found = []
    for number in fronts:
        found.append(now := measure(number))
        seconds = (now.bare, now.bare_work, now.served, now.again, now.again_work)
        print(f"| {number} | " + " | ".join(f"{figure:.0f} s" for figure in seconds) + " |", flush=True)
    least, most = found[0], found[-1]
    print(f"\nfrom {fronts[0]} to {fronts[-1]} front ends: {most.bare / least.bare:.2f} times on bare hosts "
          f"(the controller's processors {most.bare_work / least.bare_work:.2f} times), "
          f"{most.again / least.again:.2f} times again ({most.again_work / least.again_work:.2f} times)")  # fmt: skip


if __name__ == "__main__":
    main()
