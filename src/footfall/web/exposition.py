"""Metrics in Prometheus's text formats, baked when scraped from the node's and the server's plain integers."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from footfall.node.histogram import Histogram
from footfall.node.node import Node
from footfall.web.traffic import Traffic


class _Metrics(Collector):
    def __init__(self, node: Node, traffic: Traffic, warnings: int) -> None:
        self._node = node
        self._traffic = traffic
        self._warnings = warnings

    def collect(self) -> Iterator[Metric]:
        for metric in self._node.metrics():
            if metric.histogram is not None:
                yield _durations(metric.name, metric.help, metric.histogram)
                continue
            family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            labels = sorted(metric.samples[0][0]) if metric.samples else []
            made = family(metric.name, metric.help, labels=labels)
            for sample, value in metric.samples:
                made.add_metric([sample[label] for label in labels], value)
            yield made
        yield GaugeMetricFamily(
            "footfall_warnings", "What a person should look at by day: /readyz says it.", value=self._warnings
        )
        answered = CounterMetricFamily(
            "footfall_http_requests", "Requests answered, by who answered and status.", labels=["path", "status"]
        )
        answered.add_metric(["hot", "202"], self._traffic.hot_visits)
        answered.add_metric(["hot", "200"], self._traffic.hot_reads)
        for status, count in sorted(self._traffic.hot_failures.items()):
            answered.add_metric(["hot", str(status)], count)
        for status, count in sorted(self._traffic.statuses.items()):
            answered.add_metric(["application", str(status)], count)
        yield answered
        yield _durations(
            "footfall_http_request_duration_seconds",
            "From the head of a request to that of its answer, where the application answers.",
            self._traffic.durations,
        )
        yield CounterMetricFamily(
            "footfall_http_connections_refused", "Connections over a limit.", value=self._traffic.refused
        )
        yield CounterMetricFamily(
            "footfall_shed", "Requests refused because the node was behind with its work.", value=self._traffic.shed
        )
        yield GaugeMetricFamily(
            "footfall_event_subscribers", "Streams of events that run.", value=self._traffic.streams
        )
        yield CounterMetricFamily(
            "footfall_events_sent", "Events written to streams, without heartbeats.", value=self._traffic.events
        )
        yield CounterMetricFamily(
            "footfall_event_subscribers_refused",
            "Streams that were not begun, because there were too many.",
            value=self._traffic.streams_refused,
        )
        yield CounterMetricFamily(
            "footfall_event_subscribers_slow",
            "Streams that ended because the other end did not read.",
            value=self._traffic.streams_slow,
        )
        yield CounterMetricFamily(
            "footfall_http_connections_slow",
            "Connections ended because a request did not come, or an answer was not read, in time.",
            value=self._traffic.slow,
        )


def _durations(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, buckets=histogram.buckets(), sum_value=histogram.sum_s)


_PROCESS = ProcessCollector(registry=None)  # processor time, memory and descriptors, where the system tells them


def exposition(node: Node, traffic: Traffic, warnings: int, accept: str) -> tuple[str, bytes]:
    """Content type and body of the answer to a scrape that accepts ``accept``; ``warnings``: how many there are."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_PROCESS)
    registry.register(_Metrics(node, traffic, warnings))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)
