"""The texts that a scan has read, kept in a file until they are saved.

So a text is read and its front matter parsed once, memory does not grow with the texts, and what is saved is what was
scanned, whatever becomes of the folder meanwhile. The file has no name: it is gone when the process ends, however it
ends.
"""

from __future__ import annotations

import pickle
import tempfile
from typing import Any

from appliance.content.entries import EntryData


class TextSpool:
    """Entries by their position in the file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._end = 0
        self._is_at_end = True

    def add(self, data: EntryData) -> int:
        """Keep an entry; returns its position.

        Raises:
            OSError: there is no room for it.
        """
        if not self._is_at_end:
            self._file.seek(self._end)
            self._is_at_end = True
        position, written = self._end, pickle.dumps(data, pickle.HIGHEST_PROTOCOL)
        self._file.write(written)
        self._end += len(written)
        return position

    def read(self, position: int) -> EntryData:
        """The entry at a position."""
        self._is_at_end = False
        self._file.seek(position)
        found: Any = pickle.load(self._file)  # noqa: S301 - nobody else can write this file
        data: EntryData = found
        return data

    def close(self) -> None:
        """Give the room back."""
        self._file.close()
