"""What stays running is noticed; what servers of earlier do for themselves is not taken for it."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.leftovers import none_left


def test_what_a_test_leaves_is_named_and_what_an_earlier_server_starts_meanwhile_is_not() -> None:
    script = ["sh", "-c", "read go; sleep 61 & echo $!; wait"]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        with none_left():
            server.stdin.write("go\n")
            server.stdin.flush()
            started = int(server.stdout.readline())
        os.kill(started, signal.SIGTERM)
    with pytest.raises(AssertionError, match="left behind"), none_left():
        words = ["sh", "-c", "echo; read end", "left behind"]
        left = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # Popen returns before the kernel shows the words of the new process: only what runs has them for certain.
        assert left.stdout and left.stdout.readline()
    left.communicate(b"\n")
