"""What rsync is told, and what its failures are called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config import DeliverySettings, TargetSettings
from appliance.delivery.courier import Couriers
from appliance.delivery.diagnostics import rsync_trial
from appliance.delivery.transports import rsync_errors
from appliance.delivery.transports.rsync import RsyncTransport
from appliance.delivery.transports.rsync_command import RsyncCommand
from appliance.demo.frontend import FrontEnd
from appliance.errors import DeliveryError, PartialTransfer, TargetBusy

from .conftest import Publisher, tree
from .test_courier import until


def test_further_options_come_after_ours(publisher: Publisher) -> None:
    target = publisher.target(
        TargetSettings(name="a", address="/srv/a", other_path=True, rsync_options=["--bwlimit=2m"]),
        rsync_options=["--compress"],
    )
    command = RsyncCommand(target, None).transfer()
    assert command[-5:] == ["--compress", "--bwlimit=2m", "--", f"{publisher.docroot}/", "/srv/a/"]
    assert {"--checksum", "--update", "--from0", "--files-from=-", "--timeout=10"} <= set(command)


@pytest.mark.conformance("A5")
def test_an_rsync_that_is_missing_is_refused() -> None:
    with pytest.raises(DeliveryError, match="apt-get install rsync"):
        rsync_trial.run(DeliverySettings(rsync="/nowhere/rsync"))


@pytest.mark.conformance("A5")
@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("--ignore-existing", "ignore-existing"),  # as a build without an option does
        ("--delay-updates", "delay-updates"),
    ],
)
def test_an_rsync_that_cannot_do_it_is_refused_whatever_its_version(tmp_path: Path, refused: str, said: str) -> None:
    program = tmp_path / "rsync"
    lacking = f'echo "rsync: {refused}: unknown option" >&2; exit 1'
    program.write_text(f'#!/bin/sh\ncase "$*" in *{refused}*) {lacking} ;; esac\nexec rsync "$@"\n')
    program.chmod(0o755)
    with pytest.raises(DeliveryError, match=rf"cannot do what a push needs \(.*{said}.*apt-get install rsync"):
        rsync_trial.run(DeliverySettings(rsync=str(program)))


@pytest.mark.conformance("A5")
def test_an_rsync_that_says_it_removed_and_did_not_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "rsync"
    program.write_text('#!/bin/sh\ncase "$*" in *--existing*) exit 0 ;; esac\nexec rsync "$@"\n')
    program.chmod(0o755)
    with pytest.raises(DeliveryError, match="it left gone, sent, stays there"):
        rsync_trial.run(DeliverySettings(rsync=str(program)))


@pytest.mark.usefixtures("builds")
def test_every_build_passes_its_trial(publisher: Publisher) -> None:
    rsync_trial.run(publisher.delivery)


def test_something_that_is_no_rsync_is_refused() -> None:
    with pytest.raises(DeliveryError, match=r"correct delivery\.rsync"):
        rsync_trial.run(DeliverySettings(rsync="/bin/true"))


@pytest.mark.parametrize(
    ("code", "stderr", "kind", "words"),
    [
        (
            12,
            "rrsync: Another instance of rrsync is already accessing this directory.",
            TargetBusy,
            "another writer",
        ),
        (5, "@ERROR: max connections (1) reached -- try again later", TargetBusy, "another writer"),
        (5, "@ERROR: Unknown module 'docroot'", DeliveryError, "forced command.*Unknown module"),
        (10, "", DeliveryError, "connection broke"),
        (11, 'rsync: write failed on "a": No space left on device (28)', DeliveryError, "No space left"),
        (12, "rsync: connection unexpectedly closed", DeliveryError, "broke off"),
        (
            23,
            'rsync: [generator] failed to set times on "/a.html": x (1)\nrsync error: y',
            PartialTransfer,
            "/a.html",
        ),
        (30, "", DeliveryError, "delivery.timeout"),
        (35, "", DeliveryError, "did not answer"),
        (127, "", DeliveryError, "not installed"),
        (255, "root@a: Permission denied (publickey).", DeliveryError, "refuses the key"),
        (255, "ssh: Could not resolve hostname a", DeliveryError, "name is unknown"),
        (255, "", DeliveryError, "said nothing"),
        (
            255,
            "kex_exchange_identification: Connection closed by remote host",
            DeliveryError,
            "closes the connection at once",
        ),
        (255, "rsync: connection unexpectedly closed (75 bytes received so far)", DeliveryError, "connection broke"),
        (5, "rsync: did not see server greeting", DeliveryError, "before an rsync daemon answered"),
        (5, "@ERROR: Unknown module", DeliveryError, "refused"),
        (99, "odd", DeliveryError, "exit code 99"),
        (-9, "", DeliveryError, "signal 9"),
    ],
)
def test_exit_codes_are_sentences(
    publisher: Publisher, code: int, stderr: str, kind: type[Exception], words: str
) -> None:
    error = rsync_errors.delivery_error(code, stderr, publisher.local("copy"))
    assert type(error) is kind
    with pytest.raises(kind, match=words):
        raise error
    assert str(error).startswith("target copy (")
    assert "rsync error: y" not in str(error)


def test_files_a_target_does_not_take_are_named(publisher: Publisher) -> None:
    target = publisher.local("copy")
    target.folder.mkdir()
    row = publisher.put("a/b.html", "b")
    (publisher.docroot / "a").chmod(0o755)
    broken = publisher.target(target.settings, rsync_options=["--temp-dir=/nowhere"])
    with pytest.raises(DeliveryError, match="nowhere"):
        RsyncTransport(broken, None).push([row])


def test_a_push_that_is_cut_off_leaves_nothing_behind(
    publisher: Publisher, front_ends: Callable[..., list[FrontEnd]]
) -> None:
    (front,) = front_ends(1)
    (target,) = publisher.targets
    slow = publisher.target(target.settings.model_copy(update={"rsync_options": ["--bwlimit=100k", "--whole-file"]}))
    publisher.put("a/small.html", "small")
    publisher.put("a/z-large.html", "0123456789" * 300_000)
    with Couriers([slow]):
        until(lambda: any(name.startswith("a/.") for name in tree_of_names(front.docroot)), 10)
    assert "a/z-large.html" not in tree_of_names(front.docroot)
    with Couriers([target]) as couriers:
        (state,) = couriers.settle()
    assert state.level
    until(lambda: tree_of_names(front.docroot) == tree_of_names(publisher.docroot), 5)
    assert tree(front.docroot) == tree(publisher.docroot)


def tree_of_names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_stopped_rsync_pushes_no_more(publisher: Publisher) -> None:
    pusher = RsyncTransport(publisher.local("copy"), None)
    row = publisher.put("a.html", "a")
    thread = threading.Thread(target=pusher.stop)
    thread.start()
    thread.join()
    with pytest.raises(DeliveryError, match="stopped"):
        pusher.push([row])
