"""The publishing daemon as a child process: the command `work`, as a publishing host runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance import clock
from appliance.config import Config
from appliance.demo.frontend import end, mortal
from appliance.errors import DemoError

_COMMAND = "from appliance.tasks import main; main()"

#: Seconds until its connections stand, and until it has ended in good order.
_PATIENCE = 20.0


class Daemon:
    """Workers and courier of an installation, warm when the block begins and gone when it ends."""

    def __init__(self, config: Config, temporary: Path, lock: int) -> None:
        self._config = config
        #: The folder in which its couriers keep their connections.
        self._temporary = temporary
        self._lock = lock
        self.log = config.path.with_name("work.log")

    def __enter__(self) -> Self:
        with self.log.open("ab") as said:
            self.process = subprocess.Popen(
                mortal([sys.executable, "-c", _COMMAND, "work"]),
                cwd=self._config.path.parent,
                env={**os.environ, "APPLIANCE_CONFIG": str(self._config.path)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                pass_fds=(self._lock,),
            )
        try:
            self._await_connections()
        except BaseException:
            end(self.process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # To the daemon alone: it ends its own in good order, couriers their connections too.
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            end(self.process)

    def _await_connections(self) -> None:
        deadline = clock.monotonic() + _PATIENCE
        while len(list(self._temporary.glob("*/m[0-9]"))) < len(self._config.targets):
            if self.process.poll() is not None or clock.monotonic() > deadline:
                raise DemoError(f"the daemon did not reach every front end; see {self.log}")
            clock.sleep(0.005)
