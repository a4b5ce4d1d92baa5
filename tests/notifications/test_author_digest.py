"""Authors hear of comments that wait, and a flood of comments makes few mails."""

from __future__ import annotations

import pytest

from appliance.config import Config
from appliance.content import comments
from tests.notifications.conftest import Server
from tests.notifications.mail_queue import enqueue_all, entry, jobs, pass_intervals, work


@pytest.mark.conformance("B9")
def test_an_author_is_told_of_a_comment_that_waits(installed: Config, server: Server) -> None:
    held = comments.add(entry("Ada"), "Rósa", "Lovely.", email="rosa@r.example", status="pending")
    assert enqueue_all(installed) == 1
    assert enqueue_all(installed) == 0
    work(installed)
    (mail,) = server.mails
    assert mail["Subject"] == "[A Blog] Rósa on “Über Gezeiten”, waits for approval"
    assert "> Lovely." in mail.get_content()
    assert f"appliance comments.approve {held.id}\n" in mail.get_content().replace("\r\n", "\n")


def test_a_flood_of_waiting_comments_is_two_mails(installed: Config, server: Server) -> None:
    on = entry("Ada")
    for number in range(300):
        comments.add(on, f"N{number}", "x" * 500, status="pending")
        if number % 50 == 0:
            enqueue_all(installed)
            work(installed)
    enqueue_all(installed)
    work(installed)
    assert len(server.mails) == 1
    pass_intervals()
    work(installed)
    assert len(server.mails) == 2
    text = server.mails[1].get_content()
    assert "300 comments on your entries wait" in text
    assert "The newest 10 of them are shown." in text
    assert len(text) < 6000


def test_what_was_dealt_with_is_left_out(installed: Config, server: Server) -> None:
    on = entry("Ada")
    held, gone = (comments.add(on, name, "Text.", status="pending") for name in ("Held", "Gone"))
    own = comments.add(on, "Ada", "Mine.", email="Ada@a.example", status="pending")
    enqueue_all(installed)
    comments.set_status(gone, "spam")
    work(installed)
    text = server.mails[0].get_content()
    assert f"comments.approve {held.id}" in text
    assert "Gone" not in text
    comments.set_status(own, "spam")
    comments.set_status(held, "spam")
    comments.add(on, "Next", "Text.", status="pending")
    enqueue_all(installed)
    comments.set_status(held, "approved")
    comments.set_status(held, "pending", "editor")  # by a person, who needs no mail
    assert enqueue_all(installed) == 0
    assert [row[2] for row in jobs()] == ["done", "pending"]


def test_a_flood_of_published_comments_is_gathered(installed: Config, server: Server) -> None:
    on = entry("Ada")
    for number in range(1000):
        comments.add(on, f"N{number}", "Text.")
    assert enqueue_all(installed) == 1
    work(installed)
    (mail,) = server.mails
    assert mail["Subject"] == "[A Blog] 1,000 comments in an hour"
    assert "1000 on “Über Gezeiten”" in mail.get_content()
