"""What has arrived of one request: in memory at first, and the rest of a large one in a file that nobody else sees.

So an upload costs disk and not memory, however many arrive at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Final

_CHUNK: Final = 65_536


class Received:
    """The bytes of a request, in their order."""

    def __init__(self, in_memory: int) -> None:
        """Keep at most about `in_memory` bytes in memory."""
        #: The bytes with which the request begins, its head among them.
        self.start = bytearray()
        self._in_memory = in_memory
        self._file: IO[bytes] | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, data: bytes) -> None:
        """Add what arrived next."""
        self._size += len(data)
        if self._file is None and len(self.start) + len(data) > max(self._in_memory, _CHUNK):
            self._file = tempfile.TemporaryFile(prefix="appliance-request-")  # noqa: SIM115 - closed by `close`
        (self._file.write if self._file else self.start.extend)(data)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, once."""
        yield bytes(self.start)
        if self._file is not None:
            self._file.seek(0)
            while data := self._file.read(_CHUNK):
                yield data

    def close(self) -> None:
        """Forget everything."""
        self.start.clear()
        if self._file is not None:
            self._file.close()
