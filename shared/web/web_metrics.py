"""Counts of the web layer for prometheus_client. Owns the names ``headframe_http_*``."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

# From a read of the live snapshot to a statement that the database is about to give up on.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)


class WebMetrics(Collector):
    """Plain numbers while serving; families of metrics only when somebody scrapes.

    Labels are route templates, methods and statuses: their number is bounded by the route table.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._requests: dict[tuple[str, str, str], int] = {}
        self._buckets: dict[str, list[int]] = {}  # route -> count per bucket, the last is +Inf
        self._seconds: dict[str, float] = {}
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []
        self._counts: dict[str, int] = {}
        if registry is not None:
            registry.register(self)

    def observe(self, route: str, method: str, status: int, duration_s: float) -> None:
        """Count one request."""
        key = (route, method if method in _METHODS else "other", str(status))
        self._requests[key] = self._requests.get(key, 0) + 1
        counts = self._buckets.get(route)
        if counts is None:
            counts = self._buckets[route] = [0] * (len(LATENCY_BUCKETS_S) + 1)
        counts[_bucket(duration_s)] += 1
        self._seconds[route] = self._seconds.get(route, 0.0) + duration_s

    def count(self, event: str, by: int = 1) -> None:
        """Count ``headframe_web_events_total{event=…}``."""
        self._counts[event] = self._counts.get(event, 0) + by

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Export ``headframe_{name}``; ``read`` is called at every scrape."""
        self._gauges.append((name, documentation, read))

    def collect(self) -> Iterable[Metric]:
        """Yield every family."""
        requests = CounterMetricFamily(
            "headframe_http_requests", "Requests answered", labels=["route", "method", "status"]
        )
        for labels, number in sorted(self._requests.items()):
            requests.add_metric(labels, number)
        yield requests
        yield self._latency()
        events = CounterMetricFamily("headframe_web_events", "Events by name", labels=["event"])
        for event, number in sorted(self._counts.items()):
            events.add_metric([event], number)
        yield events
        for name, documentation, read in self._gauges:
            yield GaugeMetricFamily(f"headframe_{name}", documentation, value=read())

    def _latency(self) -> Metric:
        family = HistogramMetricFamily(
            "headframe_http_request_duration_seconds",
            "From the headers of a request to its response",
            labels=["route"],
        )
        for route, counts in sorted(self._buckets.items()):
            total, buckets = 0, list[tuple[str, float]]()
            bounds = [str(bound) for bound in LATENCY_BUCKETS_S] + ["+Inf"]
            for bound, number in zip(bounds, counts, strict=True):
                total += number
                buckets.append((bound, float(total)))
            family.add_metric([route], buckets, self._seconds[route])
        return family


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def _bucket(duration_s: float) -> int:
    for index, bound in enumerate(LATENCY_BUCKETS_S):
        if duration_s <= bound:
            return index
    return len(LATENCY_BUCKETS_S)
