"""The links between couriers and front ends: a process of its own that passes bytes on, slowly or not at all.

A link that is cut answers nothing and ends nothing, as when a cable is pulled, and what was under way goes on once it
is mended. It needs no rights, and cuts in the middle of a transfer: after so many further bytes.

    python -m tests.soak.link FROM:TO FROM:TO …     ports of loopback; then lines on its input:
    cut 0 5000      the first link, after 5000 further bytes towards the front end
    slow 0 20000    bytes a second towards the front end
    mend 0
    forget 0        its connections are gone without a word to either end, as when a host in between lost power
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.demo.frontend import HOST, end_process_tree, with_parent_death_signal

ROOT = Path(__file__).resolve().parents[2]
_CHUNK = 8192

#: Linux's option under which closing a socket tells the other end nothing; needs CAP_NET_ADMIN.
_TCP_REPAIR = 19


def can_forget() -> bool:
    """Whether connections can be forgotten on this machine."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        except OSError:
            return False
    return True


class _Link:
    def __init__(self, towards: int) -> None:
        self._towards = towards
        self._open = asyncio.Event()
        self._open.set()
        self._cut_after: int | None = None
        self._rate = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self, after: int) -> None:
        self._cut_after = after
        if not after:
            self._open.clear()

    def slow(self, rate: int) -> None:
        self._rate = rate

    def mend(self) -> None:
        self._cut_after, self._rate = None, 0
        self._open.set()

    def forget(self) -> None:
        for writer in self._writers:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            there, back = await asyncio.open_connection(HOST, self._towards)
        except OSError:
            writer.close()
            return
        ends = {writer, back}
        self._writers |= ends
        await asyncio.gather(self._pass(reader, back, True), self._pass(there, writer, False))
        self._writers -= ends

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forth: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if forth and self._rate:
                    await asyncio.sleep(len(data) / self._rate)
                if forth and self._cut_after is not None:
                    self._cut_after = max(0, self._cut_after - len(data))
                    if not self._cut_after:
                        self._open.clear()
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        await self._open.wait()
        writer.close()


async def _serve(pairs: Sequence[str]) -> None:
    links = []
    for pair in pairs:
        own, towards = map(int, pair.split(":"))
        links.append(_Link(towards))
        await asyncio.start_server(links[-1].serve, HOST, own)
    print("ready", flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order, number, *value = line.decode().split()
        getattr(links[int(number)], order)(*map(int, value))


class Links:
    """That process; a context manager. Links are numbered as the pairs of ports are."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._pairs = pairs

    def __enter__(self) -> Self:
        words = [f"{own}:{towards}" for own, towards in self._pairs]
        self._process = subprocess.Popen(
            with_parent_death_signal([sys.executable, "-m", "tests.soak.link", *words]),
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout
        if self._process.stdout.readline() != b"ready\n":
            end_process_tree(self._process)
            raise RuntimeError("the links between couriers and front ends did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        end_process_tree(self._process)

    def say(self, order: str, number: int, *value: int) -> None:
        """Have one link cut, slowed or mended; see above."""
        assert self._process.stdin
        self._process.stdin.write(f"{order} {number} {' '.join(map(str, value))}\n".encode())
        self._process.stdin.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
