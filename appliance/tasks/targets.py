"""The targets: see how far each is, and check that they are set up right."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from invoke import Context, task

from appliance import config as settings
from appliance import db
from appliance.building import restoring
from appliance.config import Config
from appliance.delivery import checking, courier, forgetting, looks, marker, repairing, standing
from appliance.delivery.checking import Checked, Inside
from appliance.delivery.targets import Target, everywhere
from appliance.errors import ConfigError
from appliance.running import host
from appliance.tasks.console import command, leave, opened, tell, tell_json, warn
from appliance.tasks.listing import one_line
from appliance.tasks.target_views import show_targets, target_json

_NONE = "There are no targets: the docroot is served where it is. [[targets]] in appliance.toml send it elsewhere."


@task(
    name="list",
    help={"json": "One JSON document instead of a table.", "verbose": "Show the stack trace of an error."},
)
@command
def targets_list(_context: Context, json: bool = False, verbose: bool = False) -> None:
    """List the targets: how far each has confirmed the journal, its last push, and what went wrong last."""
    with opened() as (config, _):
        states, now = courier.status(everywhere(config)), db.now()
    if json:
        tell_json([target_json(state) for state in states])
        return
    if not states:
        tell(_NONE)
        return
    show_targets(states, now)


_NAMED = {
    "name": "The target, as `targets.list` names it.",
    "verbose": "Show the stack trace of an error.",
}


@task(positional=["name"], help=_NAMED)
@command
def pause(_context: Context, name: str, verbose: bool = False) -> None:
    """Send a target nothing until it is resumed, as before work on its host; a push under way is ended."""
    with opened() as (config, _):
        standing.pause(repairing.find(config, name).name)
    tell(f"{name}: paused; what is published meanwhile is sent once it is resumed")


@task(positional=["name"], help=_NAMED)
@command
def resume(_context: Context, name: str, verbose: bool = False) -> None:
    """Send a target that was paused what it has missed."""
    with opened() as (config, _):
        standing.resume(repairing.find(config, name).name)
    tell(f"{name}: resumed")


@task(
    positional=["name"],
    help={**_NAMED, "json": "One JSON document instead of lines."},
)
@command
def verify(_context: Context, name: str, json: bool = False, verbose: bool = False) -> None:
    """Compare a target with what it confirmed, by content, and change nothing; exit status 2 when it differs."""
    with opened() as (config, _):
        found = repairing.verify(config, name)
    if json:
        tell_json({**asdict(found), "right": found.is_right})
    else:
        for path in found.differing:
            tell(f"differs: {ascii(path)[1:-1]}")
        for path in found.extra:
            tell(f"not ours: {ascii(path)[1:-1]}")
        counts = f"{len(found.differing):,} differ, {len(found.extra):,} are there that nobody published"
        tell(f"{name}: {found.checked:,} files compared; {counts}")
    if not found.is_right:
        leave("" if json else f"targets.resync {name} repairs it.", 2)


@task(
    positional=["name"],
    help={**_NAMED, "allow-removals": "Remove however large a part of what is there and nobody published."},
)
@command
def resync(_context: Context, name: str, allow_removals: bool = False, verbose: bool = False) -> None:
    """Have couriers send a target everything again, and clear it of what nobody published."""
    with opened() as (config, _):
        repairing.repair(config, name, allow_removals=allow_removals)
    tell(f"{name}: to be sent everything again, by the daemon or the next drain; targets.list says how far it is")


@task(positional=["name"], help={**_NAMED, "name": "The target, or host:NAME for a publishing host."})
@command
def forget(_context: Context, name: str, verbose: bool = False) -> None:
    """Forget a target that left the settings for good, and free what a publishing host of that name was doing."""
    with opened() as (config, _):
        rows = forgetting.forget(config, name)
        jobs = host.bury(config, name.removeprefix("host:")) if name.startswith("host:") else 0
    freed = f"; {jobs:,} of its jobs are free for others" if jobs else ""
    tell(f"{name}: {f'{rows:,} rows forgotten' if rows else 'nothing was known of it'}{freed}")


@task(
    name="init",
    help={
        "anyway": "Also a docroot on this host's own file system, or one that holds files already.",
        "verbose": "Show the stack trace of an error.",
    },
)
@command
def docroot_init(_context: Context, anyway: bool = False, verbose: bool = False) -> None:
    """Make a docroot on a shared file system this installation's own: write the marker without which it is not used."""
    config = settings.load()
    mount = marker.mark(config, anyway=anyway)
    tell(f"{config.docroot} is the docroot of “{config.shared}”: {mount}.")


@task(name="renew", help={"verbose": "Show the stack trace of an error."})
@command
def docroot_renew(_context: Context, verbose: bool = False) -> None:
    """After the database was restored: have every file published anew and all targets brought to that."""
    with opened() as (config, _):
        files, targets = restoring.renew(config)
    tell(
        f"{files:,} files and {targets} targets are to be renewed; next: docroot.clear on every publishing host,"
        " then publish --all, then the daemon or drain"
    )


@task(
    name="clear",
    auto_shortflags=False,
    help={
        "allow-removals": "Remove however large a part of what is there and nobody published.",
        "verbose": "Show the stack trace of an error.",
    },
)
@command
def docroot_clear(_context: Context, allow_removals: bool = False, verbose: bool = False) -> None:
    """Remove from this host's docroot what nobody published, while nothing is published there."""
    with opened() as (config, _):
        removed = restoring.clear(config, allow_removals=allow_removals)
    tell(f"{config.docroot}: {removed:,} files removed")


