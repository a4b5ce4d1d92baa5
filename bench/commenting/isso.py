"""Isso beside ours: a comment server that a script in the page asks, so that no page is published again.

It runs from an environment of its own with its own server and its defaults, but for the guard, which would let no more
than two comments a minute through. It is asked without a web server before it.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance import clock
from appliance.demo.frontend import HOST, end_process_tree, free_port, with_parent_death_signal
from bench.commenting.timeline import Seen
from bench.queueing import peers
from tests.web_stack import Answer, ask

_SETTINGS = """
[general]
dbpath = {folder}/comments.db
host = http://{host}/
[server]
listen = http://{host}:{port}
[guard]
enabled = false
"""
_PATIENCE = 20.0


class Isso:
    """A running Isso; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()

    def __enter__(self) -> Self:
        """Install and start it.

        Raises:
            subprocess.CalledProcessError: it cannot be installed.
        """
        python = peers.environment(self._folder / "isso", ["isso"])
        settings = self._folder / "isso.cfg"
        settings.write_text(_SETTINGS.format(folder=self._folder, host=HOST, port=self._port), "utf-8")
        command = [str(python.with_name("isso")), "-c", str(settings), "run"]
        self._process = subprocess.Popen(
            with_parent_death_signal(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            self._await()
        except BaseException:
            end_process_tree(self._process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_process_tree(self._process)

    def send_and_see(self, page: str, text: str) -> Seen:
        """Send a comment, then fetch the comments of the page as the script of another reader does."""
        sent = clock.now()
        where = urllib.parse.urlencode({"uri": page})
        fields = {"author": "A reader", "text": text, "title": page}
        answer = self._ask("POST", f"/new?{where}", json.dumps(fields).encode())
        led = clock.now()
        if answer.status != 201 or text not in self._ask("GET", f"/?{where}").text:
            raise RuntimeError(f"Isso did not take a comment: {answer.status} {answer.text[:200]}")
        return Seen(sent, led, clock.now(), at_once=True)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=_PATIENCE)
        return ask(connection, method, path, body, {"Content-Type": "application/json", "Origin": f"http://{HOST}"})

    def _await(self) -> None:
        end = clock.monotonic() + _PATIENCE
        while True:
            try:
                self._ask("GET", "/latest")
            except OSError:
                if self._process.poll() is not None or clock.monotonic() > end:
                    raise RuntimeError("Isso did not start") from None
                clock.sleep(0.02)
            else:
                return
