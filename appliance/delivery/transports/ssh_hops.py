"""The jump hosts on the way to a front end, and the ssh configuration file for each hop.

Guarantees that each hop has a configuration file of its own, so that the options of the target (its port, its name, its
commands) apply to the target alone; that jump hosts obey the same rules as the target (no prompt, a host key known
beforehand, no forwarding); and that a circular way is refused before ssh starts.

For a jump host ssh would start another ssh with the file that it was given itself, including all under `Host *`. So
the jump hosts that ssh finds, in `ssh_options` or in its own configuration, become commands that name other files.

The operator's own ssh configuration is read for hosts that it names, and where the settings of the appliance leave the
key or the host keys to ssh.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config import DeliverySettings
from appliance.delivery.targets import Target
from appliance.delivery.transports.ssh_folder import quote_path
from appliance.errors import DeliveryError

#: Seconds after which an idle shared connection closes itself.
PERSIST = 120

#: The ssh configuration of the user and of the system.
USER_CONFIG, SYSTEM_CONFIG = "~/.ssh/config", "/etc/ssh/ssh_config"

#: The largest number of hops, the target included.
MAX_HOPS = 8

#: A host that no ssh configuration names.
_UNNAMED_HOST = "nobody.invalid"

_DESTINATION = re.compile(r"(?:ssh://)?(?:.*@)?(\[[^\]]+\]|[^:]+)(?::\d*)?")


@dataclass(frozen=True, slots=True)
class SshHop:
    """One host on the way: ssh connects to `destination` with the configuration in a file."""

    destination: str
    config_file: Path

    @property
    def name(self) -> str:
        """The host as the settings name it."""
        return re.sub(r"\[([\d.]+)\]", r"\1", self.destination.removeprefix("ssh://"))  # as ssh writes it

    @property
    def log(self) -> Path:
        """The log of its ssh if it is a jump host: a shared connection hears nothing of the commands that it runs."""
        return self.config_file.with_name(f"{self.config_file.name}.log")

    def read_log(self) -> str:
        """Return what its ssh has logged since the configuration was written."""
        return self.log.read_text("utf-8", "replace") if self.log.is_file() else ""


def write_configuration(target: Target, config_file: Path, control_path: Path) -> list[SshHop]:
    """Write the ssh configuration of every hop. Returns the hops, the nearest first and the target last.

    Args:
        target: the host to connect to.
        config_file: the file for the target; those for jump hosts are created beside it.
        control_path: the socket of the shared connection.

    Raises:
        DeliveryError: ssh does not accept the configuration, or the way is circular.
    """
    hops: list[SshHop] = []
    seen: set[tuple[str, ...]] = set()
    chain: list[str] | None = None
    text, destination, file = target_configuration(target, control_path), target.host or "", config_file
    while True:
        file.write_text(text, "utf-8")
        effective = _effective_options(file, destination, target)
        entered = tuple(effective.get(key, "") for key in ("user", "hostname", "port"))
        if entered in seen or len(hops) == MAX_HOPS:
            raise DeliveryError(_circular_way(target))
        seen.add(entered)
        hops.insert(0, hop := SshHop(destination, file))
        hop.log.unlink(missing_ok=True)
        chain = chain or _split_jumps(effective.get("proxyjump", ""))
        if not chain:
            return hops
        *chain, jump = chain
        jump_file = config_file.with_name(f"{config_file.name}-{len(hops)}")
        jump_hop = SshHop(jump if "://" in jump else f"ssh://{jump}", jump_file)
        file.write_text(f"{_proxy_command(jump_hop)}\n{text}", "utf-8")
        destination, file = jump_hop.destination, jump_hop.config_file
        text = _jump_host_configuration(target.delivery, destination)


def target_configuration(target: Target, control_path: Path) -> str:
    """Return the ssh configuration for `target`. In ssh the first value of an option wins, so the rules come first."""
    lines = [
        *_rules(target.delivery),
        "ControlMaster no",
        f"ControlPath {quote_path(control_path)}",
        f"ControlPersist {PERSIST}",
        "RemoteCommand none",
        *_keys(target.delivery),
    ]
    if target.settings.port != 22:  # an alias may have a port of its own
        lines.append(f"Port {target.settings.port}")
    lines += [option.replace("\n", " ") for option in target.settings.ssh_options]
    lines += _included(target.delivery, target.host or "")
    return "\n".join(lines) + "\n"


def _jump_host_configuration(delivery: DeliverySettings, destination: str) -> str:
    """Return the ssh configuration for a jump host. Its name, port, user and key come from the operator's."""
    lines = [*_rules(delivery), "ControlMaster no", "ControlPath none", *_keys(delivery)]
    return "\n".join([*lines, *_included(delivery, destination)]) + "\n"


