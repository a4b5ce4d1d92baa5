"""Metrics for Prometheus: the queue, the processes, and how far each target is.

Guarantees that every metric is read from the database when it is scraped, all of one moment. Nothing is counted in
memory, so restarts, further processes and a publishing host that takes over make no metric wrong. Every publishing host
reports the same queue and targets.
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

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance import __version__, db, logging
from appliance.config import Config
from appliance.db import NOW
from appliance.delivery import journal, shared_docroot, target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets
from appliance.errors import ConfigError
from appliance.queue import processes, store
from appliance.running import admin_metrics

log = logging.get_logger("metrics")

#: The content type of a scrape.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Seconds between two attempts to listen at an address that is in use.
_RETRY_INTERVAL = 5.0

#: The gauges of a target: name, description, value.
_TARGET_GAUGES: tuple[tuple[str, str, Callable[[TargetState], float | None]], ...] = (
    ("level", "1 when the target has confirmed every publication.", lambda t: t.level),
    ("lag_seconds", "Age of the oldest publication the target has not confirmed; 0 when level.", lambda t: t.lag),
    (
        "ahead_lag_seconds",
        "As lag_seconds, without a backlog that the target is sent while it gets first what is published now.",
        lambda t: t.ahead_lag,
    ),
    (
        "waiting_files",
        "Files that the target has yet to receive or remove, counted up to 10000.",
        lambda t: t.waiting,
    ),
    ("confirmed_publication", "Number of the newest publication the target has confirmed.", lambda t: t.confirmed),
    ("failing", "1 after a push to the target has failed, until one succeeds.", lambda t: t.error is not None),
    ("paused", "1 while the target is paused.", lambda t: t.paused),
    (
        "circuit_open",
        "1 while the target is tried only now and then, after many failures.",
        lambda t: t.circuit == "open",
    ),
    ("last_push_timestamp_seconds", "When the last push to the target ended.", lambda t: t.pushed_at),
    ("last_push_files", "Files sent and removed by the last push that had any.", lambda t: t.files),
    ("last_push_bytes", "Bytes sent by the last push that had any.", lambda t: t.bytes),
    ("last_push_duration_seconds", "Duration of the last push that had any files.", lambda t: t.seconds),
)


def render(config: Config) -> bytes:
    """Return all metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_DatabaseCollector(config))
    return generate_latest(registry)


class _DatabaseCollector(Collector):
    """Reads the metrics from the database at each scrape."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, all of one moment."""
        with db.snapshot():
            metrics = [*_installation(), *_queue(), *_processes(), *_targets(self._config)]
            metrics += [*admin_metrics.accounts(self._config.admin), *admin_metrics.webhooks(self._config)]
        yield from metrics
        yield from _docroot(self._config)


def _installation() -> Iterator[Metric]:
    info = GaugeMetricFamily("appliance_build_info", "Always 1; labelled with the release.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    newest = max((journal.newest(origin) for origin in journal.origins()), default=0)
    yield CounterMetricFamily(
        "appliance_publications", "Files published and deleted: the number of the newest publication.", newest
    )


def _docroot(config: Config) -> Iterator[Metric]:
    if config.shared:
        usable = shared_docroot.find_fault(config) is None
        description = "1 while the shared docroot is mounted, belongs to this installation and can be written."
        yield GaugeMetricFamily("appliance_docroot_usable", description, usable)


def _queue() -> Iterator[Metric]:
    jobs = GaugeMetricFamily("appliance_jobs", "Jobs by state. Ended jobs are pruned after a while.", labels=["state"])
    for state, number in store.count_by_state().items():
        jobs.add_metric([state], number)
    yield jobs
    (oldest,) = db.execute(
        f"SELECT {NOW} - MIN(created_at) FROM job WHERE state = 'pending' AND run_at <= {NOW}"
    ).fetchone()
    description = "Age of the oldest job that is due and waits; 0 without any."
    yield GaugeMetricFamily("appliance_oldest_pending_job_age_seconds", description, max(0.0, float(oldest or 0)))


def _processes() -> Iterator[Metric]:
    now = db.now()
    description = "Processes with a recent heartbeat, by host and role; paused ones included."
    alive = GaugeMetricFamily("appliance_processes", description, labels=["host", "role"])
    counts: dict[tuple[str, str], int] = {}
    for row in processes.list_processes():
        if row.beat_at > now - processes.DEAD_AFTER:
            counts[row.host, row.role] = counts.get((row.host, row.role), 0) + 1
    for (host, role), number in counts.items():
        alive.add_metric([host, role], number)
    yield alive


def _targets(config: Config) -> Iterator[Metric]:
    states = target_state.read_all(courier_targets(config))
    for name, description, value_of in _TARGET_GAUGES:
        family = GaugeMetricFamily(f"appliance_target_{name}", description, labels=["target"])
        for state in states:
            if (value := value_of(state)) is not None:
                family.add_metric([state.name], float(value))
        yield family


def write_textfile(config: Config, file: Path) -> None:
    """Write the metrics to a file for the textfile collector of node_exporter, which never reads half of it.

    Raises:
        ConfigError: the file cannot be written.
    """
    # Its name does not end with .prom, so an unfinished file is not collected.
    fresh = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        fresh.write_bytes(render(config))
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

    def __init__(self, address: tuple[str, int], render_metrics: Callable[[], bytes]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.render_metrics = render_metrics
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the name of this host, which HTTPServer would do."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "appliance", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    """Serves `/metrics` and nothing else."""

    server: _Server
    server_version = "appliance"
    sys_version = ""
    #: Seconds that a client may take to send its request.
    timeout = 10

    def do_GET(self) -> None:
        """Answer with the metrics, or with the reason why there are none."""
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, b"There is /metrics.\n")
            return
        try:
            self._answer(200, self.server.render_metrics(), CONTENT_TYPE)
        except Exception as error:
            if not db.is_unavailable(error):
                raise
            self._answer(503, f"The database cannot be read: {error}\n".encode())
        finally:
            db.disconnect()

    def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing about scrapes."""


@contextmanager
def serve(config: Config, *, wanted: bool = True) -> Iterator[None]:
    """Answer scrapes at `delivery.metrics` while the block runs, if that is set and `wanted` is true.

    If the address is in use, try again now and then: metrics are not worth ending a courier for.
    """
    if not (wanted and config.delivery.metrics):
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_listen, args=(config, stop), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _listen(config: Config, stop: threading.Event) -> None:
    host, _, port = config.delivery.metrics.rpartition(":")
    warned = False
    while not stop.is_set():
        try:
            server = _Server((host.strip("[]"), int(port)), lambda: render(config))
        except OSError as error:
            if not warned:
                log.warning(
                    "cannot listen for scrapes of metrics, trying again",
                    address=config.delivery.metrics,
                    error=str(error),
                )
            warned = True
            stop.wait(_RETRY_INTERVAL)
            continue
        with server:
            server.timeout = 0.2
            while not stop.is_set():
                server.handle_request()


__all__ = ["CONTENT_TYPE", "render", "serve", "write_textfile"]
