"""Containers that stand in for the hosts of a cluster: their image, and what is left of them.

Whatever is started for the tests of this checkout carries its mark: containers and networks a label with the
checkout's path, processes a path below its .ansible/molecule or a socket of ours on their command line, network
interfaces an alias. What carries another checkout's mark is never touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.tasks.house import ROOT

IMAGES = ROOT / "molecule" / "images"

#: Short, and the same for one checkout always: it begins the names of its containers.
TAG = f"am{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"

#: What a booted host holds of the inotify instances that the kernel grants an account; all containers' root is one.
_INSTANCES = 7

#: podman goes by the file of this checkout, not by that of the host.
ENVIRONMENT = {"CONTAINERS_CONF": str(IMAGES / "containers.conf")}


def image(suite: str) -> str:
    """The name of the image of a bare host of this Debian suite; a changed recipe is another name."""
    recipe = hashlib.sha256((IMAGES / "build").read_bytes()).hexdigest()[:12]
    return f"localhost/appliance-host:{suite}-{recipe}"


def build_image(suite: str) -> bool:
    """Make the image of a suite if podman has none; whether it had to be made.

    Raises:
        CalledProcessError: mmdebstrap or podman failed, having said why.
    """
    if _podman("image", "exists", image(suite)).returncode == 0:
        return False
    command = [str(IMAGES / "build"), suite, image(suite)]
    subprocess.run(command, env={**os.environ, **ENVIRONMENT}, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=True)
    return True


def lacking(hosts: int) -> str:
    """Why this machine cannot boot so many more hosts, and what to do; empty if it can.

    A systemd that gets no inotify instance of the kernel's few boots in part or not at all.
    """
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text("utf-8"))
    used, wanted = sum(_instances(folder) for folder in Path("/proc").glob("[0-9]*")), _INSTANCES * hosts
    if used + wanted <= limit:
        return ""
    return (
        f"{hosts} test hosts need some {wanted} inotify instances, but of this machine's {limit} only "
        f"{max(0, limit - used)} are free; remove other containers, or raise fs.inotify.max_user_instances with sysctl"
    )


def _instances(process: Path) -> int:
    """The inotify instances a process of root's holds."""
    with contextlib.suppress(OSError):
        if process.stat().st_uid == 0:
            return sum(file.readlink() == Path("anon_inode:inotify") for file in (process / "fd").iterdir())
    return 0


def sockets(scenario: str) -> Path:
    """Where ssh keeps the sockets of connections to a scenario's hosts; paths of some hundred characters at most."""
    return Path("/run", f"appliance-{TAG}-{scenario}")


def hang_up(scenario: str, *, gone: bool = True) -> None:
    """End the ssh connections that Ansible and the tests keep open to a scenario's hosts, which may be `gone`."""
    for socket in sorted(sockets(scenario).glob("*")):
        command = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "any"]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        socket.unlink(missing_ok=True)
    if gone:
        with contextlib.suppress(OSError):
            sockets(scenario).rmdir()


def up(scenario: str) -> int:
    """How many containers of a scenario run."""
    return len(_podman("ps", "--quiet", *_labels(scenario)).stdout.split())


def left(scenarios: Sequence[str]) -> list[str]:
    """Sentences naming every container, network, process and interface that there is still of these scenarios."""
    found = []
    for scenario in scenarios:
        for kind, listing in {
            "container": ("ps", "--all", "--format={{.Names}}"),
            "network": ("network", "ls", "--format={{.Name}}"),
        }.items():
            names = _podman(*listing, *_labels(scenario)).stdout.split()
            found += [f"{kind} {name} of scenario {scenario} is still there" for name in names]
        marks = [os.fsencode(mark) for mark in (f"{ROOT}/.ansible/molecule/{scenario}", f"{sockets(scenario)}/")]
        found += [f"process {number} is still running: {line}" for number, line in _processes(marks).items()]
        found += [f"network interface {name} is still there" for name in _interfaces(f"appliance {TAG} {scenario}")]
    return list(dict.fromkeys(found))


def _labels(scenario: str) -> list[str]:
    return [f"--filter=label=appliance.checkout={ROOT}", f"--filter=label=appliance.scenario={scenario}"]


def _podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **ENVIRONMENT}
    command = ["podman", *arguments]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _processes(marks: Sequence[bytes]) -> Mapping[int, str]:
    """Command lines that hold any of the marks, by process; those of this process are not looked at."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if int(folder.name) != os.getpid() and any(mark in line for mark in marks):
                found[int(folder.name)] = os.fsdecode(line.replace(b"\0", b" ").strip())
    return found


def _interfaces(alias: str) -> list[str]:
    """Network interfaces of this alias, by name."""
    found = []
    for file in Path("/sys/class/net").glob("*/ifalias"):
        with contextlib.suppress(OSError):
            if file.read_text("utf-8").strip() == alias:
                found.append(file.parent.name)
    return sorted(found)
