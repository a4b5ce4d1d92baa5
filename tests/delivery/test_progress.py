"""How far a comparison of a whole target is, as those who watch see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from appliance import db
from appliance.config import Config, TargetSettings
from appliance.delivery import cursors, journal, progress, repair
from appliance.delivery.journal import PublishedChange
from appliance.delivery.progress import Progress
from appliance.delivery.targets import front_ends
from appliance.delivery.transports.rsync import RsyncTransport
from appliance.errors import DeliveryError
from tests.conftest import MakeConfig

from .conftest import ORIGIN, Publisher


@pytest.fixture
def config(publisher: Publisher, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A target in a folder of this host, which has confirmed five files, compared two at a time."""
    monkeypatch.setattr(repair, "_BATCH", 2)
    copy = TargetSettings(name="copy", address=str(publisher.folder / "copy"), other_path=True)
    made = make_config(docroot=str(publisher.docroot), host=ORIGIN)
    made = made.model_copy(update={"targets": [copy], "delivery": publisher.delivery})
    for number in range(5):
        publisher.put(f"{number}.html", f"{number}")
    cursors.confirm(front_ends(made)[0], ORIGIN, journal.newest(ORIGIN))
    return made


def watch(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None) -> list[Progress | None]:
    """Note the progress each time that files are compared."""
    seen = list[Progress | None]()
    differing = RsyncTransport.differing

    def noted(
        self: RsyncTransport, changes: Sequence[PublishedChange], *, newer: bool = False
    ) -> list[PublishedChange]:
        seen.append(progress.read("copy"))
        then()
        return differing(self, changes, newer=newer)

    monkeypatch.setattr(RsyncTransport, "differing", noted)
    return seen


def test_a_verification_says_how_far_it_is_and_when_it_is_over(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch(monkeypatch)
    assert progress.read("copy") is None
    assert repair.verify(config, "copy").checked == 5
    assert seen == [Progress(0, 5), Progress(2, 5), Progress(4, 5), None]
    assert progress.read("copy") is None


def test_one_that_fails_is_over_too(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DeliveryError("the connection broke")

    seen = watch(monkeypatch, fail)
    with pytest.raises(DeliveryError, match="broke"):
        repair.verify(config, "copy")
    assert seen == [Progress(0, 5)]
    assert progress.read("copy") is None


def test_what_a_killed_process_left_is_not_taken_for_work(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    progress.note("copy", 2, 5)
    assert progress.read("copy") == Progress(2, 5)
    progress.note("copy", 4, 5)
    assert progress.read("copy") == Progress(4, 5)
    later = db.now() + 121
    monkeypatch.setattr("time.time", lambda: later)
    assert progress.read("copy") is None
