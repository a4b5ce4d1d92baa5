"""Counts and durations of requests, summed over all web workers by files that they share."""

from __future__ import annotations

import os
from typing import ClassVar, Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

#: The variable that names the folder of the shared files. It must be set before this module is imported.
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

_REQUESTS: Final = Counter("appliance_web_requests_total", "Requests, by route and status.", ("route", "status"))
_SECONDS: Final = Histogram(
    "appliance_web_request_seconds",
    "Seconds that requests took, by route.",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class Measures:
    """What is measured of requests."""

    CONTENT_TYPE: ClassVar[str] = CONTENT_TYPE_LATEST

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        _REQUESTS.labels(route, str(status)).inc()
        _SECONDS.labels(route).observe(seconds)

    @staticmethod
    def text() -> bytes:
        """Return the measures of all workers in Prometheus's format."""
        registry = REGISTRY
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
