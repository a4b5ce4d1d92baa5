"""A command prints the same and leaves the same audit rows, whether it runs on the host or by the API.

What only reads runs both ways on one installation. What changes something runs on the host of one installation and by
the API of another that is like it.
"""

from __future__ import annotations

import pytest

from appliance.tasks import api_mode
from tests.api_client import test_same_administration, test_same_content, test_same_jobs
from tests.api_client.comparison import acts, settled, words_of
from tests.api_client.conftest import Make

pytestmark = pytest.mark.slow

#: Commands in the order in which people give them; an edit is followed by the look at it.
LINES: tuple[tuple[str, ...], ...] = (
    ("content.add --later --date=2026-11-22T08:30", "Hello, World!", "--text=Hi *there*.", "--author=Ann", "--tag=a"),
    ("content.add --later --date=2026-11-23 --status=published --category=News/Local", "Second"),
    ("content.add --later --kind=page --folder=about --date=2026-11-20", "Team"),
    ("content.add --later --status=nosuch", "Never"),
    ("content.add --later --date=soon", "Never"),
    ("content.add --later --slug", "No slug", "Never"),
    ("content.edit --later hello-world --title", "Hello again", "--expires=2030-01-01"),
    ("content.edit --later 1 --title", "Hello again"),
    ("content.edit --later 1 --status=published"),
    ("content.edit --later nosuch --status=published"),
    ("content.edit --later 1 --kind=nosuch"),
    ("content.show 1",),
    ("content.show hello-world --json",),
    ("content.show nosuch",),
    ("content.show 2",),
    ("content.list",),
    ("content.list --json --status=published --sort=title",),
    ("content.list --limit=1",),
    ("content.list --status=nosuch",),
    ("content.list --sort=nosuch",),
    ("content.list --category=nosuch",),
    ("content.list --since=yesterdayish",),
    ("content.list --category=News --since=2026-11-01 --until=2026-12-01",),
    ("content.list --text=nothing",),
    ("content.list --site=nosuch",),
    ("content.comment --later 1", "Well *said*."),
    ("content.comment --later second", "Indeed."),
    ("content.comment --later nosuch", "Never."),
    ("content.edit-comment --later 1 --text", "Otherwise.", "--email=ida@example.org"),
    ("content.edit-comment --later 1 --text", "Otherwise."),
    ("content.edit-comment --later 99 --text", "Never."),
    ("content.comments",),
    ("content.comments --json --entry=hello-world --status=approved --author=edit",),
    ("content.comments --status=nosuch",),
    ("content.moderate --later --hold 1 2",),
    ("content.moderate --later --hold 1 99",),
    ("comments.hold --later 1",),
    ("comments.approve --later 1",),
    ("comments.spam --later 2",),
    ("comments.undo --later",),
    ("comments.undo --later 99",),
    ("comments.ban", "192.0.2.0/24", "--reason=Spam"),
    ("comments.bans --json",),
    ("comments.unban", "192.0.2.0/24"),
    ("comments.unban", "192.0.2.0/24"),
    ("comments.erase", "ida@example.org"),
    ("comments.delete --later 2 99",),
    ("comments.delete --later 2",),
    ("targets.list",),
    ("targets.pause front1",),
    ("targets.pause nosuch",),
    ("targets.list --json",),
    ("targets.resume front1",),
    ("targets.resync front1 --allow-removals",),
    ("targets.resync nosuch",),
    ("processes.list --json",),
    ("processes.pause nosuch:1",),
    ("processes.pause",),
    ("processes.resume nosuch:1",),
    ("processes.recycle nosuch:1",),
    ("content.delete --later nosuch 1",),
    ("content.delete --later 3",),
    ("content.delete --later 1 second",),
    ("content.delete --later",),
    ("content.list",),
)  # fmt: skip


def test_every_command_says_the_same_and_leaves_the_same_rows(make: Make) -> None:
    host, elsewhere = make(), make()
    host.await_worker()
    elsewhere.await_worker()
    for line in map(words_of, LINES):
        here, there = host.local(*line), elsewhere.remote(*line)
        assert settled(there, elsewhere) == settled(here, host), line
        if not acts_on(line):
            both = elsewhere.local(*line)
            if line[0].startswith("processes."):  # a beat may have come between the two
                assert settled(there, elsewhere) == settled(both, elsewhere), line
            else:
                assert (there.out, there.status) == (both.out, both.status), line
    assert acts(elsewhere) == acts(host)
    assert {row.via for row in elsewhere.audit() if row.actor == "ada"} == {"api"}
    assert acts(host)


def test_a_process_is_asked_in_the_same_words(make: Make) -> None:
    one = make()
    one.await_worker()
    here, there = one.local("processes.resume --all"), one.remote("processes.resume --all")
    assert there == here
    assert here.out.startswith("asked to resume: here:")
    first, second = (row for row in acts(one) if row["action"] == "process.act")
    assert first == second


def acts_on(line: tuple[str, ...]) -> bool:
    if "--later" in line[0] or line[0] in ("comments.ban", "comments.unban", "comments.erase"):
        return True
    return line[0].startswith(("targets.", "processes.")) and ".list" not in line[0]


def test_every_command_that_is_supported_is_compared() -> None:
    lines = (*LINES, *test_same_administration.LINES, *test_same_content.LINES, *test_same_jobs.LINES)
    compared = {words_of(line)[0].split()[0] for line in lines}
    assert compared == api_mode.SUPPORTED