_CHECK = {
    "access": "How the key of an address is confined: shell, rrsync or module.",
    "inside": "An account with a shell on the front ends, to look at what a confined key may not see.",
    "inside-key": "The private key of that account; ssh's own choice when not given.",
    "json": "One JSON document instead of lines.",
    "key": "The private key to try, instead of delivery.ssh_key.",
    "known-hosts": "The file of pinned host keys to try, instead of delivery.known_hosts.",
    "other-path": "Allow a path that differs from the docroot's.",
    "port": "The ssh port of an address.",
    "ssh-option": "A further ssh option for an address, such as ProxyJump=gate; may be repeated.",
    "timeout": "Seconds for each target.",
    "verbose": "Tell every command, its duration and exit status to standard error.",
}


@task(iterable=["ssh_option"], auto_shortflags=False, help=_CHECK)
@command
def check(
    context: Context,
    access: str = "",
    inside: str = "",
    inside_key: str = "",
    json: bool = False,
    key: str = "",
    known_hosts: str = "",
    other_path: bool = False,
    port: int = 0,
    ssh_option: Sequence[str] | None = None,
    timeout: float = 30.0,
    verbose: bool = False,
) -> None:
    """Send a probe to targets, look at it there and remove it; by name, or an ADDRESS that is not configured yet.

    Without a word all targets are checked. Exit status 0 says that all passed.
    """
    config = settings.load()
    chosen = _chosen(
        config, _words(context),
        access=access, port=port, ssh_options=list(ssh_option or ()), other_path=other_path,
    )  # fmt: skip
    if not chosen and config.shared:
        _check_shared(config, json=json)
        return
    if not chosen:
        leave("There are no targets to check; name an address, such as publish@www1.example.org:/srv/www.", 3)
    if not 0 < timeout < 3600:
        leave(f"--timeout {timeout:g} makes no sense; give seconds, such as 30", 3)
    keys = (_path(key, "key"), _path(known_hosts, "known-hosts"))
    account = Inside(inside, _path(inside_key, "inside-key")) if inside else None
    checked = checking.check(
        [checking.with_keys(target, *keys) for target in chosen],
        inside=account,
        limit=timeout,
        told=warn if verbose else courier.silence,
        done=(lambda _checked: None) if json else (lambda one: tell(line(one))),
    )
    if json:
        tell_json([_check_json(one) for one in checked])
    for word in set(_words(context)) - {target.name for target in everywhere(config)}:
        if not set("@:/") & set(word) and not all(one.passed for one in checked):
            warn(f"“{word}” is no target of {config.path}; it was taken for an alias of ssh's settings.")
    if failed := [one for one in checked if not one.passed]:
        leave("" if json or len(checked) == 1 else f"{len(failed)} of {len(checked)} targets failed.", 2)


def _check_shared(config: Config, *, json: bool) -> None:
    """Say whether a shared docroot, which has no targets, can be published to."""
    away = marker.fault(config)
    if json:
        tell_json({"docroot": str(config.docroot), "passed": away is None, "said": away})
    else:
        tell(f"{config.docroot} (shared as “{config.shared}”): " + (f"failed: {away}" if away else "passed"))
    if away:
        leave("", 2)


def _words(context: Context) -> list[str]:
    return shlex.split(context.remainder or "")


def _chosen(
    config: Config, words: Sequence[str], *, access: str, port: int, ssh_options: Sequence[str], other_path: bool
) -> list[Target]:
    known = {target.name: target for target in everywhere(config)}
    if not words:
        return list(known.values())
    given = {"access": access, "port": port, "ssh-option": ssh_options, "other-path": other_path}
    if wrong := [name for name, value in given.items() if value and all(word in known for word in words)]:
        raise ConfigError(
            [f"--{wrong[0]} is for an address that is not configured; change [[targets]] in {config.path} instead"]
        )
    return [
        known[word]
        if word in known
        else looks.target(config, word, access or "shell", port or 22, ssh_options, other_path)
        for word in words
    ]


def _path(text: str, option: str) -> Path | None:
    path = Path(text).expanduser().absolute()
    if text and not path.is_file():
        raise ConfigError([f"--{option}: there is no file {path}; correct it"])
    return path if text else None


def line(checked: Checked) -> str:
    """What became of one target, for people."""
    target = checked.target
    wrong = [check.said for check in checked.checks if check.passed is False]
    if wrong:
        return f"{target.name} ({target.address}): failed: {'; '.join(map(one_line, wrong))}"
    unseen = [check.aspect for check in checked.checks if check.passed is None]
    seen = sum(check.passed is True for check in checked.checks)
    rest = f"; not seen through this key: {', '.join(unseen)}" if unseen else ""
    return f"{target.name} ({target.address}): passed {seen} checks in {checked.seconds:.1f} s{rest}"


def _check_json(checked: Checked) -> dict[str, Any]:
    return {
        "name": checked.target.name,
        "address": checked.target.address,
        "passed": checked.passed,
        "seconds": round(checked.seconds, 3),
        "checks": [asdict(check) for check in checked.checks],
    }
