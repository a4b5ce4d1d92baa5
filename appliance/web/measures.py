"""Counts and durations of an application's requests, summed over all its workers by files that they share."""

from __future__ import annotations

import os
from typing import ClassVar, Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from appliance.web import measure_files

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """What is measured of the requests of one application, in metrics that begin with its name."""

    CONTENT_TYPE: ClassVar[str] = CONTENT_TYPE_LATEST

    def __init__(self, name: str, *, by_method: bool = False) -> None:
        """Measure under a name such as `appliance_web`, once in a process; with `by_method` by method as well."""
        self._by_method = by_method
        labels = ("route", "method", "status") if by_method else ("route", "status")
        #: The name of the counter of requests.
        self.requests = f"{name}_requests_total"
        self._requests = Counter(self.requests, f"Requests, by {', '.join(labels)}.", labels)
        self._seconds = Histogram(
            f"{name}_request_seconds", "Seconds that requests took, by route.", ("route",), buckets=_BUCKETS
        )

    def count(self, route: str, status: int, seconds: float, *, method: str = "") -> None:
        """Count a request. Methods that do not exist count as one, so that nobody adds labels by making them up."""
        methods = (method if method in _METHODS else "other",) if self._by_method else ()
        self._requests.labels(route, *methods, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

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
