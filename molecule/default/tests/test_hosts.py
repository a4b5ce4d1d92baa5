"""What the playbook leaves on hosts: processes that run confined, and files that only their readers can read."""

from __future__ import annotations

import json

from operating import Cluster

#: Mode, owner and path of what is there on a publishing host and on a front end.
ON_PUBLISHER = """
755 root:root /etc/appliance
640 root:publish /etc/appliance/appliance.toml
750 root:publish /etc/appliance/keys
600 publish:publish /etc/appliance/keys/id_ed25519
644 root:root /etc/appliance/known_hosts
750 publish:publish /var/lib/appliance
755 publish:publish /srv/www
700 publish:publish /srv/.www.staging
"""
ON_FRONT_END = """
755 root:root /etc/appliance
644 root:root /etc/appliance/rsyncd.conf
644 root:root /etc/ssh/appliance/authorized_keys
755 root:root /var/lib/appliance
755 publish:publish /srv/www
"""
#: What a front end has not: settings, a key, a process or a program of ours.
NOT_ON_FRONT_END = "/etc/appliance/appliance.toml /etc/appliance/keys /opt/appliance /usr/local/bin/appliance"

#: Of the first process of a unit: as whom it runs, and what the kernel keeps it from.
CONFINED = """
grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(systemctl show --property=MainPID --value %s)/status" |
    tr '\\t' ' ' | cut -d ' ' -f 1,2
"""
AS_CONFINED = {"Uid: 870", "CapBnd: 0000000000000000", "CapEff: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"}

#: A unit confined like a worker that tries to write, also where the account may, and looks around.
PROBE = r"""
set -e
unit=/run/systemd/system/appliance-probe.service
install -d -o publish /var/lib/theirs
install -m 644 -o publish /dev/null /home/seen
cat >/run/look-around <<'END'
#!/bin/sh
for folder in /var/lib/appliance /srv/www /srv/.www.staging /var/lib/theirs /etc/appliance /opt/appliance; do
    touch $folder/planted 2>/dev/null && rm $folder/planted && echo "wrote $folder"
done
ls -A /home
END
chmod 755 /run/look-around
sed -e 's,^ExecStart=.*,ExecStart=/run/look-around,; s,^Type=.*,Type=oneshot,; s,%i,probe,; /^WatchdogSec=/d' \
    -e '/^Restart/d; /^PartOf=/d; /^ExecReload=/d; /^SyslogIdentifier=/d' \
    -e 's,^KillMode=.*,StandardOutput=file:/run/appliance-said,' /etc/systemd/system/appliance-worker@.service >$unit
systemctl daemon-reload
systemctl start appliance-probe
cat /run/appliance-said
rm -r $unit /run/look-around /run/appliance-said /var/lib/theirs /home/seen
systemctl daemon-reload
"""


def test_units_are_active_and_confined(cluster: Cluster) -> None:
    (publisher,) = cluster.publishers
    listed = cluster.run(publisher, "systemctl list-units --plain --no-legend --state=active 'appliance*.service'")
    units = [line.split()[0] for line in listed.splitlines()]
    kinds = {unit.removesuffix(".service").split("@")[0] for unit in units}
    assert kinds >= {"appliance-worker", "appliance-courier", "appliance-schedule", "appliance-intake", "appliance-web"}
    own = f"Uid: {cluster.run(publisher, 'id -u appliance-web').strip()}"
    for unit in units:
        wanted = AS_CONFINED - {"Uid: 870"} | {own} if unit == "appliance-web.service" else AS_CONFINED
        assert set(cluster.run(publisher, CONFINED, unit).splitlines()) == wanted, unit
    assert own not in ("Uid: 0", "Uid: 870")
    assert cluster.run(publisher, PROBE).splitlines() == [
        "wrote /var/lib/appliance", "wrote /srv/www", "wrote /srv/.www.staging"
    ]  # fmt: skip
    exposed = cluster.host(publisher).run("systemd-analyze security --no-pager --threshold=20 " + " ".join(units))
    assert exposed.rc == 0, exposed.stdout


def test_processes_are_listed(cluster: Cluster) -> None:
    (publisher,) = cluster.publishers
    processes = json.loads(cluster.appliance(publisher, "processes.list", "--json"))
    roles = {process["role"] for process in processes}
    assert roles - {"admin", "web"} == {"supervisor", "worker", "errands", "courier", "schedule", "intake"}


def test_files_have_their_modes(cluster: Cluster) -> None:
    for name, wanted in {cluster.publishers[0]: ON_PUBLISHER, cluster.frontends[0]: ON_FRONT_END}.items():
        paths = [line.split()[-1] for line in wanted.split("\n") if line]
        said = cluster.host(name).run("stat --format='%a %U:%G %n' " + " ".join(paths))
        assert (said.stdout, said.stderr) == (wanted.lstrip(), ""), name


def test_front_ends_have_no_code_of_ours(cluster: Cluster) -> None:
    for name in cluster.frontends:
        assert cluster.run(name, f"ls -d {NOT_ON_FRONT_END} 2>/dev/null || true") == ""
        assert cluster.run(name, "pgrep -u publish -f python || true") == ""


def test_a_refused_inventory_changes_nothing_on_any_host(cluster: Cluster) -> None:
    names = [*cluster.publishers, *cluster.frontends]
    for name in names:
        cluster.run(name, "touch /run/before")
    cluster.play("../site.yml", "--extra-vars", "appliance_docroot=/etc", fails="is a folder of the system")
    for name in names:
        assert cluster.run(name, "find /etc /opt /srv /usr /var/lib/appliance -xdev -newer /run/before "
                                 "-not -path '/var/lib/appliance/*' -not -path '/srv/*/*'") == ""  # fmt: skip
