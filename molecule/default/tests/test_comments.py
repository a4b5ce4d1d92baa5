"""Readers comment through the front ends, by a process whose account can read nothing of the appliance."""

from __future__ import annotations

import http.client
import socket
import time

import pytest
from arriving import arrives
from commenting import Form, ask
from operating import Cluster
from reading import await_everywhere, says

PAGE = "/remarkable/"

#: What the web process could read or write if it were broken into: in its sandbox, with its account.
PROBE = r"""
unit=/run/systemd/system/appliance-probe.service
cat >/run/look-around <<'END'
#!/bin/sh
for file in /etc/appliance/appliance.toml /etc/appliance/keys /etc/appliance/keys/id_ed25519 /var/lib/appliance \
    /var/lib/appliance/appliance.db /var/lib/appliance/assets /etc/shadow /root /var/backups/appliance; do
    [ ! -r "$file" ] || echo "reads $file"
done
find / \( -path /proc -o -path /sys -o -path /run/appliance-web \) -prune \
    -o -type d -writable -print 2>/dev/null | while read -r folder; do
    touch "$folder/planted" 2>/dev/null && rm "$folder/planted" && echo "writes $folder"
done
[ -r /etc/appliance/web/web.toml ] && echo "reads web.toml"
grep -vE '^ *(lo:|Inter-| *face)' /proc/self/net/dev && echo "has a network"
exit 0
END
chmod 755 /run/look-around
sed -e 's,^ExecStart=.*,ExecStart=/run/look-around,; s,^Type=.*,Type=oneshot,; /^Restart/d; /^Requires=/d; /^After=/d' \
    -e '/^ExecReload=/d; s,^KillMode=.*,StandardOutput=file:/run/appliance-said,' \
    /etc/systemd/system/appliance-web.service >$unit
systemctl daemon-reload
systemctl start appliance-probe
cat /run/appliance-said
rm -r $unit /run/look-around /run/appliance-said
systemctl daemon-reload
"""
#: The same account outside of the sandbox: what the modes of files alone keep from it.
BARE = r"""
for file in /etc/appliance/appliance.toml /etc/appliance/keys/id_ed25519 /var/lib/appliance/appliance.db; do
    setpriv --reuid=appliance-web --regid=appliance-web --clear-groups head -c 1 $file 2>&1 >/dev/null || true
done
id appliance-web
"""


@pytest.fixture(scope="module")
def remarkable(published: Cluster) -> Cluster:
    """The cluster with an entry of its own to comment on."""
    add = ("content.add", "Remarkable", "--text", "Say something.", "--status", "published",
           "--address", "remarkable/index.html", "--site", "town")  # fmt: skip
    arrives(published, "an entry", add, PAGE, says("Say something."))
    return published


def test_a_reader_s_comment_is_on_every_front_end(remarkable: Cluster) -> None:
    served = remarkable.served()
    for name, address in served.items():
        form, text = Form(address, PAGE), f"Written at {name}."
        began = time.monotonic()
        answer = form.send(text, form.token(), X_Forwarded_For="203.0.113.9")
        assert answer.status == http.client.SEE_OTHER, answer
        if f"{PAGE}?receipt=" in answer.location:  # it is said to be there: on this front end it is
            assert text.encode() in ask(address, "GET", PAGE).body
        arrived = await_everywhere(served, PAGE, says(text))
        print(f"\na comment at {name}: answered after {1000 * answer.seconds:.0f} ms, on all front ends after "
              f"{1000 * (arrived - began):.0f} ms", end="")  # fmt: skip


def test_a_comment_that_is_sent_twice_is_there_once(remarkable: Cluster) -> None:
    first, second = list(remarkable.served().values())[:2]
    form = Form(first, PAGE)
    token = form.token()
    answers = [form.send("Only once.", token), Form(second, PAGE).send("Only once.", token)]
    assert [answer.status for answer in answers] == [http.client.SEE_OTHER] * 2
    await_everywhere(remarkable.served(), PAGE, says("Only once."))
    assert ask(first, "GET", PAGE).body.count(b"Only once.") == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/-/metrics", "/-/", "/-/other/comments"])
def test_only_what_is_for_readers_is_passed_on(remarkable: Cluster, path: str) -> None:
    assert ask(remarkable.addresses[remarkable.frontends[0]], "GET", path).status == http.client.NOT_FOUND


def test_a_broken_into_web_process_reads_no_secret_and_writes_nothing(remarkable: Cluster) -> None:
    (publisher,) = remarkable.publishers
    assert remarkable.run(publisher, PROBE).splitlines() == ["writes /run/appliance-probe", "reads web.toml"]
    said = remarkable.run(publisher, BARE).splitlines()
    assert [line.rpartition(": ")[2] for line in said[:-1]] == ["Permission denied"] * 3
    assert said[-1].partition("groups=")[2].count("(") == 1, said[-1]
    exposed = remarkable.host(publisher).run("systemd-analyze security --no-pager --threshold=10 appliance-web.service")
    assert exposed.rc == 0, exposed.stdout


def test_nobody_else_asks_the_intake_or_the_web_process(remarkable: Cluster) -> None:
    (publisher,) = remarkable.publishers
    paths = (
        "/run/appliance-intake /run/appliance-intake/intake.sock /run/appliance-web.sock /etc/appliance/web/web.toml"
    )
    said = remarkable.run(publisher, f"stat --format='%a %U:%G %n' {paths}")
    assert said.splitlines() == [
        "711 publish:publish /run/appliance-intake",
        "660 publish:appliance-web /run/appliance-intake/intake.sock",
        "660 root:root /run/appliance-web.sock",
        "640 root:appliance-web /etc/appliance/web/web.toml",
    ]


def test_nobody_but_front_ends_connects_to_the_web_process(remarkable: Cluster) -> None:
    (publisher,) = remarkable.publishers
    with pytest.raises(TimeoutError):
        socket.create_connection((remarkable.addresses[publisher], 8090), timeout=3).close()
    look = "import socket, sys; socket.create_connection((sys.argv[1], 8090), timeout=30)"
    remarkable.run(remarkable.frontends[0], "python3 -c %s %s", look, remarkable.addresses[publisher])


def test_who_sends_too_many_forms_is_told_to_wait(remarkable: Cluster) -> None:
    address = remarkable.addresses[remarkable.frontends[-1]]
    statuses = [ask(address, "POST", "/-/town/comments", {"entry": "0"}).status for _ in range(15)]
    assert statuses[0] == http.client.NOT_FOUND
    assert statuses[-1] == http.client.TOO_MANY_REQUESTS
    assert ask(address, "GET", PAGE).status == http.client.OK


def test_an_address_is_the_one_that_nginx_saw(remarkable: Cluster) -> None:
    (publisher,) = remarkable.publishers
    query = "SELECT DISTINCT address FROM comment_origin WHERE address <> ''"
    script = f"import sqlite3; print(*sqlite3.connect('/var/lib/appliance/appliance.db').execute({query!r}).fetchall())"
    (address,) = remarkable.run(publisher, "runuser -u publish -- python3 -c %s", script).splitlines()
    assert address.count(",") == 1, address
    assert "203.0.113.9" not in address
