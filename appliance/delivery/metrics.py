"""Figures for Prometheus: what is on the queue, who is at work, and how far each target is.

Guarantees that every figure is read from the database when it is asked for, all of one moment: nothing is counted in
memory, so that no restart, no second process and no publishing host that takes over makes it wrong. Each publishing
host tells the same of queue and targets.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6
from socketserver import TCPServer

from peewee import PeeweeException
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance import __version__, db, telemetry
from appliance.config import Config
from appliance.db import NOW
from appliance.delivery import cursors, journal, marker
from appliance.delivery.cursors import TargetState
from appliance.delivery.targets import everywhere
from appliance.errors import ConfigError
from appliance.queue import processes, store

log = telemetry.logger("metrics")

#: What the listener answers with.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Seconds between two tries to listen where something else does.
_AGAIN = 5.0

#: Gauges of a target: name, what it is, its value.
_TARGET: tuple[tuple[str, str, Callable[[TargetState], float | None]], ...] = (
    ("level", "1 when the target has confirmed every publication.", lambda t: t.level),
    ("lag_seconds", "Age of the oldest publication the target has not confirmed; 0 when level.", lambda t: t.lag),
    ("waiting_files", "Files the target has yet to be sent, or to have removed.", lambda t: t.waiting),
    ("confirmed_publication", "Number of the newest publication the target has confirmed.", lambda t: t.confirmed),
    ("failing", "1 while the last push to the target is one that failed.", lambda t: t.error is not None),
    ("paused", "1 while nothing is sent to the target since somebody paused it.", lambda t: t.paused),
    ("circuit_open", "1 while the target is tried only now and then, as it kept failing.", lambda t: _is_open(t)),
    ("last_push_timestamp_seconds", "When the last push to the target ended.", lambda t: t.pushed_at),
    ("last_push_files", "Files sent and removed by the last push that had any.", lambda t: t.files),
    ("last_push_bytes", "Bytes sent by the last push that had any.", lambda t: t.bytes),
    ("last_push_duration_seconds", "How long the last push took that had any files.", lambda t: t.seconds),
)


def _is_open(state: TargetState) -> bool:
    return state.circuit == "open"


def text(config: Config) -> bytes:
    """All figures, in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Figures(config))
    return generate_latest(registry)


class _Figures(Collector):
    """Reads the figures when it is asked for them."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def describe(self) -> list[Metric]:
        """Nothing beforehand: to register is not to read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure, all of one moment."""
        with db.snapshot():
            found = [*_installation(), *_queue(), *_processes(), *_targets(self._config)]
        yield from found
        yield from _docroot(self._config)


def _installation() -> Iterator[Metric]:
    about = GaugeMetricFamily("appliance_build_info", "Always 1; says which release tells this.", labels=["version"])
    about.add_metric([__version__], 1)
    yield about
    newest = max((journal.newest(origin) for origin in journal.origins()), default=0)
    yield CounterMetricFamily(
        "appliance_publications", "Files published and deleted: the number of the newest publication.", newest
    )


def _docroot(config: Config) -> Iterator[Metric]:
    if config.shared:
        yield GaugeMetricFamily(
            "appliance_docroot_usable", "1 while the shared docroot is there, ours and can be written.",
            marker.fault(config) is None,
        )  # fmt: skip


def _queue() -> Iterator[Metric]:
    jobs = GaugeMetricFamily("appliance_jobs", "Jobs by state; those that ended are pruned in time.", labels=["state"])
    for state, number in store.counts().items():
        jobs.add_metric([state], number)
    yield jobs
    (oldest,) = db.execute(
        f"SELECT {NOW} - MIN(created_at) FROM job WHERE state = 'pending' AND run_at <= {NOW}"
    ).fetchone()
    yield GaugeMetricFamily(
        "appliance_oldest_pending_job_age_seconds", "Age of the oldest job that is due and waits; 0 without any.",
        max(0.0, float(oldest or 0)),
    )  # fmt: skip


def _processes() -> Iterator[Metric]:
    now, alive = db.now(), GaugeMetricFamily(
        "appliance_processes", "Processes that beat, by host and role; paused ones included.", labels=["host", "role"]
    )  # fmt: skip
    counts: dict[tuple[str, str], int] = {}
    for row in processes.list():
        if row.beat_at > now - processes.SILENT:
            counts[row.host, row.role] = counts.get((row.host, row.role), 0) + 1
    for (host, role), number in counts.items():
        alive.add_metric([host, role], number)
    yield alive


def _targets(config: Config) -> Iterator[Metric]:
    states = [cursors.state(target) for target in everywhere(config)]
    for name, meaning, value_of in _TARGET:
        family = GaugeMetricFamily(f"appliance_target_{name}", meaning, labels=["target"])
        for state in states:
            if (value := value_of(state)) is not None:
                family.add_metric([state.name], float(value))
        yield family


def write(config: Config, file: Path) -> None:
    """Write the figures to a file for node_exporter's textfile collector, which never meets half of it.

    Raises:
        ConfigError: it cannot be written.
    """
    # Of another ending than .prom: an unfinished one is not collected.
    fresh = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        fresh.write_bytes(text(config))
        fresh.chmod(0o644)
        fresh.replace(file)
    except OSError as error:
        raise ConfigError(
            [f"{file} cannot be written ({error.strerror}); name a file in a folder that this account may write to"]
        ) from error
    finally:
        fresh.unlink(missing_ok=True)


class _Server(ThreadingHTTPServer):
    """Answers each scrape in a thread of its own, which closes its database connection."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], told: Callable[[], bytes]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.told = told
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name service what this host is called, as HTTPServer would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "appliance", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    """Knows `/metrics` and nothing else."""

    server: _Server
    server_version = "appliance"
    sys_version = ""
    #: Seconds that who asks may take to do so.
    timeout = 10

    def do_GET(self) -> None:
        """Answer with the figures, or with why there are none."""
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, b"There is /metrics.\n")
            return
        try:
            self._answer(200, self.server.told(), CONTENT_TYPE)
        except PeeweeException as error:
            self._answer(503, f"The database cannot be read: {error}\n".encode())
        finally:
            db.database.close()

    def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are nothing to tell of."""


@contextmanager
def listening(config: Config, *, wanted: bool = True) -> Iterator[None]:
    """Answer scrapes at `delivery.metrics` while the block runs, if that is set and this process is wanted to.

    Where something else listens it is tried again now and then: figures are not worth ending a courier for.
    """
    if not (wanted and config.delivery.metrics):
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_listen, args=(config, over), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _listen(config: Config, over: threading.Event) -> None:
    host, _, port = config.delivery.metrics.rpartition(":")
    told = False
    while not over.is_set():
        try:
            server = _Server((host.strip("[]"), int(port)), lambda: text(config))
        except OSError as error:
            if not told:
                log.warning("metrics cannot be told, trying again", address=config.delivery.metrics, error=str(error))
            told = True
            over.wait(_AGAIN)
            continue
        with server:
            server.timeout = 0.2
            while not over.is_set():
                server.handle_request()


__all__ = ["CONTENT_TYPE", "listening", "text", "write"]
