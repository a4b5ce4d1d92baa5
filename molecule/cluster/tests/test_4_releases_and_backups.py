"""The next release, one that does not work, and a state that is brought back from a backup."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from commenting import Commenters
from operating import CHECKOUT, Cluster, Editor
from reading import Readers, await_everywhere, is_gone, says

FOLDER = CHECKOUT / ".ansible" / "molecule" / "cluster"

_NEXT, _BROKEN = "90.1.0", "90.2.0"


def _wheel(version: str, broken: bool = False) -> Path:
    """A wheel of the checkout as it is, with another version; a broken one raises when it is to work."""
    source = FOLDER / "source" / version
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(CHECKOUT / "appliance", source / "appliance", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    package = source / "appliance" / "__init__.py"
    text, count = re.subn(r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"', package.read_text("utf-8"))
    assert count == 1
    package.write_text(text, "utf-8")
    if broken:
        daemon = source / "appliance" / "running" / "work.py"
        text = daemon.read_text("utf-8")
        assert re.search(r"(?m)^def work\(", text), "the daemon is elsewhere now, so this release would work"
        fault = "\n\ndef work(*_, **__):\n    raise RuntimeError('this release does not work')\n"
        daemon.write_text(text + fault, "utf-8")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(source / "dist")]
    subprocess.run(command, cwd=source, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return next((source / "dist").glob("*.whl"))


def test_the_next_release(cluster: Cluster, editor: Editor) -> None:
    """Both publishing hosts are upgraded while changes are made and readers comment"""
    before = _releases(cluster)
    cluster.let("publisher_wheel", str(_wheel(_NEXT)))
    commenters = Commenters(cluster.served(), editor.page, pause=2.0)
    with editor.at_work("pub1", "pub2"), commenters.at_work():
        took = cluster.play("upgrade.yml")
    after = _releases(cluster)
    assert all(f"/{_NEXT}-" in release for release in after.values()), after
    assert before != after
    await_everywhere(cluster.served(), editor.page, says(editor.last))
    await_everywhere(cluster.served(), editor.page, commenters.are_all_there)
    cluster.await_level()
    assert commenters.saved
    assert not commenters.refused
    print(f"\nupgrade.yml took {took:.1f} s, with {editor.changes} changes until now; {len(commenters.saved)} comments"
          f" were taken, the slowest after {commenters.slowest:.1f} s", end="")  # fmt: skip


def test_an_upgrade_that_was_broken_off(cluster: Cluster, editor: Editor) -> None:
    """An upgrade that was broken off once the next release was in use, and nothing ran, is gone through with"""
    name = cluster.publishers[0]
    releases = cluster.run(name, "basename -a /opt/appliance/*/").split()
    (former, *_) = (release for release in releases if not release.startswith((_NEXT, "current")))
    cluster.run(name, f"systemctl stop appliance.target && echo {former} >/opt/appliance/upgrading-from")
    took = cluster.play("upgrade.yml", "-e", "upgrade_backup=false")
    assert not cluster.host(name).file("/opt/appliance/upgrading-from").exists
    assert cluster.host(name).service("appliance.target").is_running
    editor.change(name)
    await_everywhere(cluster.served(), editor.page, says(editor.last))
    print(f"\nupgrade.yml took {took:.1f} s", end="")


def test_a_release_that_does_not_work(cluster: Cluster, editor: Editor) -> None:
    """A release that does not work is refused, and the one before it runs on"""
    before = _releases(cluster)
    wheel = _wheel(_BROKEN, broken=True)
    took = cluster.play("upgrade.yml", "-e", f"publisher_wheel={wheel}", fails="does not work there, so the former one")
    assert _releases(cluster) == before
    for name in cluster.publishers:
        assert cluster.host(name).service("appliance.target").is_running
        editor.change(name)
        await_everywhere(cluster.served(), editor.page, says(editor.last))
    print(f"\nupgrade.yml refused it within {took:.1f} s", end="")


def _releases(cluster: Cluster) -> dict[str, str]:
    """The release that is installed on each publishing host, of which its processes are."""
    found, units = {}, "'appliance-worker@*' appliance-intake appliance-web appliance-admin"
    for name in cluster.publishers:
        found[name] = cluster.run(name, "readlink -f /opt/appliance/current")
        workers = cluster.run(name, f"systemctl show --property=MainPID --value {units}").split()
        assert workers
        for worker in workers:
            assert f"{found[name]}/" in cluster.run(name, "tr '\\0' ' ' </proc/%s/cmdline", worker)
    return found


def test_a_backup_is_brought_back(cluster: Cluster, readers: Readers, editor: Editor) -> None:
    """What was edited, added and removed after a backup is as it was once that is restored"""
    editor.change(cluster.publishers[0])
    kept = editor.last
    await_everywhere(cluster.served(), editor.page, says(kept))
    before = cluster.await_level()
    backup = cluster.play("backup.yml")

    editor.change(cluster.publishers[-1])
    cluster.appliance(cluster.publishers[0], "content.add", "Afterwards", "--text", "Later.", "--status", "published",
                      "--address", "afterwards/index.html")  # fmt: skip
    await_everywhere(cluster.served(), "/afterwards/", says("Later."))
    await_everywhere(cluster.served(), editor.page, says(editor.last))

    restore = cluster.play("restore.yml")
    await_everywhere(cluster.served(), "/afterwards/", is_gone)
    await_everywhere(cluster.served(), editor.page, says(kept))
    after = cluster.await_level()
    assert {path: about.split()[-1] for path, about in after.items()} == {
        path: about.split()[-1] for path, about in before.items()
    }
    print(f"\nbackup.yml took {backup:.1f} s, restore.yml {restore:.1f} s", end="")
