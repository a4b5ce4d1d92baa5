"""An operator's hands: commands on hosts, playbooks, an inventory that changes, power that fails."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import testinfra
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DOCROOT = "/srv/www"

#: The Debian release that the hosts are to run.
SUITE = os.environ.get("MOLECULE_SUITE", "bookworm")

#: Seconds for a playbook, and for a cluster to become level, on a machine as busy and slow as one likes.
PLAYBOOK = 900.0
LEVEL = 240.0

#: Seconds between two changes of an editor; a change is a command, which keeps a processor busy for most of one.
_BETWEEN = 2.0

_FILES = f"""cd {DOCROOT} && find . -name '.~tmp~' -prune -o ! -type d -printf '%P\\t%m %U:%G %T@\\n' | LC_ALL=C sort
find . -name '.~tmp~' -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum 2>/dev/null || true"""


class Cluster:
    """The hosts of a scenario, which of them publish and which serve now, and the inventory that says so."""

    def __init__(self, scenario: Path) -> None:
        """Take the hosts of the scenario in this folder, which are up.

        The inventory is a copy, which may be changed.
        """
        self.inventory = CHECKOUT / ".ansible" / "molecule" / scenario.name / "inventory"
        shutil.rmtree(self.inventory, ignore_errors=True)
        shutil.copytree(scenario / "inventory", self.inventory)
        written = yaml.safe_load((self.inventory / "runtime.yml").read_text("utf-8"))["molecule"]
        self._ssh: str = written["vars"]["ansible_ssh_common_args"]
        runtime = written["hosts"]
        self.addresses: dict[str, str] = {name: about["ansible_host"] for name, about in runtime.items()}
        self._containers = {name: about["container"] for name, about in runtime.items()}
        self._hosts = {
            name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(self.inventory)) for name in runtime
        }
        self.publishers = self._group("publishers")
        self.frontends = self._group("frontends")
        with ThreadPoolExecutor(len(runtime)) as pool:
            releases = dict(
                zip(runtime, pool.map(lambda name: self.host(name).system_info.codename, runtime), strict=True)
            )
        # Else hosts kept from another run would be taken for the release that was asked for.
        assert set(releases.values()) == {SUITE}, releases

    def host(self, name: str) -> Any:
        """The host as testinfra has it."""
        return self._hosts[name]

    def run(self, name: str, command: str, *words: str) -> str:
        """Run a shell command as root on a host, `%s` standing for the words; what it says."""
        return str(self._hosts[name].check_output(command, *words))

    def appliance(self, name: str, *words: str) -> str:
        """Run a task of the appliance on a publishing host; what it says."""
        return self.run(name, "appliance" + " %s" * len(words), *words)

    def served(self) -> dict[str, str]:
        """The addresses of the front ends in service, by name."""
        return {name: self.addresses[name] for name in self.frontends}

    def play(self, playbook: str, *words: str, fails: str = "") -> float:
        """Run a playbook with the inventory as it is now; the seconds it took.

        Args:
            fails: what it has to say, on one line, when it is expected to fail.
        """
        began = time.monotonic()
        command = ["ansible-playbook", f"--inventory={self.inventory}", f"playbooks/{playbook}", *words]
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PLAYBOOK, stdin=subprocess.DEVNULL
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == bool(fails), f"{' '.join(command)}: {done.returncode}\n{said[-6000:]}"
        assert fails in " ".join(said.split()), said[-6000:]
        return time.monotonic() - began

    def add(self, name: str, group: str) -> None:
        """Write a host into a group of the inventory."""
        self._edit(lambda groups: groups[group]["hosts"].update({name: {}}))

    def remove(self, name: str, group: str) -> None:
        """Take a host out of a group of the inventory."""
        self._edit(lambda groups: groups[group]["hosts"].pop(name))

    def let(self, variable: str, value: str) -> None:
        """Set a variable in the inventory, for all hosts."""
        file = self.inventory / "hosts.yml"
        hosts = yaml.safe_load(file.read_text("utf-8"))
        hosts["all"].setdefault("vars", {})[variable] = value
        file.write_text(yaml.safe_dump(hosts), "utf-8")

    def cut_power(self, name: str) -> None:
        """Have a host go from one moment to the next."""
        self._podman("kill", "--signal=KILL", self._containers[name])
        self._close_connections(name)

    def start(self, name: str) -> None:
        """Switch a host on again, and wait until it answers."""
        self._podman("start", self._containers[name])
        self._await_answer(name)

    def reboot(self, *names: str) -> None:
        """Have hosts shut down and start again, and wait until they answer."""
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: self._podman("restart", "--time=60", self._containers[name]), names))
        for name in names:
            self._close_connections(name)
            self._await_answer(name)

    def console(self, name: str, command: str) -> None:
        """Run a shell command as root at a host's console, which does not need its sshd."""
        self._podman("exec", self._containers[name], "sh", "-ec", command)

    def _await_answer(self, name: str) -> None:
        deadline = time.monotonic() + LEVEL
        while True:
            try:
                self._hosts[name].run("true")
            except RuntimeError:
                assert time.monotonic() < deadline, f"{name} does not come up"
                time.sleep(0.1)
            else:
                return

    def bring(self, path: Path, name: str, to: str) -> None:
        """Copy a file or a folder of this machine to a host."""
        self._podman("cp", str(path), f"{self._containers[name]}:{to}")

    def files(self, *names: str) -> dict[str, dict[str, str]]:
        """What each host's docroot holds: mode, owner, time and digest of every file, by host and path."""
        with ThreadPoolExecutor(len(names)) as pool:
            return dict(zip(names, pool.map(self._files, names), strict=True))

    def await_level(self, *names: str, seconds: float = LEVEL) -> dict[str, str]:
        """Wait until nothing is on the queue and these hosts, all in use if none is named, hold the same.

        Returns:
            What the docroot of the first holds, as of `files`.
        """
        names = names or (*self.publishers, *self.frontends)
        deadline = time.monotonic() + seconds
        while True:
            jobs = json.loads(self.appliance(self.publishers[0], "status", "--json"))["jobs"]
            if jobs["pending"] + jobs["running"] == 0:
                found = self.files(*names)
                differing = [
                    _difference(found[names[0]], name, found[name]) for name in names if found[name] != found[names[0]]
                ]
                if not differing:
                    assert not jobs["failed"], f"{jobs['failed']} jobs failed"
                    return found[names[0]]
            else:
                differing = [f"the queue ({jobs['pending'] + jobs['running']} jobs)"]
            assert time.monotonic() < deadline, f"not level after {seconds:.0f} s: {', '.join(differing)}"

    def _files(self, name: str) -> dict[str, str]:
        found = dict[str, str]()
        for line in self.run(name, _FILES).splitlines():
            if "\t" in line:
                path, about = line.split("\t")
                found[path] = about
            else:
                digest, path = line.split("  ./", 1)
                found[path] = f"{found.get(path, 'come meanwhile')} {digest}"
        return found

    def _group(self, name: str) -> list[str]:
        hosts = yaml.safe_load((self.inventory / "hosts.yml").read_text("utf-8"))
        return list(hosts["all"]["children"]["molecule"]["children"][name]["hosts"])

    def _edit(self, change: Any) -> None:
        file = self.inventory / "hosts.yml"
        hosts = yaml.safe_load(file.read_text("utf-8"))
        change(hosts["all"]["children"]["molecule"]["children"])
        file.write_text(yaml.safe_dump(hosts), "utf-8")

    def _close_connections(self, name: str) -> None:
        """Close the connection that ssh keeps open, which would not notice that its host has gone."""
        command = ["ssh", *shlex.split(self._ssh), "-O", "exit", f"root@{self.addresses[name]}"]
        subprocess.run(command, capture_output=True, check=False, timeout=60)

    def _podman(self, *words: str) -> None:
        subprocess.run(["podman", *words], check=True, capture_output=True, timeout=120)


