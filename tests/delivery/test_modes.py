"""What a push does to the modes and groups of a docroot, with each build of rsync at each end."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.delivery.courier import Couriers
from appliance.delivery.transports.rsync import RsyncTransport
from appliance.demo.frontend import FrontEnd

from .conftest import Publisher, tree, use_builds

FrontEnds = Callable[..., list[FrontEnd]]

#: Two accounts and the group they share, by number: nobody has them.
DAEMON, RECEIVER, GROUP = 64871, 64872, 64873


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("access", ["module", "shell"])
def test_the_docroot_itself_is_left_alone(
    publisher: Publisher, builds: str, front_ends: FrontEnds, access: str
) -> None:
    program = Path(publisher.receiving)
    forced = f"PATH='{program.parent}':$PATH sh -c \"$SSH_ORIGINAL_COMMAND\"" if access == "shell" else None
    (front,) = front_ends(1, forced=forced)
    target = publisher.target(front.settings().model_copy(update={"access": access}))
    front.docroot.chmod(0o2775)
    for name in ("index.html", "a/b.html", "#hash", ";semicolon", "-dash"):
        publisher.put(name, "x")
    publisher.put("a/stays.html", "x")
    with Couriers([target]) as couriers:
        assert couriers.settle()[0].error is None
        publisher.delete("a/b.html")
        # The forced daemon's own "incoming chmod" is applied to a folder in which something goes.
        if access == "shell":
            publisher.delete("index.html")
        assert couriers.settle()[0].error is None
    assert mode(front.docroot) == 0o2775
    assert tree(front.docroot) == tree(publisher.docroot)
    assert {mode(path) for path in front.docroot.iterdir() if path.is_file()} == {0o644}


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Publisher]:
    """A publisher in a folder that every account can reach."""
    if os.getuid() or not shutil.which("setpriv"):
        pytest.skip("other accounts are used, which takes root and setpriv")
    opened = db.open_sqlite(tmp_path / "appliance.db")
    db.migrate()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="shared") as folder:
        Path(folder).chmod(0o755)
        yield Publisher(Path(folder))
    opened.close()


def as_account(number: int, *words: str) -> list[str]:
    return ["setpriv", f"--reuid={number}", f"--regid={number}", f"--groups={GROUP}", *words]


@pytest.mark.parametrize("pair", ["old-old", "new-new"])
def test_two_accounts_of_one_group_write_one_docroot(
    request: pytest.FixtureRequest, shared: Publisher, pair: str
) -> None:
    """One is the daemon's of that host, the other receives what its peers send."""
    use_builds(request, shared, pair)
    program = shared.folder / "rsync"
    program.write_bytes(Path(shared.delivery.rsync).read_bytes())
    program.chmod(0o755)
    receiving = shared.folder / "as the receiver"
    receiving.write_text(f'#!/bin/sh\numask 002\nexec {" ".join(as_account(RECEIVER))} {program} "$@"\n')
    receiving.chmod(0o755)
    docroot = shared.folder / "docroot of pub2"
    docroot.mkdir()
    (docroot / "made").mkdir()
    (docroot / "made" / "page.html").write_text("first")
    os.utime(docroot / "made" / "page.html", (1, 1))
    for path in (docroot, docroot / "made", docroot / "made" / "page.html"):
        os.chown(path, DAEMON, GROUP)
    docroot.chmod(0o2775)
    (docroot / "made").chmod(0o2775)
    target = replace(shared.local("pub2"), peer="pub2")
    target = replace(
        target,
        settings=target.settings.model_copy(update={"address": str(docroot)}),
        delivery=target.delivery.model_copy(update={"rsync": str(receiving)}),
    )
    changes = [shared.write(name, "second") for name in ("made/page.html", "made/deep/er/page.html", "new.html")]
    with tempfile.TemporaryDirectory(dir="/tmp") as words:
        Path(words).chmod(0o777)
        RsyncTransport(target, None).push(changes)
    assert {name for name, kind in tree(docroot).items() if kind and kind[0] == "second"} == {
        "made/page.html", "made/deep/er/page.html", "new.html",
    }  # fmt: skip
    for folder in (docroot, docroot / "made", docroot / "made/deep", docroot / "made/deep/er"):
        assert (mode(folder), folder.stat().st_gid) == (0o2775, GROUP), folder
    # And the daemon's account replaces and removes what came.
    fresh = docroot / "made/deep/er/page.html"
    subprocess.run(as_account(DAEMON, "sh", "-c", f"rm '{fresh}' && echo third > '{fresh}'"), check=True)
    assert fresh.read_text() == "third\n"


def test_folders_built_here_take_after_the_docroot(config: Config) -> None:
    config.docroot.mkdir(exist_ok=True)
    docroot = Docroot.prepare(config)
    for given, made in ((0o755, 0o755), (0o2775, 0o2775), (0o700, 0o755)):
        config.docroot.chmod(given)
        final = config.docroot / f"of {given:o}" / "deep" / "page.html"
        docroot._make_folders(str(final.relative_to(config.docroot)))
        assert {mode(final.parent), mode(final.parent.parent)} == {made}
