"""What goes wrong at a front end's end of rsync is told by its cause, with real programs that go wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.delivery.courier import Couriers
from appliance.delivery.transports import rsync_errors
from appliance.demo.frontend import FrontEnd

from .conftest import Publisher, use_builds

FrontEnds = Callable[..., list[FrontEnd]]

#: Access, forced command, words of the sentence. `$RUN` runs what was asked for.
CAUSES = {
    "a shell that prints": ("shell", "echo Welcome; $RUN", "printed there before rsync begins.*bashrc"),
    "a shell that prints before a daemon": ("module", "echo Welcome; $DAEMON", "printed there before rsync begins"),
    "no rsync": ("shell", "exec /nowhere/rsync", "install the package rsync there|not installed there"),
    "no rsync on the PATH": ("shell", "PATH=/nowhere /bin/sh -c 'rsync --server'", "not installed there"),
    "an rsync that is killed": ("shell", "kill -9 $$", "connection broke|broke off"),
    "a shell that says no": ("shell", "exit 1", "broke off.*key may run it"),
    "an option that is refused": ("module", "$REFUSES", "refused there.*refuse options"),
    "no such module": ("module", "$OTHER", "no module docroot"),
    "a module that is read only": ("module", "$READS", "read only = no"),
    "an rrsync that is set up wrong": ("rrsync", "SSH_ORIGINAL_COMMAND= rrsync -wo /tmp", "rrsync does not run"),
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("pair", ["old-old", "new-new"])
def test_the_cause_is_named(
    request: pytest.FixtureRequest, publisher: Publisher, front_ends: FrontEnds, cause: str, pair: str
) -> None:
    use_builds(request, publisher, pair)
    access, forced, words = CAUSES[cause]
    folder = publisher.folder / "front 0"
    daemon = f"'{publisher.receiving}' --server --daemon --config='{folder}/%s' ."
    changed = {
        "$REFUSES": ("refuse options =", "refuse options = checksum"),
        "$OTHER": ("[docroot]", "[other]"),
        "$READS": ("read only = no", "read only = yes"),
    }
    for name, said in {"$RUN": 'sh -c "$SSH_ORIGINAL_COMMAND"', "$DAEMON": daemon % "rsyncd.conf"}.items():
        forced = forced.replace(name, said)
    wrong = changed.get(forced)
    (front,) = front_ends(1, forced=daemon % "wrong.conf" if wrong else forced)
    if wrong:
        (folder / "wrong.conf").write_text((folder / "rsyncd.conf").read_text().replace(*wrong))
    publisher.put("index.html", "x")
    with Couriers([publisher.target(front.settings().model_copy(update={"access": access}))]) as couriers:
        (state,) = couriers.settle(tries=1)
    assert state.error
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(state.error)


def test_a_folder_of_others_in_the_place_of_a_file_is_named_and_stays(
    request: pytest.FixtureRequest, publisher: Publisher
) -> None:
    use_builds(request, publisher, "new-new")
    target = publisher.local("copy")
    theirs = target.folder / "page" / "theirs"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    publisher.put("page", "a file")
    publisher.put("other.html", "x")
    with Couriers([target]) as couriers:
        (state,) = couriers.settle(tries=1)
    assert state.error and "somebody else's files is in the place" in state.error
    assert theirs.exists() and (target.folder / "other.html").exists()


@pytest.mark.parametrize(
    "shell",
    [
        "bash: line 1: /opt/bin/rsync: No such file or directory",
        "-bash: rsync: command not found",
        "sh: 1: rsync: not found",
        "/bin/sh: 1: /opt/bin/rsync: not found",
        "ksh: /opt/rsync: No such file or directory",
        "zsh:1: no such file or directory: /opt/bin/rsync",
    ],
)
@pytest.mark.parametrize("code", [12, 127])
def test_a_missing_rsync_is_named_however_rsync_ends(publisher: Publisher, shell: str, code: int) -> None:
    closed = "rsync: connection unexpectedly closed (0 bytes received so far) [sender]"
    assert "not installed there" in str(
        rsync_errors.delivery_error(code, f"{shell}\n{closed}\n", publisher.local("www1"))
    )


def test_a_missing_file_is_no_missing_rsync(publisher: Publisher) -> None:
    said = 'rsync: [sender] link_stat "/srv/rsync" failed: No such file or directory (2)\n'
    assert "not installed" not in str(rsync_errors.delivery_error(23, said, publisher.local("www1")))
