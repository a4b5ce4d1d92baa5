"""What is published is on the front end at once, over a real NFS; without its mount nothing is published, or lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from arriving import arrives
from operating import Cluster
from reading import await_everywhere, is_gone, says

MOUNT = "/srv/town"
DOCROOT = f"{MOUNT}/www"
PUBLISHER, FRONTEND, STORAGE = "nfs-pub1", "nfs-www1", "nfs-files1"
#: A front end that comes and goes.
ADDED = "nfs-www2"
PAGE = "/passing/"

#: Seconds for anything that a program does by itself, on hosts as slow as these.
PATIENCE = 180.0

_DIGESTS = f"cd {DOCROOT} && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum"


def test_both_hosts_mount_it_and_the_front_end_only_reads(cluster: Cluster) -> None:
    mounts = {name: _mount(cluster, name) for name in (PUBLISHER, FRONTEND)}
    source = f"{cluster.addresses[STORAGE]}:/export/town"
    assert [mount[:2] for mount in mounts.values()] == [["nfs4", source]] * 2
    assert {"rw", "hard"} <= set(mounts[PUBLISHER][2].split(","))
    assert {"ro", "hard", "nosuid", "nodev", "noexec"} <= set(mounts[FRONTEND][2].split(","))
    assert cluster.host(FRONTEND).run("setpriv --reuid=publish --clear-groups touch %s/x", DOCROOT).rc != 0
    # Whoever has the front end mounts as he likes: then it is the server that refuses.
    cluster.run(FRONTEND, f"mkdir -p /run/tried && mount -t nfs4 -o rw {source} /run/tried")
    tried = cluster.host(FRONTEND).run("setpriv --reuid=publish --clear-groups touch /run/tried/www/x")
    cluster.run(FRONTEND, "umount /run/tried && rmdir /run/tried")
    assert (tried.rc != 0, "Read-only file system" in tried.stderr) == (True, True), tried.stderr


def test_the_docroot_is_marked_and_nothing_is_sent(cluster: Cluster) -> None:
    for name in (PUBLISHER, FRONTEND):
        assert 'name = "town"' in cluster.run(name, f"cat {DOCROOT}/.appliance-docroot").splitlines()
    units = cluster.run(PUBLISHER, "systemctl list-units --all --plain --no-legend 'appliance*.service'")
    running = {line.split()[0]: line.split()[2] for line in units.splitlines()}
    assert "appliance-courier.service" not in running
    assert running.pop("appliance-backup.service", "inactive") == "inactive"
    assert set(running.values()) == {"active"}
    assert "appliance-schedule.service" in running
    assert cluster.host(PUBLISHER).run("test -e /etc/systemd/system/appliance-courier.service").rc == 1
    assert json.loads(cluster.appliance(PUBLISHER, "status", "--json"))["targets"] == []


def test_what_is_published_is_on_the_front_end(cluster: Cluster) -> None:
    demo = cluster.run(PUBLISHER, "echo /opt/appliance/current/lib/python3*/site-packages/appliance/demo/content")
    cluster.appliance(PUBLISHER, "content.import", demo.strip())
    began = time.monotonic()
    cluster.appliance(PUBLISHER, "publish")
    planned = time.monotonic()
    _await(cluster, "an empty queue", lambda jobs: jobs["pending"] + jobs["running"] == 0)
    published_at = time.monotonic()
    published, served = cluster.run(PUBLISHER, _DIGESTS), cluster.run(FRONTEND, _DIGESTS)
    assert served == published
    files = len(served.splitlines())
    print(f"\n{files} files: planned in {planned - began:.1f} s, there {published_at - planned:.1f} s later", end="")
    assert files > 100
    await_everywhere(cluster.served(), "/", says("Tidemark"))


def test_changes_are_there_within_seconds(cluster: Cluster) -> None:
    add = ("content.add", "Passing", "--text", "It comes.", "--status", "published", "--address", "passing/index.html")
    arrives(cluster, "an entry", add, PAGE, says("It comes."))
    arrives(cluster, "an edit", ("content.edit", "passing", "--text", "It stays."), PAGE, says("It stays."))
    arrives(cluster, "a deletion", ("content.delete", "passing"), PAGE, is_gone)
    arrives(cluster, "an entry again", add, PAGE, says("It comes."))


def test_without_the_mount_nothing_is_published_and_with_it_all(cluster: Cluster) -> None:
    text = f"It was away at {time.time():.0f}."
    cluster.run(PUBLISHER, f"umount --lazy {MOUNT}")
    sentence = f"the docroot {DOCROOT} has no marker .appliance-docroot: its file system is not mounted"
    _refused(cluster, text, sentence)
    # Not even a folder: what lay below the mount point would be hidden by the next mount.
    assert cluster.run(PUBLISHER, f"find {MOUNT} -mindepth 1") == ""
    await_everywhere(cluster.served(), PAGE, says("It comes."))

    began = time.monotonic()
    cluster.run(PUBLISHER, f"mount {MOUNT}")
    back = await_everywhere(cluster.served(), PAGE, says(text), PATIENCE)
    print(f"\nmounted again: there {back - began:.1f} s after", end="")
    _await(cluster, "an empty queue", lambda jobs: jobs["pending"] + jobs["running"] == 0)


def test_a_server_that_is_silent_holds_it_up_until_it_answers(cluster: Cluster) -> None:
    text = f"It was silent at {time.time():.0f}."
    cluster.run(STORAGE, "systemctl stop nfs-server")
    _refused(cluster, text, f"the docroot {DOCROOT} did not answer within 3 s")

    began = time.monotonic()
    cluster.run(STORAGE, "systemctl start nfs-server")
    back = await_everywhere(cluster.served(), PAGE, says(text), PATIENCE)
    print(f"\nserved again: there {back - began:.1f} s after", end="")
    _await(cluster, "an empty queue", lambda jobs: jobs["pending"] + jobs["running"] == 0)


def test_a_front_end_is_added_and_taken_away(cluster: Cluster) -> None:
    cluster.add(ADDED, "frontends")
    took = cluster.play("add_frontend.yml", "-e", f"host={ADDED}")
    cluster.frontends.append(ADDED)
    print(f"\nadd_frontend.yml took {took:.1f} s", end="")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(_mount(cluster, ADDED)[2].split(","))
    assert cluster.run(ADDED, _DIGESTS) == cluster.run(PUBLISHER, _DIGESTS)
    arrives(cluster, "an edit", ("content.edit", "passing", "--text", "It grows."), PAGE, says("It grows."))
    # Nothing lies below the mount, which would be served if that were missing.
    cluster.run(ADDED, "mkdir /run/below && mount --bind /srv /run/below")
    bare = cluster.run(ADDED, "find /run/below -type f -o -name www")
    cluster.run(ADDED, "umount /run/below && rmdir /run/below")
    assert bare == ""

    cluster.frontends.remove(ADDED)
    took = cluster.play("decommission.yml", "-e", f"host={ADDED}")
    cluster.remove(ADDED, "frontends")
    print(f"\ndecommission.yml took {took:.1f} s", end="")
    assert cluster.host(ADDED).run("findmnt --mountpoint %s", MOUNT).rc == 1
    assert MOUNT not in cluster.run(ADDED, "cat /etc/fstab")
    assert cluster.addresses[ADDED] not in cluster.run(STORAGE, "exportfs -s")
    assert cluster.addresses[FRONTEND] in cluster.run(STORAGE, "exportfs -s")
    arrives(cluster, "an edit", ("content.edit", "passing", "--text", "It goes on."), PAGE, says("It goes on."))


def _mount(cluster: Cluster, name: str) -> list[str]:
    """Type, source and options of what is mounted there."""
    return cluster.run(name, f"findmnt --noheadings --raw --output=FSTYPE,SOURCE,OPTIONS --mountpoint {MOUNT}").split()


def _refused(cluster: Cluster, text: str, sentence: str) -> None:
    """An edit is taken, yet waits: every command and the worker say why, and no job fails or is lost."""
    cluster.appliance(PUBLISHER, "content.edit", "passing", "--text", text)
    _await(cluster, "a job that waits", lambda jobs: jobs["pending"] > 0)
    assert f"nothing is published for now: {sentence}" in cluster.appliance(PUBLISHER, "status")
    drained = cluster.host(PUBLISHER).run("appliance drain")
    assert (drained.rc, sentence in drained.stderr) == (3, True), drained
    told = time.monotonic() + PATIENCE
    while sentence not in cluster.run(PUBLISHER, "journalctl --quiet --unit='appliance-worker@*' --output=cat"):
        assert time.monotonic() < told, "no worker says that the docroot is away"
    state = json.loads(cluster.appliance(PUBLISHER, "status", "--json"))
    assert (state["jobs"]["pending"] > 0, state["jobs"]["failed"]) == (True, 0), state
    assert sentence in state["away"]


def _await(cluster: Cluster, what: str, reached: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the numbers of jobs by state are as wanted."""
    deadline = time.monotonic() + PATIENCE
    while not reached(jobs := json.loads(cluster.appliance(PUBLISHER, "status", "--json"))["jobs"]):
        assert time.monotonic() < deadline, f"no {what} after {PATIENCE:.0f} s: {jobs}"
    assert not jobs["failed"], jobs