def _rules(delivery: DeliverySettings) -> list[str]:
    """Return the options of every hop."""
    return [
        "Host *",
        "BatchMode yes",
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "VerifyHostKeyDNS no",
        f"ConnectTimeout {delivery.connect_timeout}",
        # A dead connection is given up after three missed answers: rsync would wait for a greeting for ever.
        f"ServerAliveInterval {max(1, min(5, delivery.timeout // 3))}",
        "ServerAliveCountMax 3",
        "ForwardAgent no",
        "ForwardX11 no",
        "ClearAllForwardings yes",
        "Tunnel no",
        "RequestTTY no",
        "PermitLocalCommand no",
        "LogLevel ERROR",
    ]


def _keys(delivery: DeliverySettings) -> list[str]:
    lines = []
    if delivery.known_hosts:
        lines += [f"UserKnownHostsFile {quote_path(delivery.known_hosts)}", "GlobalKnownHostsFile /dev/null"]
    if delivery.ssh_key:
        lines += [f"IdentityFile {quote_path(delivery.ssh_key)}", "IdentitiesOnly yes"]
    return lines


def _included(delivery: DeliverySettings, destination: str) -> list[str]:
    """Return the configuration files to include: with -F ssh reads no others."""
    complete = delivery.ssh_key and delivery.known_hosts
    own = [] if complete and not _is_configured(_host_name(destination)) else [f"Include {USER_CONFIG}"]
    return [*own, f"Include {SYSTEM_CONFIG}"]


def _is_configured(host: str) -> bool:
    """Whether the operator's own configuration has options for this host that it does not have for every host.

    ssh itself evaluates it, with its patterns, `Match` and included files.
    """
    # As ssh does, which does not read HOME.
    file = Path(USER_CONFIG.replace("~", pwd.getpwuid(os.getuid()).pw_dir, 1))
    return file.is_file() and _options_for(file, host) != _options_for(file, _UNNAMED_HOST)


def _options_for(file: Path, name: str) -> list[str]:
    """Return the options that ssh uses for `name` by this file alone, or its error if it does not accept the file."""
    run = _run(["ssh", "-G", "-F", str(file), "--", name])
    if run.returncode:
        return [name, run.stderr]
    return [line for line in run.stdout.splitlines() if line not in (f"host {name}", f"hostname {name}")]


def _host_name(destination: str) -> str:
    found = _DESTINATION.fullmatch(destination)
    return found[1].strip("[]") if found else destination


def _effective_options(file: Path, destination: str, target: Target) -> dict[str, str]:
    """Return the options that ssh uses for a destination with this configuration file."""
    run = _run(["ssh", "-G", "-F", str(file), "--", destination])
    if "jumphost loop" in run.stderr:
        raise DeliveryError(_circular_way(target))
    if run.returncode:
        message = " ".join(run.stderr.replace(f"{file}: ", "").split())
        raise DeliveryError(
            f"{target}: ssh does not accept its configuration; correct ssh_options, or {USER_CONFIG}"
            f" (ssh said: {message[-300:]})"
        )
    words = (line.partition(" ") for line in run.stdout.splitlines())
    return {key: value for key, _, value in words}


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except FileNotFoundError as error:
        raise DeliveryError("ssh is not on this host; install it (apt-get install openssh-client)") from error
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(f"ssh did not read its settings within 10 s; see what {USER_CONFIG} has it run") from error


def _split_jumps(value: str) -> list[str]:
    """Return the jump hosts of ssh's ProxyJump, the nearest first."""
    return [] if value in ("", "none") else value.split(",")


def _proxy_command(hop: SshHop) -> str:
    words = shlex.join(["ssh", "-F", str(hop.config_file), "-E", str(hop.log), "-W"]).replace("%", "%%")
    return f"ProxyCommand {words} '[%h]:%p' -- {shlex.quote(hop.destination).replace('%', '%%')}"


def _circular_way(target: Target) -> str:
    return (
        f"{target}: the way to it leads through itself, or through more than {MAX_HOPS} jump hosts; correct ProxyJump"
        f" in ssh_options or in {USER_CONFIG}"
    )
