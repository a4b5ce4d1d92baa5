"""A host works by cron, then by a timer, then all the time, then by cron again; each mode leaves nothing of the last.

Nothing here waits for the five minutes of the shortest interval, and nothing is started in their place:

- cron is started with a clock that is shortly before its time, so that cron itself reads the line that the playbook
  wrote and runs what it says. What cron runs has the true clock, since cron hands on nothing of its environment.
- The timer gets a further time, a moment from now, so that systemd itself starts what the timer starts. Its own time is
  asked for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from operating import Cluster
from reading import await_everywhere, is_gone, says

CRON = "/etc/cron.d/appliance"
LINE = "*/5 * * * * publish "
#: Seconds between two times of the shortest interval.
INTERVAL = 300
DAEMONS = {"appliance-worker@1.service", "appliance-courier.service", "appliance-schedule.service", "appliance.target"}

# Ten seconds before the next time, by cron's clock.
_HURRY_CRON = f"""
library=$(dpkg -L libfaketime | grep 'libfaketime.so.1$')
mkdir -p /run/systemd/system/cron.service.d
now=$(date +%s)
cat >/run/systemd/system/cron.service.d/clock.conf <<END
[Service]
Environment=LD_PRELOAD=$library FAKETIME=+$(({INTERVAL} - now % {INTERVAL} - 10))s FAKETIME_DONT_FAKE_MONOTONIC=1
END
systemctl daemon-reload
systemctl restart cron
"""
_HURRY_TIMER = """
mkdir -p /run/systemd/system/appliance-run.timer.d
printf '[Timer]\\nOnActiveSec=1s\\n' >/run/systemd/system/appliance-run.timer.d/now.conf
systemctl daemon-reload
systemctl restart appliance-run.timer
"""


@pytest.fixture(scope="module")
def host(cluster: Cluster) -> str:
    """The publishing host's name."""
    return cluster.publishers[0]


@contextmanager
def hurried(cluster: Cluster, host: str, unit: str, script: str) -> Iterator[None]:
    """Have a unit's time come at once meanwhile."""
    cluster.run(host, f"set -e{script}")
    try:
        yield
    finally:
        cluster.run(host, f"rm -r /run/systemd/system/{unit}.d; systemctl daemon-reload; systemctl restart {unit}")


def switch(cluster: Cluster, mode: str) -> None:
    """Have the playbook work on the host's schedule only, with another mode."""
    took = cluster.play("../site.yml", "--tags=schedule", f"--extra-vars=schedule_mode={mode}")
    print(f"\nswitched to {mode} in {took:.1f} s", end="")


def units(cluster: Cluster, host: str) -> set[str]:
    """The units for publishing that are loaded, or lie in a folder of systemd."""
    loaded = "systemctl list-units --all --plain --no-legend 'appliance*' | cut -d ' ' -f 1"
    files = "find /etc/systemd /run/systemd/system /lib/systemd/system -name 'appliance*' -printf '%f\\n'"
    found = set(cluster.run(host, f"{loaded}; {files}").split())
    return {unit for unit in found if not unit.startswith("appliance-backup")} - {"appliance.target.wants"}


def save(cluster: Cluster, host: str, name: str) -> str:
    """Save an entry and no more, as editors of any program may; returns its path."""
    cluster.appliance(host, "content.add", name, "--text", f"By {name}.", "--status", "published",
                      "--address", f"{name}/index.html", "--later")  # fmt: skip
    await_everywhere(cluster.served(), f"/{name}/", is_gone)
    return f"/{name}/"


def test_cron_publishes_what_was_saved(cluster: Cluster, host: str) -> None:
    (line,) = [line for line in cluster.run(host, f"cat {CRON}").splitlines() if line.startswith("*")]
    assert line.startswith(LINE)
    assert units(cluster, host) == set()
    assert json.loads(cluster.appliance(host, "processes.list", "--json")) == []
    page = save(cluster, host, "cron")
    with hurried(cluster, host, "cron.service", _HURRY_CRON):
        began = time.monotonic()
        arrived = await_everywhere(cluster.served(), page, says("By cron."))
    print(f"\npublished by cron {arrived - began:.1f} s after it was started 10 s before its time", end="")
    # The run had the true clock: the file is not of a time to come.
    assert cluster.run(host, f"test $(stat -c %Y /srv/www{page}index.html) -le $(date +%s) && echo past") == "past"
    journal = cluster.run(host, "journalctl --quiet --no-pager --output=cat --unit=cron | grep -F '(publish) CMD'")
    assert line.split(" publish ", 1)[1] in journal


def test_the_timer_publishes_what_was_saved(cluster: Cluster, host: str) -> None:
    switch(cluster, "timer")
    assert cluster.run(host, f"ls {CRON} 2>/dev/null || true") == ""
    assert units(cluster, host) == {"appliance-run.timer", "appliance-run.service"}
    state = cluster.run(host, "systemctl is-active appliance-run.timer; systemctl is-enabled appliance-run.timer")
    assert state.split() == ["active", "enabled"]
    due = cluster.run(
        host, 'date -d "$(systemctl show appliance-run.timer --property=NextElapseUSecRealtime --value)" +%s'
    )
    now = int(cluster.run(host, "date +%s"))
    assert int(due) % INTERVAL == 0
    assert now <= int(due) <= now + INTERVAL
    assert json.loads(cluster.appliance(host, "processes.list", "--json")) == []
    page = save(cluster, host, "timer")
    with hurried(cluster, host, "appliance-run.timer", _HURRY_TIMER):
        began = time.monotonic()
        arrived = await_everywhere(cluster.served(), page, says("By timer."))
    print(f"\npublished by the timer {arrived - began:.1f} s after it was started 1 s before its time", end="")


def test_daemons_publish_what_was_saved_and_is_published(cluster: Cluster, host: str) -> None:
    switch(cluster, "daemon")
    assert cluster.run(host, f"ls {CRON} 2>/dev/null || true") == ""
    found = units(cluster, host)
    assert found >= DAEMONS
    assert not {unit for unit in found if unit.startswith("appliance-run")}
    page = save(cluster, host, "daemon")
    cluster.appliance(host, "publish")
    await_everywhere(cluster.served(), page, says("By daemon."))


def test_back_to_cron_nothing_is_left(cluster: Cluster, host: str) -> None:
    switch(cluster, "cron")
    assert units(cluster, host) == set()
    assert cluster.run(host, "pgrep -u publish || true") == ""
    assert LINE in cluster.run(host, f"cat {CRON}")
