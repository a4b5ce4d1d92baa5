from __future__ import annotations

import os
import subprocess
import sys

import pytest
from invoke import Exit

from appliance.tasks.command_line import command


def test_a_file_that_the_account_may_not_use_is_a_sentence() -> None:
    @command
    def read(verbose: bool = False) -> None:
        raise PermissionError(13, "Permission denied", "/root/posts")

    with pytest.raises(Exit) as left:
        read()
    assert left.value.code == 1
    assert str(left.value.message).startswith("/root/posts: ")
    assert "may not use it; change its permissions" in str(left.value.message)
    with pytest.raises(PermissionError):
        read(verbose=True)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["--list"], ["jobs.list", "--help"]])
def test_a_reader_who_leaves_ends_a_command_quietly(words: list[str]) -> None:
    """As with `appliance jobs.list | head -1`: no stack trace, and the status that a shell knows."""
    reader, writer = os.pipe()
    os.close(reader)
    code = "from appliance.tasks import main; main()"
    ended = subprocess.run([sys.executable, "-c", code, *words], stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")
