"""Hosts come and go: a front end is added, another taken away, and all keys are replaced."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from operating import Cluster, Editor
from reading import Connection, Readers, await_everywhere, says

_AUTHORIZED = "/etc/ssh/appliance/authorized_keys"
_PUBLIC = "/etc/appliance/keys/id_ed25519.pub"


def test_a_front_end_is_added(cluster: Cluster, readers: Readers, editor: Editor) -> None:
    """www4 is added: it answers nothing until it is level, and then serves everything"""
    cluster.add("www4", "frontends")
    with _first_answer(cluster.addresses["www4"]) as first, editor.at_work("pub2", "pub1"):
        took = cluster.play("add_frontend.yml", "-e", "host=www4")
    cluster.frontends.append("www4")
    assert first, "www4 answers nothing"
    assert first == [http.client.OK], f"the first answer of www4 was {first}"
    readers.join("www4", cluster.addresses["www4"])
    await_everywhere(cluster.served(), editor.page, says(editor.last))
    cluster.await_level()
    print(f"\nadd_frontend.yml took {took:.1f} s, with {editor.changes} changes meanwhile", end="")


@contextmanager
def _first_answer(address: str) -> Iterator[list[int]]:
    """Ask a front end for its pages all the while; the status of the first answer, once there is one."""
    ended, found = threading.Event(), list[int]()

    def look() -> None:
        while not ended.wait(0.01) and not found:
            connection = Connection(address)
            try:
                # The page that is sent last is there only when all others are.
                found.append(connection.get("/clockwork/").status)
            except OSError:
                pass
            finally:
                connection.close()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        if not found:
            thread.join(5)  # it was put into service just now
        ended.set()
        thread.join()


def test_a_front_end_is_taken_away(cluster: Cluster, readers: Readers, editor: Editor) -> None:
    """www3 is taken away: no key is let in there, no target is left of it, and the others are level"""
    readers.leave("www3")
    cluster.frontends.remove("www3")
    with editor.at_work("pub1", "pub2"):
        took = cluster.play("decommission.yml", "-e", "host=www3")
    cluster.remove("www3", "frontends")
    for publisher in cluster.publishers:
        assert not _is_let_in(cluster, publisher, "www3", "/etc/appliance/keys/id_ed25519")
        targets = [target["name"] for target in json.loads(cluster.appliance(publisher, "targets.list", "--json"))]
        assert "www3" not in targets
        assert {"www1", "www2", "www4"} <= set(targets)
    await_everywhere(cluster.served(), editor.page, says(editor.last))
    cluster.await_level()
    print(f"\ndecommission.yml took {took:.1f} s", end="")


def test_keys_are_replaced(cluster: Cluster, editor: Editor) -> None:
    """All keys are replaced while changes are made: the old ones are let in nowhere, the new ones everywhere"""
    old = {name: cluster.run(name, f"cat {_PUBLIC}").split()[1] for name in cluster.publishers}
    for name in cluster.publishers:
        cluster.run(name, "install -o publish -m 600 /etc/appliance/keys/id_ed25519 /tmp/old_key")
    with editor.at_work("pub1", "pub2"):
        took = cluster.play("rotate_keys.yml")
    for publisher in cluster.publishers:
        new = cluster.run(publisher, f"cat {_PUBLIC}").split()[1]
        assert new != old[publisher]
        for receiver in [*cluster.frontends, *(other for other in cluster.publishers if other != publisher)]:
            admitted = cluster.run(receiver, f"cat {_AUTHORIZED}")
            assert new in admitted
            assert old[publisher] not in admitted
            assert not _is_let_in(cluster, publisher, receiver, "/tmp/old_key")
            assert _is_let_in(cluster, publisher, receiver, "/etc/appliance/keys/id_ed25519")
        cluster.run(publisher, "rm /tmp/old_key")
    began = time.monotonic()
    editor.change("pub2")
    await_everywhere(cluster.served(), editor.page, says(editor.last))
    print(f"\nrotate_keys.yml took {took:.1f} s; a change after it {time.monotonic() - began:.1f} s", end="")
    cluster.await_level()


def _is_let_in(cluster: Cluster, publisher: str, receiver: str, key: str) -> bool:
    """Whether a key of a publishing host opens the way to a receiver's docroot."""
    ssh = (
        f"ssh -F none -i {key} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no"
        " -o UserKnownHostsFile=/dev/null"
    )
    docroot = f"publish@{cluster.addresses[receiver]}::docroot/"
    command = f"runuser -u publish -- rsync --dry-run -e '{ssh}' /etc/hostname {docroot}"
    done = cluster.host(publisher).run(command.replace("%", "%%"))
    assert done.rc == 0 or "Permission denied" in done.stderr, done.stderr
    return bool(done.rc == 0)
