"""What an editor changes is on every front end by itself: nobody publishes, nobody drains."""

from __future__ import annotations

import hashlib
from contextlib import closing

import pytest
from arriving import arrives
from operating import Cluster
from reading import Connection, says

PAGE = "/passing/"


@pytest.fixture(scope="module")
def edited(published: Cluster) -> Cluster:
    """The cluster with an entry of its own to change."""
    add = ("content.add", "Passing", "--text", "It comes.", "--status", "published", "--address", "passing/index.html",
           "--site", "town")  # fmt: skip
    arrives(published, "an entry", add, PAGE, says("It comes."))
    return published


def test_an_edit_a_comment_and_a_deletion_arrive(edited: Cluster) -> None:
    town = ("--site", "town")
    arrives(edited, "an edit", ("content.edit", "passing", "--text", "It went.", *town), PAGE, says("It went."))
    arrives(edited, "a comment", ("content.comment", "passing", "So it did.", *town), PAGE, says("So it did."))
    arrives(edited, "a deletion", ("content.delete", "passing", *town), PAGE, lambda answer: answer.status == 404)
    files = edited.await_level()
    assert "passing/index.html" not in files
    # The site's own page says so. It lists what is new, so it is another one than before the deletion.
    own = files["404.html"].split()[-1]
    for address in edited.served().values():
        with closing(Connection(address)) as reader:
            assert hashlib.sha256(reader.get(PAGE).body).hexdigest() == own
