"""Metrics for Prometheus: counts, times and queue lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The metrics of one service; each service has its own registry, so a program may have several."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "bshm_requests", "Requests by route, method and status.", ["route", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "bshm_request_seconds", "From a request to its answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.stage_seconds = Histogram(
            "bshm_stage_seconds", "Time of one stage for one picture.", ["stage"], buckets=_SECONDS, registry=registry
        )
        self.cache = Counter(
            "bshm_cache_lookups", "Lookups in the cache: hit, miss, joined.", ["result"], registry=registry
        )
        self.errors = Counter("bshm_errors", "Errors by kind.", ["kind"], registry=registry)
        self.pixels = Counter("bshm_pixels", "Pixels of the pictures matted.", registry=registry)
        self.frames = Counter("bshm_video_frames", "Frames of videos made by this process.", registry=registry)

        # Memory, files and processor time of this process, if /proc has them.
        ProcessCollector(registry=registry)

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a gauge that calls ``value`` whenever it is read."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def observe_stages(self, timings_ms: Mapping[str, float]) -> None:
        """Count the stages of one picture."""
        for stage, ms in timings_ms.items():
            self.stage_seconds.labels(stage).observe(ms / 1000)

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)
