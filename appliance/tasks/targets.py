"""Commands about targets: list, check, verify, repair, pause, resume and forget them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from invoke import Context, task

from appliance import config as settings
from appliance.config import Config, ownership
from appliance.delivery import repair, shared_docroot, target_state
from appliance.delivery.courier import no_report
from appliance.delivery.diagnostics import check_targets, target_check
from appliance.delivery.diagnostics.check_targets import InspectionAccount
from appliance.delivery.diagnostics.target_check import CheckResult
from appliance.delivery.targets import Target, courier_targets
from appliance.errors import ConfigError
from appliance.tasks.command_line import (
    command,
    exit_with,
    open_installation,
    print_json,
    print_line,
    remaining_arguments,
    warn,
)
from appliance.tasks.list_output import one_line
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.target_output import print_targets, target_json
from appliance.tasks.verbs.targets import open_targets

_NO_TARGETS = "There are no targets, so the docroot is served from this host; [[targets]] in appliance.toml add some."


@task(name="list", help={**JSON, **VERBOSE})
@command
def targets_list(_context: Context, json: bool = False, verbose: bool = False) -> None:
    """List the targets with their lag, their last push and their last error."""
    with open_targets() as verbs:
        states, now = verbs.read_all()
    if json:
        print_json([target_json(state) for state in states])
        return
    if not states:
        print_line(_NO_TARGETS)
        return
    print_targets(states, now)


_NAME_HELP = {"name": "The target, as `targets.list` shows it.", **VERBOSE}


@task(positional=["name"], help=_NAME_HELP)
@command
def pause(_context: Context, name: str, verbose: bool = False) -> None:
    """Send nothing to a target until it is resumed, for example during maintenance; a push in progress is stopped."""
    with open_targets() as verbs:
        verbs.pause(name)
    print_line(f"{name}: paused; files published meanwhile are sent when it is resumed")


@task(positional=["name"], help=_NAME_HELP)
@command
def resume(_context: Context, name: str, verbose: bool = False) -> None:
    """Resume a paused target and send it everything it missed."""
    with open_targets() as verbs:
        verbs.resume(name)
    print_line(f"{name}: resumed")


@task(
    positional=["name"],
    help={**_NAME_HELP, **JSON},
)
@command
def verify(_context: Context, name: str, json: bool = False, verbose: bool = False) -> None:
    """Compare the files of a target with what it confirmed, by content; exit status 2 when they differ."""
    with open_installation() as (config, _):
        found = repair.verify(config, name)
    if json:
        print_json({**asdict(found), "right": found.is_right})
    else:
        for path in found.differing:
            print_line(f"differs: {ascii(path)[1:-1]}")
        for path in found.extra:
            print_line(f"not ours: {ascii(path)[1:-1]}")
        counts = f"{len(found.differing):,} differ, {len(found.extra):,} are there that nobody published"
        print_line(f"{name}: {found.checked:,} files compared; {counts}")
    if not found.is_right:
        exit_with("" if json else f"targets.resync {name} repairs it.", 2)


@task(
    positional=["name"],
    help={
        **_NAME_HELP,
        "allow-removals": "Remove unpublished files there even if they are a large part of the target.",
    },
)
@command
def resync(_context: Context, name: str, allow_removals: bool = False, verbose: bool = False) -> None:
    """Send everything to a target again, and remove files there that were never published."""
    with open_targets() as verbs:
        verbs.resync(name, allow_removals=allow_removals)
    print_line(f"{name}: to be sent everything again, by the daemon or the next drain; targets.list shows the progress")


@task(positional=["name"], help={**_NAME_HELP, "name": "The target, or host:NAME for a publishing host."})
@command
def forget(_context: Context, name: str, verbose: bool = False) -> None:
    """Forget a target, or a publishing host and its jobs, that was removed from the settings."""
    from appliance.running import host  # imports everything that a publishing host runs

    with open_installation() as (config, _):
        rows = target_state.forget(config, name)
        jobs = host.release_host_jobs(config, name.removeprefix("host:")) if name.startswith("host:") else 0
    freed = f"; {jobs:,} of its jobs are free for others" if jobs else ""
    print_line(f"{name}: {f'{rows:,} rows forgotten' if rows else 'nothing was stored about it'}{freed}")


_CHECK = {
    "access": "For an address: how the key is confined: shell, rrsync or module.",
    "inside": "An account with a shell on the front ends, for checks that a confined key does not allow.",
    "inside-key": "The private key of that account; by default ssh chooses.",
    **JSON,
    "key": "The private key to try, instead of delivery.ssh_key.",
    "known-hosts": "The file of pinned host keys to try, instead of delivery.known_hosts.",
    "other-path": "For an address: allow a path other than the docroot's.",
    "port": "For an address: the ssh port.",
    "ssh-option": "For an address: a further ssh option, such as ProxyJump=gate; may be repeated.",
    "timeout": "Seconds for each target.",
    "verbose": "Report every command, its duration and exit status on standard error.",
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
    """Check targets, by name or by an ADDRESS not configured yet: send a probe file, inspect it and remove it.

    Without arguments all targets are checked. The exit status is 0 when all passed.
    """
    config = settings.load()
    ownership.check_owner(config)
    names = remaining_arguments(context)
    targets = _select_targets(
        config,
        names,
        access=access,
        port=port,
        ssh_options=list(ssh_option or ()),
        other_path=other_path,
    )
    if not targets and config.shared:
        _check_shared(config, json=json)
        return
    if not targets:
        exit_with("There are no targets to check; give an address, such as publish@www1.example.org:/srv/www.", 3)
    if not 0 < timeout < 3600:
        exit_with(f"--timeout {timeout:g} is out of range; give seconds, such as 30", 3)
    keys = (_existing_file(key, "key"), _existing_file(known_hosts, "known-hosts"))
    account = InspectionAccount(inside, _existing_file(inside_key, "inside-key")) if inside else None
    results = target_check.check(
        [check_targets.with_keys(target, *keys) for target in targets],
        account=account,
        limit=timeout,
        log=warn if verbose else no_report,
        on_result=(lambda _checked: None) if json else (lambda result: print_line(format_check(result))),
    )
    if json:
        print_json([_check_json(result) for result in results])
    for name in set(names) - {target.name for target in courier_targets(config)}:
        if not set("@:/") & set(name) and not all(result.passed for result in results):
            warn(f"“{name}” is no target of {config.path}; it was taken for an alias in ssh's configuration.")
    if failed := [result for result in results if not result.passed]:
        exit_with("" if json or len(results) == 1 else f"{len(failed)} of {len(results)} targets failed.", 2)


def _check_shared(config: Config, *, json: bool) -> None:
    """Report whether a shared docroot, which has no targets, can be published to."""
    problem = shared_docroot.find_fault(config)
    if json:
        print_json({"docroot": str(config.docroot), "passed": problem is None, "said": problem})
    else:
        print_line(
            f"{config.docroot} (shared as “{config.shared}”): " + (f"failed: {problem}" if problem else "passed")
        )
    if problem:
        exit_with("", 2)


def _select_targets(
    config: Config, names: Sequence[str], *, access: str, port: int, ssh_options: Sequence[str], other_path: bool
) -> list[Target]:
    known = {target.name: target for target in courier_targets(config)}
    if not names:
        return list(known.values())
    given = {"access": access, "port": port, "ssh-option": ssh_options, "other-path": other_path}
    if wrong := [option for option, value in given.items() if value and all(name in known for name in names)]:
        raise ConfigError(
            [f"--{wrong[0]} is for an address that is not configured; change [[targets]] in {config.path} instead"]
        )
    return [
        known[name]
        if name in known
        else check_targets.unconfigured_target(config, name, access or "shell", port or 22, ssh_options, other_path)
        for name in names
    ]


def _existing_file(text: str, option: str) -> Path | None:
    path = Path(text).expanduser().absolute()
    if text and not path.is_file():
        raise ConfigError([f"--{option}: there is no file {path}; correct it"])
    return path if text else None


def format_check(result: CheckResult) -> str:
    """Return the result of checking one target in one line."""
    target = result.target
    failures = [check.said for check in result.checks if check.passed is False]
    if failures:
        return f"{target.name} ({target.address}): failed: {'; '.join(map(one_line, failures))}"
    skipped = [check.aspect for check in result.checks if check.passed is None]
    passed = sum(check.passed is True for check in result.checks)
    suffix = f"; not seen through this key: {', '.join(skipped)}" if skipped else ""
    return f"{target.name} ({target.address}): passed {passed} checks in {result.seconds:.1f} s{suffix}"


def _check_json(result: CheckResult) -> dict[str, Any]:
    return {
        "name": result.target.name,
        "address": result.target.address,
        "passed": result.passed,
        "seconds": round(result.seconds, 3),
        "checks": [asdict(check) for check in result.checks],
    }
