"""Traces of a real node reach a collector that speaks OTLP, and belong to the traces of those who ask."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processes import HTTP, NodeProcess, eventually

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Takes spans over HTTP, and decodes them."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest()
                sent.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
                for one in sent.resource_spans:
                    collector.resources.append({each.key: each.value.string_value for each in one.resource.attributes})
                    collector.spans += [span for scope in one.scope_spans for span in scope.spans]
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *said: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def named(self, name: str) -> list[Any]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.close()


@pytest.fixture(scope="module")
def node(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    directory: Path = tmp_path_factory.mktemp("traces")
    arguments = ["--node", "n1", "--cut-interval-s", "0.5", "--backup", str(directory / "backups")]
    one = NodeProcess(directory / "data", "--otlp-endpoint", collector.url, *arguments)
    one._env |= {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
    with one:
        yield one


def attributes(span: Any) -> dict[str, Any]:
    """The attributes of a span."""
    kinds = {"string_value": str, "int_value": int}
    found = {}
    for one in span.attributes:
        kind = one.value.WhichOneof("value")
        found[one.key] = kinds[kind](getattr(one.value, kind))
    return found


def test_a_request_and_what_it_does_belong_to_the_trace_of_who_asks(node: NodeProcess, collector: Collector) -> None:
    assert HTTP.post(f"{node.url}/v1/visits", json={"visits": [{"counter": "shop"}]}).status_code == 202
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    answer = HTTP.get(f"{node.url}/v1/counters/shop?consistency=linearizable", headers=headers)
    assert answer.status_code == 200
    (request,) = eventually(lambda: collector.named("GET /v1/counters/{name}"), what="the request's span")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(request) == {
        "http.request.method": "GET",
        "http.route": "/v1/counters/{name}",
        "http.response.status_code": 200,
        "url.path": "/v1/counters/shop",
    }
    (read,) = eventually(lambda: collector.named("exact read"))
    assert (read.trace_id, read.parent_span_id) == (request.trace_id, request.span_id)
    assert attributes(read) == {"footfall.counter": "shop"}
    assert collector.resources[0].items() >= {
        ("service.name", "footfall"),
        ("service.instance.id", "n1"),
        ("deployment.environment.name", "test"),
    }


def test_flushes_cuts_and_backups_have_spans_and_single_visits_none(node: NodeProcess, collector: Collector) -> None:
    before = len(collector.named("POST /v1/counters/{name}/visits"))
    flushes = len(collector.named("flush"))
    for _ in range(3):
        assert HTTP.post(f"{node.url}/v1/counters/shop/visits").status_code == 202
    eventually(lambda: len(collector.named("flush")) > flushes, what="a flush's span")
    assert attributes(collector.named("flush")[-1]).keys() == {"footfall.visits", "footfall.messages"}
    eventually(lambda: collector.named("part of a cut"), what="a cut's span")
    eventually(lambda: collector.named("backup"), what="a backup's span")
    assert len(collector.named("POST /v1/counters/{name}/visits")) == before


def test_what_is_asked_all_the_time_has_none_and_what_fails_says_so(node: NodeProcess, collector: Collector) -> None:
    assert HTTP.get(f"{node.url}/metrics").status_code == 200
    assert HTTP.get(f"{node.url}/v1/counters/no%20name").status_code == 422
    eventually(lambda: [one for one in collector.spans if attributes(one).get("http.response.status_code") == 422])
    assert not [span for span in collector.spans if attributes(span).get("url.path") in ("/metrics", "/readyz")]
