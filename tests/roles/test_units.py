"""The units and cron lines that the role `schedule` writes: confined, and understood by systemd."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import jinja2
import pytest
import yaml

from appliance.config.services import Interval

ROLE = Path(__file__).parents[2] / "roles" / "schedule"
SERVICES = ["worker@", "courier", "schedule", "intake", "run"]
INTERVALS = [interval for interval in get_args(Interval) if interval != "never"]

#: The greatest exposure allowed, as systemd-analyze has it: 0 is none, 10 all there is.
EXPOSURE = 2.0

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def render(template: str, **others: Any) -> str:
    """What the role writes by the template, with what Ansible would have put together."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["bool"] = bool
    environment.filters["regex_replace"] = lambda value, old, new: re.sub(old, new, value)
    given = {
        "appliance_user": "publish",
        "appliance_group": "publish",
        "appliance_home": "/var/lib/appliance",
        "appliance_settings_folder": "/etc/appliance",
        "appliance_web_group": "appliance-web",
        "schedule_interval": "10m",
        "schedule_read_paths": [],
        **yaml.safe_load((ROLE / "vars" / "main.yml").read_text()),
        "schedule_local": True,
        "schedule_writable": ["/var/lib/appliance", "/srv"],
    }
    return environment.get_template(template).render(given | others)


def keys(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"\w+=", line))


@needs_systemd
@pytest.mark.parametrize("paths", [[], ["/home/anna/posts"]], ids=["alone", "with folders to read"])
@pytest.mark.parametrize("local", [True, False], ids=["sqlite", "postgresql"])
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardly_exposed(name: str, local: bool, paths: list[str], tmp_path: Path) -> None:
    unit = tmp_path / f"appliance-{name}.service"
    unit.write_text(render(f"{unit.name}.j2", schedule_local=local, schedule_read_paths=paths))
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager"]
    found = subprocess.run([*command, unit], capture_output=True, text=True)
    assert "Overall exposure level" in found.stdout, found.stderr
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", SERVICES[:4])
def test_a_daemon_is_waited_for_and_watched(name: str) -> None:
    unit = render(f"appliance-{name}.service.j2")
    assert keys(unit).items() >= {"Type": "notify", "Restart": "always", "PartOf": "appliance.target"}.items()
    assert int(keys(unit)["WatchdogSec"]) >= 10
    assert "\nWantedBy=appliance.target\n" in unit


def test_workers_reach_the_network_only_for_a_database_elsewhere() -> None:
    assert keys(render("appliance-worker@.service.j2"))["PrivateNetwork"] == "yes"
    assert "PrivateNetwork" not in keys(render("appliance-worker@.service.j2", schedule_local=False))


def test_what_sends_reaches_the_network() -> None:
    for name in ("courier", "schedule", "run"):
        assert "PrivateNetwork" not in keys(render(f"appliance-{name}.service.j2"))


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_is_one_that_timers_know(interval: str) -> None:
    calendar = keys(render("appliance-run.timer.j2", schedule_interval=interval))["OnCalendar"]
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


def test_cron_runs_at_the_times_that_the_documentation_names() -> None:
    page = (ROLE.parents[1] / "docs" / "how-to" / "schedule.md").read_text("utf-8")
    told = dict(re.findall(r"`(\w+)` \| `([^`]+ [^`]+)`", page))
    lines = {i: render("cron.j2", schedule_interval=i).splitlines()[-1] for i in INTERVALS}
    assert told.keys() == lines.keys()
    assert {i: line.split(" publish ")[0] for i, line in lines.items()} == told


def test_timers_and_cron_agree() -> None:
    """Both begin as often: in a common year."""
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert known["schedule_calendar"].keys() == known["schedule_cron"].keys() == set(INTERVALS)


def test_the_choices_of_the_role_are_those_intervals() -> None:
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert json.dumps(options["schedule_interval"]["choices"]) == json.dumps(INTERVALS)


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "intake"])
def test_sockets_of_ssh_lie_where_no_cleaner_comes(name: str) -> None:
    unit = keys(render(f"appliance-{name}.service.j2"))
    assert (unit["RuntimeDirectory"], unit["RuntimeDirectoryMode"]) == ("%N", "0700")


def test_the_intake_shows_its_socket_and_nothing_else() -> None:
    unit = keys(render("appliance-intake.service.j2"))
    assert (unit["RuntimeDirectory"], unit["RuntimeDirectoryMode"]) == ("%N", "0711")
    assert unit["SupplementaryGroups"] == "appliance-web"
    assert "SystemCallFilter=@chown\n" in render("appliance-intake.service.j2")
    worker = render("appliance-worker@.service.j2")
    assert "SupplementaryGroups" not in keys(worker)
    assert "@chown" not in worker
