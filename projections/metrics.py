"""The status of the views as Prometheus metrics; needs the extra `metrics`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .engine.health import LAG_SECONDS_MAX, Status, ViewStatus
from .views import Views

_VIEW = ("projection", "version")
_BUCKET = (*_VIEW, "bucket")
_CONSUMER = ("tenant", "session_id", "consumer")

Sample = tuple[tuple[str, ...], float]


class StatusCollector(Collector):
    """Asks views for their status at every scrape; for `CollectorRegistry.register`."""

    def __init__(self, views: Views, *, lag_seconds_max: float | None = LAG_SECONDS_MAX) -> None:
        self._views = views
        self._lag_seconds_max = lag_seconds_max

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what is registered is not asked for its names by a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of now."""
        return metrics(self._views.status(lag_seconds_max=self._lag_seconds_max))


def exposition(status: Status) -> str:
    """Return a status in Prometheus' text format."""

    class Fixed(Collector):
        def collect(self) -> Iterator[Metric]:
            return metrics(status)

    registry = CollectorRegistry()
    registry.register(Fixed())
    return generate_latest(registry).decode()


def metrics(status: Status) -> Iterator[Metric]:
    """Yield the metrics of a status: every bucket of every version, behind or not."""
    yield _gauge(
        "ledger_views_healthy", "1 if no view stopped or is late.", (), [((), status.healthy)]
    )
    yield _gauge(
        "ledger_view_active",
        "1 if readers read this version.",
        _VIEW,
        [(_view(view), view.active) for view in status.views],
    )
    events: list[Sample] = []
    seconds: list[Sample] = []
    ahead: list[Sample] = []
    for view in status.views:
        behind = {lag.bucket: lag for lag in view.behind}
        for bucket in range(len(view.positions)):
            lag = behind.get(bucket)
            labels = (*_view(view), str(bucket))
            events.append((labels, lag.events if lag else 0))
            seconds.append((labels, lag.seconds if lag else 0))
            ahead.append((labels, lag.ahead_seconds if lag else 0))
    yield _gauge("ledger_view_lag_events", "Events that are not folded.", _BUCKET, events)
    yield _gauge(
        "ledger_view_lag_seconds", "Age of the oldest event that is not folded.", _BUCKET, seconds
    )
    yield _gauge(
        "ledger_view_ahead_seconds",
        "How far ahead the clock was that recorded the oldest event that is not folded.",
        _BUCKET,
        ahead,
    )
    yield _gauge(
        "ledger_view_failed_position",
        "The event at which a view stopped.",
        (*_BUCKET, "event_id"),
        [
            ((*_view(view), str(one.bucket), one.event_id), one.position)
            for view in status.views
            for one in view.failures
        ],
    )
    yield _gauge(
        "ledger_view_skipped_events",
        "Events that somebody decided to leave out.",
        _VIEW,
        [(_view(view), len(view.skips)) for view in status.views],
    )
    consumers = [((one.tenant, one.session_id, one.consumer), one) for one in status.consumers]
    yield _gauge(
        "ledger_consumer_lag_events",
        "Events behind the mark of a session's consumer.",
        _CONSUMER,
        [(labels, one.lag_events) for labels, one in consumers],
    )
    yield _gauge(
        "ledger_consumer_lag_seconds",
        "Age of the oldest event behind the mark of a session's consumer.",
        _CONSUMER,
        [(labels, one.lag_seconds) for labels, one in consumers],
    )


def _gauge(name: str, help: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Metric:
    gauge = GaugeMetricFamily(name, help, labels=labels)
    for values, value in samples:
        gauge.add_metric([_printable(text) for text in values], value)
    return gauge


def _view(view: ViewStatus) -> tuple[str, str]:
    return view.projection, str(view.version)


def _printable(text: str) -> str:
    """Show what no terminal and no dashboard should obey as its code point."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