def _difference(right: dict[str, str], name: str, wrong: dict[str, str]) -> str:
    paths = sorted(path for path in right.keys() | wrong.keys() if right.get(path) != wrong.get(path))
    shown = "; ".join(f"{path}: {wrong.get(path)}, not {right.get(path)}" for path in paths[:3])
    return f"{name} ({len(paths)} files differ: {shown})"


class Editor:
    """An editor who changes one page again and again, on one publishing host after another."""

    def __init__(self, cluster: Cluster, page: str, slug: str) -> None:
        self.page, self.last, self.changes = page, "", 0
        self._cluster, self._slug = cluster, slug
        self._faults: list[str] = []

    @contextmanager
    def at_work(self, *publishers: str) -> Iterator[None]:
        """Make changes meanwhile; afterwards none has been refused and all front ends in service show the last."""
        ended = threading.Event()
        thread = threading.Thread(target=self._work, args=(publishers, ended), name="editor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        assert not self._faults, self._faults

    def change(self, publisher: str) -> None:
        """Give the page another title."""
        title = f"Revision {self.changes + 1}"
        done = self._cluster.host(publisher).run("appliance content.edit %s --title %s", self._slug, title)
        if done.rc == 0:
            self.changes, self.last = self.changes + 1, title
        else:
            self._faults.append(f"{publisher}: {done.stderr}")

    def _work(self, publishers: tuple[str, ...], ended: threading.Event) -> None:
        turn = 0
        while not ended.wait(_BETWEEN):
            self.change(publishers[turn % len(publishers)])
            turn += 1
