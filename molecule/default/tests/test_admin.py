"""The admin application answers over TLS under its names alone, and whoever breaks into it finds little."""

from __future__ import annotations

import json
import ssl

import pytest
from browsing import PREVIEW, Browser
from operating import Cluster

#: What the process could read or write if it were broken into: in its sandbox, with its account.
PROBE = r"""
unit=/run/systemd/system/appliance-probe.service
cat >/usr/local/sbin/look-around <<'END'
#!/bin/sh
for file in /etc/appliance/appliance.toml /etc/appliance/keys/id_ed25519 /etc/appliance/known_hosts \
    /etc/appliance/themes/* /etc/shadow /root/. /home/. /var/backups/. /srv/www/index.html /srv/.www.staging/. \
    /var/lib/appliance/checkouts/. /var/lib/appliance/.ssh/. /etc/ssl/private/admin.example.org.key \
    /etc/appliance/admin/appliance.toml /var/lib/appliance/appliance.db; do
    [ ! -r "$file" ] || echo "reads $file"
done
find / \( -path /proc -o -path /sys -o -path /run/appliance-probe -o -path /tmp -o -path /var/tmp \) -prune \
    -o -type d -writable -print 2>/dev/null | while read -r folder; do
    touch "$folder/planted" 2>/dev/null && rm "$folder/planted" && echo "writes $folder"
done | grep -v '^writes /var/lib/appliance/'
for process in /proc/[0-9]*; do
    [ "${process#/proc/}" = $$ ] || ls $process/root/etc/appliance/keys 2>/dev/null
done
ls -d /run/appliance-* | grep -v /run/appliance-probe
grep -vE '^ *(lo:|Inter-| *face)' /proc/self/net/dev && echo "has a network"
exit 0
END
chmod 755 /usr/local/sbin/look-around
sed -e 's,^ExecStart=.*,ExecStart=/usr/local/sbin/look-around,; s,^Type=.*,Type=oneshot,' \
    -e '/^Restart/d; /^Requires=/d; /^After=/d' \
    -e '/^ExecReload=/d; s,^KillMode=.*,StandardOutput=file:/run/appliance-said,' \
    /etc/systemd/system/appliance-admin.service >$unit
systemctl daemon-reload
systemctl start appliance-probe
cat /run/appliance-said
rm -r $unit /usr/local/sbin/look-around /run/appliance-said
systemctl daemon-reload
"""


@pytest.fixture(scope="module")
def browser(published: Cluster) -> Browser:
    return Browser(published)


@pytest.fixture(scope="module")
def publisher(published: Cluster) -> str:
    (found,) = published.publishers
    return found


def test_people_are_asked_to_sign_in_under_its_name(browser: Browser, publisher: str) -> None:
    status, headers, _ = browser.get(publisher)
    assert (status, headers["Location"]) == (303, "/sign-in")
    status, headers, text = browser.get(publisher, "/sign-in")
    assert (status, "<form" in text) == (200, True)
    assert headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert len(headers.get_all("Content-Security-Policy") or []) == 1
    assert browser.get(publisher, "/api/v1/sites").status == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_is_for_the_host_is_not_passed_on(browser: Browser, publisher: str, path: str) -> None:
    assert browser.get(publisher, path).status == 404


def test_previews_are_another_application(browser: Browser, publisher: str) -> None:
    assert browser.get(publisher, name=PREVIEW).status == 404
    assert browser.get(publisher, "/sign-in", name=PREVIEW).status == 404


def test_no_other_name_has_an_answer(browser: Browser, publisher: str) -> None:
    assert browser.get(publisher, host="www.example.org").status == 421
    with pytest.raises(ssl.SSLError):
        browser.get(publisher, name="www.example.org")


def test_front_ends_know_nothing_of_it(published: Cluster) -> None:
    for name in published.frontends:
        said = published.run(name, "grep -rl admin.example.org /etc/nginx || true")
        assert said.strip() == ""


def test_whoever_breaks_into_it_reads_no_key_and_writes_the_database_alone(published: Cluster, publisher: str) -> None:
    assert sorted(published.run(publisher, PROBE).splitlines()) == [
        "reads /etc/appliance/admin/appliance.toml",
        "reads /var/lib/appliance/appliance.db",
        "writes /var/lib/appliance",
    ]
    exposed = published.host(publisher).run(
        "systemd-analyze security --no-pager --threshold=12 appliance-admin.service"
    )
    assert exposed.rc == 0, exposed.stdout


def test_the_socket_is_for_the_web_server(published: Cluster, publisher: str) -> None:
    said = published.run(
        publisher, "stat --format='%a %U:%G %n' /run/appliance-admin.sock /etc/appliance/admin/appliance.toml"
    )
    assert said.splitlines() == [
        "660 root:www-data /run/appliance-admin.sock",
        "640 root:publish /etc/appliance/admin/appliance.toml",
    ]


def test_its_workers_are_listed(published: Cluster, publisher: str) -> None:
    processes = json.loads(published.appliance(publisher, "processes.list", "--json"))
    assert [process["doing"] for process in processes if process["role"] == "admin"] == ["answering users"]
