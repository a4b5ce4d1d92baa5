"""The containers that molecule tests use as hosts: their image, and a search for leftovers.

Everything that is started for the tests of this checkout is marked with it. Containers and networks have a label with
the checkout's path, processes have a path below .ansible/molecule or a socket of the checkout on their command line,
network interfaces have an alias. Nothing with the mark of another checkout is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from devtools.checks import ROOT

IMAGES = ROOT / "molecule" / "images"

#: A short prefix of the names of containers, always the same for one checkout.
TAG = f"am{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"

#: The inotify instances that a booted host uses. The kernel limits them for each account; all containers share root's.
_INSTANCES_PER_HOST = 7

#: Makes podman use the settings of this checkout instead of the machine's.
ENVIRONMENT = {"CONTAINERS_CONF": str(IMAGES / "containers.conf")}


def image(suite: str) -> str:
    """Return the name of the image of a bare host of a Debian suite; it depends on the build script's content."""
    recipe = hashlib.sha256((IMAGES / "build").read_bytes()).hexdigest()[:12]
    return f"localhost/appliance-host:{suite}-{recipe}"


def build_image(suite: str) -> bool:
    """Build the image of a suite if podman has none; return whether it was built.

    Raises:
        CalledProcessError: mmdebstrap or podman failed and printed why.
    """
    if _podman("image", "exists", image(suite)).returncode == 0:
        return False
    command = [str(IMAGES / "build"), suite, image(suite)]
    subprocess.run(command, env={**os.environ, **ENVIRONMENT}, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=True)
    return True


def missing_capacity(hosts: int) -> str:
    """Return why this machine cannot boot that many more hosts, and what to do; an empty string if it can.

    Without a free inotify instance systemd boots in part or not at all.
    """
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text("utf-8"))
    used, wanted = sum(_instances(folder) for folder in Path("/proc").glob("[0-9]*")), _INSTANCES_PER_HOST * hosts
    if used + wanted <= limit:
        return ""
    return (
        f"{hosts} test hosts need some {wanted} inotify instances, but of this machine's {limit} only "
        f"{max(0, limit - used)} are free; remove other containers, or raise fs.inotify.max_user_instances with sysctl"
    )


def _instances(process: Path) -> int:
    """Return how many inotify instances a process of root uses."""
    with contextlib.suppress(OSError):
        if process.stat().st_uid == 0:
            return sum(file.readlink() == Path("anon_inode:inotify") for file in (process / "fd").iterdir())
    return 0


def socket_folder(scenario: str) -> Path:
    """Return the folder of ssh's control sockets for a scenario; its path is short, since ssh limits its length."""
    return Path("/run", f"appliance-{TAG}-{scenario}")


def close_connections(scenario: str, *, gone: bool = True) -> None:
    """Close the ssh connections that Ansible and the tests keep open to a scenario's hosts.

    If the hosts are `gone`, the folder of the sockets is removed too.
    """
    for socket in sorted(socket_folder(scenario).glob("*")):
        command = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "any"]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        socket.unlink(missing_ok=True)
    if gone:
        with contextlib.suppress(OSError):
            socket_folder(scenario).rmdir()


def count_running(scenario: str) -> int:
    """Return the number of running containers of a scenario."""
    return len(_podman("ps", "--quiet", *_labels(scenario)).stdout.split())


def leftovers(scenarios: Sequence[str]) -> list[str]:
    """Return a sentence for each container, network, process and network interface that is left of these scenarios."""
    found = []
    for scenario in scenarios:
        for kind, listing in {
            "container": ("ps", "--all", "--format={{.Names}}"),
            "network": ("network", "ls", "--format={{.Name}}"),
        }.items():
            names = _podman(*listing, *_labels(scenario)).stdout.split()
            found += [f"{kind} {name} of scenario {scenario} is still there" for name in names]
        marks = [os.fsencode(mark) for mark in (f"{ROOT}/.ansible/molecule/{scenario}", f"{socket_folder(scenario)}/")]
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
    """Return the command lines that contain a mark, by process id, except for this process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if int(folder.name) != os.getpid() and any(mark in line for mark in marks):
                found[int(folder.name)] = os.fsdecode(line.replace(b"\0", b" ").strip())
    return found


def _interfaces(alias: str) -> list[str]:
    """Return the names of the network interfaces with this alias."""
    found = []
    for file in Path("/sys/class/net").glob("*/ifalias"):
        with contextlib.suppress(OSError):
            if file.read_text("utf-8").strip() == alias:
                found.append(file.parent.name)
    return sorted(found)
