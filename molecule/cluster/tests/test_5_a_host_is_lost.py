"""A publishing host is lost for good, and the readers of all days have seen nothing wrong."""

from __future__ import annotations

import json

from operating import Cluster, Editor
from reading import Readers, await_everywhere, says


def test_a_publishing_host_is_lost(cluster: Cluster, editor: Editor) -> None:
    """pub1 loses power for good and is taken away: pub2 goes on alone"""
    cluster.cut_power("pub1")
    cluster.publishers.remove("pub1")
    with editor.at_work("pub2"):
        took = cluster.play("decommission.yml", "-e", "host=pub1")
    cluster.remove("pub1", "publishers")
    for name in cluster.frontends:
        passed_on = cluster.run(name, "grep -c ':8090 ' /etc/nginx/conf.d/appliance.conf")
        assert int(passed_on) == 2, f"{name} passes readers' forms on to others than pub2"
    editor.change("pub2")
    await_everywhere(cluster.served(), editor.page, says(editor.last))
    targets = [target["name"] for target in json.loads(cluster.appliance("pub2", "targets.list", "--json"))]
    assert set(targets) == set(cluster.frontends)
    cluster.appliance("pub2", "drain")
    cluster.await_level()
    print(f"\ndecommission.yml took {took:.1f} s", end="")


def test_readers_saw_nothing_wrong(readers: Readers) -> None:
    """No reader of any front end in service ever missed a page, saw an older version, or half a page"""
    readers.end()
    assert not readers.faults
    assert readers.newer
    print(f"\n{readers.looks} looks, {readers.newer} of them at something newer than before", end="")
