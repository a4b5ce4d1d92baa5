"""The documented ways to confine a key hold against somebody who has it, with each build of rsync on the front end."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.delivery.courier import Couriers
from appliance.delivery.transports import ssh_hops
from appliance.demo.frontend import FrontEnd
from tests import rsyncs

from .conftest import Publisher, tree, use_builds

FrontEnds = Callable[..., list[FrontEnd]]


class Thief:
    """Somebody who holds the key, and an rsync."""

    def __init__(self, publisher: Publisher, front: FrontEnd, access: str) -> None:
        self.front, self.folder = front, publisher.folder / "thief's"
        self.folder.mkdir()
        self.outside = publisher.folder / "outside"
        (self.outside / "sub").mkdir(parents=True)
        (self.outside / "mine").write_text("not to be touched")
        self.target = publisher.target(front.settings().model_copy(update={"access": access}))
        self._settings = publisher.folder / "ssh settings"
        self._settings.write_text(ssh_hops.target_configuration(self.target, publisher.folder / "none"))
        self._rsync = publisher.delivery.rsync

    def send(self, *words: str) -> None:
        """Send something from the thief's folder; whether it is taken does not matter."""
        to = self.target.destination
        command = [self._rsync, "-e", f"ssh -F '{self._settings}'", *words, to if to.endswith("/") else f"{to}/"]
        subprocess.run(command, cwd=self.folder, capture_output=True, timeout=30, check=False)

    def put(self, name: str) -> str:
        """A file of the thief's; returns its name."""
        file = self.folder / name
        for planted in (file, file.parent):
            if planted.is_symlink():
                planted.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("planted")
        return name

    def link(self, name: str, to: Path) -> str:
        """A link of the thief's; returns its name."""
        (self.folder / name).symlink_to(to)
        return name


@pytest.fixture(params=["module new-old", "module new-new", "rrsync new-old", "rrsync new-new"])
def thief(request: pytest.FixtureRequest, publisher: Publisher, front_ends: FrontEnds) -> Thief:
    access, _, pair = request.param.partition(" ")
    use_builds(request, publisher, pair)
    docroot = publisher.folder / "front 0" / "docroot"
    script = rsyncs.rrsync(Path(publisher.receiving), publisher.folder)
    (front,) = front_ends(1, forced=f"'{script}' -wo -munge '{docroot}'" if access == "rrsync" else None)
    return Thief(publisher, front, access)


def test_no_link_that_the_key_plants_leads_outside(thief: Thief) -> None:
    for name, to in (("evil", thief.outside), ("evil-file", thief.outside / "mine"), ("up", Path("../../outside"))):
        thief.send("-l", thief.link(name, to))
    for folder in ("evil", "up"):
        thief.send("-R", "--no-implied-dirs", thief.put(f"{folder}/planted"))
        thief.send("-R", thief.put(f"{folder}/sub/planted"))
        thief.send("-rK", thief.put(f"{folder}/planted-too").partition("/")[0])
        thief.send("-R", "--no-implied-dirs", "--inplace", f"{folder}/planted")
    thief.send("--inplace", thief.put("evil-file"))
    thief.send("-R", "--no-implied-dirs", "--delete", "-r", "--existing", "--ignore-existing", thief.put("evil/sub/x"))
    assert {name: kind and kind[0] for name, kind in tree(thief.outside).items()} == {
        "sub": None, "mine": "not to be touched",
    }  # fmt: skip


def test_a_link_that_another_planted_leads_nowhere_when_pages_are_pushed(thief: Thief, publisher: Publisher) -> None:
    """Such as by a hole in what the front end runs besides."""
    (thief.front.docroot / "blog").symlink_to(thief.outside)
    (thief.front.docroot / "page.html").symlink_to(thief.outside / "mine")
    for name in ("blog/index.html", "blog/sub/index.html", "page.html"):
        publisher.put(name, "ours")
    with Couriers([thief.target]) as couriers:
        couriers.settle(tries=2)
        for name in ("blog/index.html", "blog/sub/index.html", "page.html"):
            publisher.delete(name)
        couriers.settle(tries=2)
    assert set(tree(thief.outside)) == {"sub", "mine"}


def test_files_from_the_key_have_ordinary_rights(thief: Thief) -> None:
    program = thief.put("program")
    (thief.folder / program).chmod(0o6777)
    thief.send("--perms", "--chmod=F6777", program)
    thief.send("-rp", "--chmod=D6777,F6777", thief.put("folder/file").partition("/")[0])
    modes = {
        str(path.relative_to(thief.front.docroot)): stat.S_IMODE(path.stat().st_mode)
        for path in thief.front.docroot.rglob("*")
    }
    if thief.target.settings.access == "module":
        assert modes.pop("folder") & 0o777 == 0o755
        assert modes == {"program": 0o644, "folder/file": 0o644}
    assert not any(path.is_symlink() for path in thief.front.docroot.rglob("*"))
