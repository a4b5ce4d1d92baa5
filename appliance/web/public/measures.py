"""Counts and durations of requests, summed over all web workers by files that they share."""

from __future__ import annotations

import os
from typing import ClassVar, Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from appliance.web import measure_files

#: The name of the counter of requests.
REQUESTS: Final = "appliance_web_requests_total"
_REQUESTS: Final = Counter(REQUESTS, "Requests, by route and status.", ("route", "status"))
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
        folder = os.environ.get(measure_files.VARIABLE)
        if folder is None:
            return generate_latest(REGISTRY)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        with measure_files.reading(folder):
            return generate_latest(registry)
