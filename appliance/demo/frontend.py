"""A front end on this machine: a real sshd and a real nginx on high loopback ports.

Nothing is left running. Both servers are ended by process id together with everything they started, and the kernel
ends them if the process that started them is killed. A folder that was used before works again with the same keys.
Works as root and as an ordinary user.

The publishing host's key can only run a forced rsync daemon with one module, the docroot, which is write-only.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import select
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance import clock
from appliance.config import TargetSettings
from appliance.demo.nginx import Upstream, nginx_config
from appliance.errors import DeliveryError

#: The required programs, and the Debian package of each.
PROGRAMS = {
    "sshd": "openssh-server",
    "nginx": "nginx",
    "rsync": "rsync",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}

HOST = "127.0.0.1"

#: The lowest port to use. Well-known servers use lower ones.
_FIRST_PORT = 12_000

#: Seconds to wait until a server listens, or until it has ended.
_TIMEOUT = 10.0

#: PATH, and folders for server programs that are not on an ordinary user's PATH.
_PROGRAM_FOLDERS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin"])


class FrontEnd:
    """A front end in `folder`. The private key at the path `key` may publish to it, and is created if missing.

    With `upstream`, nginx passes requests below one path to a web process.
    """

    def __init__(
        self, folder: Path, key: Path, name: str = "front", forced: str | None = None, *, rsync: str = "rsync",
        upstream: Upstream | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.folder = folder.absolute()
        self.key = key
        self.docroot = self.folder / "docroot"
        #: The ports stay the same when the servers are stopped and started again.
        self.ssh_port = free_port()
        self.http_port = free_port()
        self._forced = forced
        self._rsync = rsync
        self._upstream = upstream
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """The URL of the docroot, ending with /."""
        return f"http://{HOST}:{self.http_port}/"

    @property
    def known_host(self) -> str:
        """The line of a known_hosts file that pins the host key of this front end."""
        kind, key = (self.folder / "host_key.pub").read_text("ascii").split()[:2]
        return f"[{HOST}]:{self.ssh_port} {kind} {key}\n"

    @property
    def sshd_pid(self) -> int:
        """The process id of the running sshd."""
        return int((self.folder / "sshd.pid").read_text("ascii"))

    @property
    def pids(self) -> list[int]:
        """The process ids of the running servers."""
        return [server.pid for server in self._servers]

    def settings(self) -> TargetSettings:
        """Return the settings of a target for this front end."""
        user = pwd.getpwuid(os.getuid()).pw_name
        return TargetSettings(
            name=self.name,
            address=f"{user}@{HOST}:{self.docroot}",
            access="module",
            port=self.ssh_port,
            other_path=True,
        )

    def prepare(self) -> None:
        """Create folders, keys and the configuration of each server. Existing keys are kept."""
        self.docroot.mkdir(parents=True, exist_ok=True)
        make_key(self.folder / "host_key")
        make_key(self.key)
        self._write("rsyncd.conf", _rsyncd_config(self.folder, self.docroot))
        forced = self._forced or self._daemon()
        public = self.key.with_name(self.key.name + ".pub").read_text("ascii").strip()
        escaped = forced.replace('"', '\\"')
        self._write("authorized_keys", f'restrict,command="{escaped}" {public}\n')
        self._write("sshd_config", _sshd_config(self.folder, self.ssh_port))
        nginx = nginx_config(self.folder, self.docroot, HOST, self.http_port, self.name, self._upstream)
        self._write("nginx.conf", nginx)

    def start(self, *, http: bool = True) -> None:
        """Start sshd, and nginx unless `http` is false, and wait until they listen.

        Raises:
            DeliveryError: a server is not installed or did not start.
        """
        self.prepare()
        self.start_sshd()
        if http:
            self._serve("nginx", ["-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"], self.http_port)

    def start_sshd(self) -> None:
        """Start only sshd, for example after `stop`."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._serve("sshd", ["-D", "-e", "-f", str(self.folder / "sshd_config")], self.ssh_port)

    def stop(self) -> None:
        """End both servers and everything they started."""
        while self._servers:
            end_process_tree(self._servers.pop())

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _daemon(self) -> str:
        settings = shlex.quote(str(self.folder / "rsyncd.conf"))
        return f"{shlex.quote(_program(self._rsync))} --server --daemon --config={settings} ."

    def _serve(self, program: str, arguments: list[str], port: int) -> None:
        log = self.folder / f"{program}.log"
        with log.open("ab") as output:
            server = subprocess.Popen(
                with_parent_death_signal([_program(program), *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._servers.append(server)
        if not _listens(port, server):
            last = " ".join(log.read_text("utf-8", "replace").split()[-40:])
            raise DeliveryError(f"{program} did not start on {HOST}:{port}; see {log} ({last})")

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text, "utf-8")
        path.chmod(0o600)


def make_key(path: Path) -> None:
    """Create an ed25519 key at `path`, with the public key beside it, unless it exists."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "appliance", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def write_known_hosts(known_hosts: Path, front_ends: list[FrontEnd]) -> None:
    """Write a known_hosts file with exactly the host keys of `front_ends`."""
    known_hosts.write_text("".join(front_end.known_host for front_end in front_ends), "ascii")


def require_programs() -> None:
    """Check that all required programs are installed.

    Raises:
        DeliveryError: with all missing programs and the packages to install.
    """
    absent = [name for name in PROGRAMS if not shutil.which(name, path=_PROGRAM_FOLDERS)]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        packages = " ".join(sorted({PROGRAMS[name] for name in absent}))
        raise DeliveryError(f"{', '.join(absent)} {verb} not on this host; install with: apt-get install {packages}")


def with_parent_death_signal(command: list[str], signal_name: str = "TERM") -> list[str]:
    """Return `command` so that the kernel sends it this signal when the thread that started it ends."""
    setpriv = shutil.which("setpriv", path=_PROGRAM_FOLDERS)
    return [setpriv, "--pdeathsig", signal_name, "--", *command] if setpriv else command


def free_port() -> int:
    """Return a loopback port that is free now.

    The port is outside the range of ephemeral ports. The kernel could give one of those to a connection or another
    server before the caller listens, or while the caller's server is stopped.
    """
    for _ in range(100):
        port = _FIRST_PORT + secrets.randbelow(_first_ephemeral_port() - _FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise DeliveryError(f"no port of {HOST} from {_FIRST_PORT} on is free; end what listens there")


def _first_ephemeral_port() -> int:
    """Return the lowest ephemeral port, which the kernel assigns by itself."""
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except OSError:
        low = 0
    return low if low > _FIRST_PORT + 1000 else 32768


def end_process_tree(server: subprocess.Popen[bytes]) -> None:
    """End a process and all its descendants, each by its process id, and wait until they are gone."""
    handles = []
    for pid in [server.pid, *descendants(server.pid)]:
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for handle in handles:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
            deadline = clock.monotonic() + _TIMEOUT / 2
            if all(select.select([h], [], [], max(0.0, deadline - clock.monotonic()))[0] for h in handles):
                break
    finally:
        for handle in handles:
            os.close(handle)
    server.wait()


def descendants(pid: int, *, but: Collection[int] = ()) -> list[int]:
    """Return the process ids of all descendants of `pid` from /proc, except those in `but` and their descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # The process name is in parentheses and may contain anything; the parent is the second word after it.
                parent = int((folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found, left = [], [pid]
    while left:
        below = [child for child in children.get(left.pop(), []) if child not in but]
        found += below
        left += below
    return found


def _listens(port: int, server: subprocess.Popen[bytes]) -> bool:
    deadline = clock.monotonic() + _TIMEOUT
    while server.poll() is None and clock.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        clock.sleep(0.01)
    return False


def _program(name: str) -> str:
    found = shutil.which(name, path=_PROGRAM_FOLDERS)
    if not found:
        raise DeliveryError(f"{name} is not on this host; install it (apt-get install {PROGRAMS[name]})")
    return found


def _rsyncd_config(folder: Path, docroot: Path) -> str:
    # rsync's daemon switches to nobody when root starts it, unless it is given an account.
    owner = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else ""
    return (
        f"log file = {folder}/rsyncd.log\n"
        "use chroot = no\n"
        "munge symlinks = yes\n"
        "reverse lookup = no\n"
        f"{owner}"
        "[docroot]\n"
        f"    path = {docroot}\n"
        "    read only = no\n"
        "    write only = yes\n"
        "    list = no\n"
        "    incoming chmod = Du=rwx,Dgo=rx,Fu=rw,Fgo=r,Fug-s\n"
        "    refuse options = links copy-links hard-links devices specials write-devices copy-devices owner "
        "group acls xattrs inplace append backup backup-dir link-dest copy-dest compare-dest "
        "remove-source-files\n"
    )


def _sshd_config(folder: Path, port: int) -> str:
    # StrictModes is off because the folder may be below one that others can write to, such as /tmp.
    return (
        f"Port {port}\n"
        f"ListenAddress {HOST}\n"
        f'HostKey "{folder}/host_key"\n'
        f'AuthorizedKeysFile "{folder}/authorized_keys"\n'
        f'PidFile "{folder}/sshd.pid"\n'
        "StrictModes no\n"
        f"UsePAM {'yes' if _is_account_locked() else 'no'}\n"
        "AuthenticationMethods publickey\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
        "AllowTcpForwarding no\n"
        "AllowAgentForwarding no\n"
        "X11Forwarding no\n"
        "PermitTTY no\n"
        "PermitUserRC no\n"
        "PrintMotd no\n"
        "UseDNS no\n"
        # bash reads ~/.bashrc for a command of sshd unless SHLVL says that it runs below another shell. What
        # people keep in that file would run for every push.
        "SetEnv SHLVL=2\n"
        "MaxSessions 50\n"
        "MaxStartups 100\n"
        "LogLevel ERROR\n"
    )


def _is_account_locked() -> bool:
    """Whether this user's account is locked. sshd then accepts no key without PAM, which requires root."""
    name = pwd.getpwuid(os.getuid()).pw_name
    try:
        lines = Path("/etc/shadow").read_text("utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{name}:!") for line in lines)
