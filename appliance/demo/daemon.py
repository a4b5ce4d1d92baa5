"""The publishing daemon of the demo: the command `work` as a child process."""

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
from appliance.demo.frontend import end_process_tree, with_parent_death_signal
from appliance.errors import DemoError

_COMMAND = "from appliance.tasks import main; main()"

#: Seconds to wait for the connections to the front ends, as long as the daemon lives; a busy host needs many.
_CONNECTED = 90.0
#: Seconds to wait for a graceful shutdown.
_TIMEOUT = 20.0


class Daemon:
    """The daemon of an installation: connected when the block begins, and gone when it ends."""

    def __init__(self, config: Config, temporary: Path, lock: int) -> None:
        self._config = config
        #: The folder with the sockets of the couriers' connections.
        self._temporary = temporary
        self._lock = lock
        self.log = config.path.with_name("work.log")

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                with_parent_death_signal([sys.executable, "-c", _COMMAND, "work"]),
                cwd=self._config.path.parent,
                env={**os.environ, "APPLIANCE_CONFIG": str(self._config.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(self._lock,),
            )
        try:
            self._wait_for_connections()
        except BaseException:
            end_process_tree(self.process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Signal the daemon alone. It ends its own processes gracefully, and couriers close their connections.
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            end_process_tree(self.process)

    def _wait_for_connections(self) -> None:
        deadline = clock.monotonic() + _CONNECTED
        reached_by_ssh = [target for target in self._config.targets if target.host]
        while len(list(self._temporary.glob("*/m[0-9]"))) < len(reached_by_ssh):
            if self.process.poll() is not None or clock.monotonic() > deadline:
                raise DemoError(f"the daemon did not reach every front end; see {self.log}")
            clock.sleep(0.005)
