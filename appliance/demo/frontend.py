"""A front end on this machine: a real sshd and a real nginx of its own, on high loopback ports.

Guarantees that nothing is left running: both are ended by their own process ids with everything they started, and
the system ends them should the process that started them be killed.
A folder used before works again with the same keys. Works as root and as an ordinary user.

The publishing host's key is confined to one forced rsync daemon whose only module is the docroot, write only.
"""

from __future__ import annotations

import contextlib
import os
import pwd
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
from appliance.errors import DeliveryError

#: The programs it takes, with the Debian package each is in.
PROGRAMS = {
    "sshd": "openssh-server",
    "nginx": "nginx",
    "rsync": "rsync",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}

HOST = "127.0.0.1"

#: Seconds a server may take until it listens, or until it is gone.
_PATIENCE = 10.0

#: Where Debian keeps what is not on an ordinary user's PATH.
_PROGRAM_FOLDERS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin"])


class FrontEnd:
    """A front end in `folder`, which `key` may publish to (a private key; made when it is not there)."""

    def __init__(self, folder: Path, key: Path, name: str = "front", forced: str | None = None) -> None:
        self.name = name
        self.folder = folder.absolute()
        self.key = key
        self.docroot = self.folder / "docroot"
        #: Fixed while it lives, also over a stop and a start.
        self.ssh_port = free_port()
        self.http_port = free_port()
        self._forced = forced
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """Where the docroot is served, ending with /."""
        return f"http://{HOST}:{self.http_port}/"

    @property
    def known_host(self) -> str:
        """The line that pins its host key in a known hosts file."""
        kind, key = (self.folder / "host_key.pub").read_text("ascii").split()[:2]
        return f"[{HOST}]:{self.ssh_port} {kind} {key}\n"

    @property
    def sshd_pid(self) -> int:
        """The process id of its running sshd; everything it started is below that."""
        return int((self.folder / "sshd.pid").read_text("ascii"))

    @property
    def pids(self) -> list[int]:
        """The process ids of its running servers."""
        return [server.pid for server in self._servers]

    def settings(self) -> TargetSettings:
        """The target that publishes to it."""
        user = pwd.getpwuid(os.getuid()).pw_name
        return TargetSettings(
            name=self.name,
            address=f"{user}@{HOST}:{self.docroot}",
            access="module",
            port=self.ssh_port,
            other_path=True,
        )

    def prepare(self) -> None:
        """Make folders, keys and the settings of every daemon; what is there already is kept."""
        self.docroot.mkdir(parents=True, exist_ok=True)
        make_key(self.folder / "host_key")
        make_key(self.key)
        self._write("rsyncd.conf", _rsyncd(self.folder, self.docroot))
        forced = self._forced or self._daemon()
        public = self.key.with_name(self.key.name + ".pub").read_text("ascii").strip()
        escaped = forced.replace('"', '\\"')
        self._write("authorized_keys", f'restrict,command="{escaped}" {public}\n')
        self._write("sshd_config", _sshd(self.folder, self.ssh_port))
        self._write("nginx.conf", _nginx(self.folder, self.docroot, self.http_port))

    def start(self, *, http: bool = True) -> None:
        """Start sshd, and nginx unless `http` is false; both listen when this returns.

        Raises:
            DeliveryError: one of them is not installed or would not start.
        """
        self.prepare()
        self.start_sshd()
        if http:
            self._serve("nginx", ["-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"], self.http_port)

    def start_sshd(self) -> None:
        """Start sshd alone, as after `stop`."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._serve("sshd", ["-D", "-e", "-f", str(self.folder / "sshd_config")], self.ssh_port)

    def stop(self) -> None:
        """End both servers and all they started."""
        while self._servers:
            end(self._servers.pop())

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
        return f"{_program('rsync')} --server --daemon --config={settings} ."

    def _serve(self, program: str, arguments: list[str], port: int) -> None:
        log = self.folder / f"{program}.log"
        with log.open("ab") as said:
            server = subprocess.Popen(
                mortal([_program(program), *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
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
    """An ed25519 key at `path`, with its public part beside it, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "appliance", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def pin(known_hosts: Path, front_ends: list[FrontEnd]) -> None:
    """Write the host keys of `front_ends` to `known_hosts`, and nothing else."""
    known_hosts.write_text("".join(front_end.known_host for front_end in front_ends), "ascii")


def require_programs() -> None:
    """Check that everything a front end takes, and what publishes to it, is on this host.

    Raises:
        DeliveryError: naming every program that is not, and the packages to install.
    """
    absent = [name for name in PROGRAMS if not shutil.which(name, path=_PROGRAM_FOLDERS)]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        packages = " ".join(sorted({PROGRAMS[name] for name in absent}))
        raise DeliveryError(f"{', '.join(absent)} {verb} not on this host; install with: apt-get install {packages}")


def mortal(command: list[str]) -> list[str]:
    """`command` such that the system sends it SIGTERM when the thread that started it is gone, killed or not."""
    setpriv = shutil.which("setpriv", path=_PROGRAM_FOLDERS)
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else command


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server of ours with all its descendants, each by its own process id, and wait until they are
    gone.
    """
    handles = []
    for pid in [server.pid, *descendants(server.pid)]:
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for handle in handles:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
            deadline = clock.monotonic() + _PATIENCE / 2
            if all(select.select([h], [], [], max(0.0, deadline - clock.monotonic()))[0] for h in handles):
                break
    finally:
        for handle in handles:
            os.close(handle)
    server.wait()


def descendants(pid: int, *, but: Collection[int] = ()) -> list[int]:
    """The process ids below `pid`, as /proc tells now, but for those of `but` and what is below them."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # The name stands in parentheses and may hold anything; the parent is the second word after
                # it.
                parent = int((folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found, left = [], [pid]
    while left:
        below = [child for child in children.get(left.pop(), []) if child not in but]
        found += below
        left += below
    return found


def _listens(port: int, server: subprocess.Popen[bytes]) -> bool:
    deadline = clock.monotonic() + _PATIENCE
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


def _rsyncd(folder: Path, docroot: Path) -> str:
    # A daemon that root starts becomes nobody unless told whom.
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
        "    refuse options = links copy-links hard-links devices specials write-devices copy-devices owner "
        "group acls xattrs inplace append backup backup-dir link-dest copy-dest compare-dest "
        "remove-source-files\n"
    )


def _sshd(folder: Path, port: int) -> str:
    # StrictModes: the folder may lie where others may write, such as below /tmp.
    return (
        f"Port {port}\n"
        f"ListenAddress {HOST}\n"
        f'HostKey "{folder}/host_key"\n'
        f'AuthorizedKeysFile "{folder}/authorized_keys"\n'
        f'PidFile "{folder}/sshd.pid"\n'
        "StrictModes no\n"
        f"UsePAM {'yes' if _is_locked() else 'no'}\n"
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
        # bash reads ~/.bashrc for a command of sshd's unless it believes to run below another shell; what
        # people keep there would be run for every push.
        "SetEnv SHLVL=2\n"
        "MaxSessions 50\n"
        "MaxStartups 100\n"
        "LogLevel ERROR\n"
    )


def _is_locked() -> bool:
    """Whether this user's account is locked: without PAM, which needs root, sshd then lets no key in."""
    name = pwd.getpwuid(os.getuid()).pw_name
    try:
        lines = Path("/etc/shadow").read_text("utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{name}:!") for line in lines)


def _nginx(folder: Path, docroot: Path, port: int) -> str:
    temporary = "".join(
        f'    {kind}_temp_path "{folder}/nginx-temp";\n'
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    types = Path("/etc/nginx/mime.types")
    included = f"    include {types};\n" if types.exists() else "    types { text/html html; text/css css; }\n"
    # Root's folders are not for nobody to read.
    user = "user root;\n" if os.getuid() == 0 else ""
    return (
        f"{user}daemon off;\nworker_processes 1;\n"
        f'pid "{folder}/nginx.pid";\nerror_log stderr warn;\n'
        "events { worker_connections 256; }\n"
        "http {\n"
        f"{included}{temporary}"
        "    default_type application/octet-stream;\n"
        "    charset utf-8;\n"
        "    charset_types text/css text/plain text/xml application/javascript application/atom+xml "
        "application/xml application/json;\n"
        "    access_log off;\n    server_tokens off;\n    sendfile on;\n"
        "    server {\n"
        f"        listen {HOST}:{port};\n"
        f'        root "{docroot}";\n'
        "        index index.html;\n"
        "        absolute_redirect off;\n"
        "        disable_symlinks on from=$document_root;\n"
        "        error_page 403 404 =404 /404.html;\n"
        "        location = /404.html { internal; }\n"
        r"        location ~ /\. { return 404; }" + "\n"
        "    }\n}\n"
    )
