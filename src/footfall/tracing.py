"""Spans of what a node does, for OpenTelemetry: nothing is imported, and nothing done, until ``begin`` is called.

A single visit on the hot path has no span: the flush that makes many visits durable has one.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import Any

from footfall.errors import ConfigError

EXTRA = "footfall[otel]"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")  # the standard's own variables
STOP_S = 5.0  # for what was not sent yet, at the end

_NOTHING: AbstractContextManager[None] = nullcontext()
_tracer: Any = None


def wanted(endpoint: str, environment: Mapping[str, str]) -> bool:
    """Whether traces are to be sent: the setting, or the standard's variables, name where to."""
    return bool(endpoint) or any(environment.get(name) for name in ENDPOINTS)


def active() -> bool:
    """Whether there are spans at all."""
    return _tracer is not None


def begin(endpoint: str, node: str) -> Callable[[], None]:
    """Send spans from now on; returns what ends that.

    Args:
        endpoint: Of an OTLP collector over HTTP, such as http://127.0.0.1:4318; empty: the standard's variables tell.
        node: Whose they are.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    global _tracer
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError(f"traces need OpenTelemetry: pip install '{EXTRA}'") from None
    described = {"service.version": version("footfall"), "service.instance.id": node}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        described["service.name"] = "footfall"
    provider = TracerProvider(resource=Resource.create(described))
    to = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    # Bounded: what more than 2,048 spans have not been sent of is dropped (OTEL_BSP_MAX_QUEUE_SIZE).
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=to)))
    _tracer = provider.get_tracer("footfall", version("footfall"))

    def end() -> None:
        global _tracer
        _tracer = None
        provider.force_flush(int(STOP_S * 1000))
        provider.shutdown()

    return end


def span(name: str, **attributes: str | int) -> AbstractContextManager[Any]:
    """Around some work: a span of that name, which notes an error that it raises. 0.1 µs if nobody wants it."""
    if _tracer is None:
        return _NOTHING
    named = {f"footfall.{key}": value for key, value in attributes.items()}
    found: AbstractContextManager[Any] = _tracer.start_as_current_span(name, attributes=named)
    return found


def request_span(method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> AbstractContextManager[Any]:
    """Around a request: a span that belongs to the trace which its ``traceparent`` names, if it has one."""
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    found: AbstractContextManager[Any] = _tracer.start_as_current_span(
        method,
        context=extract(carried),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": method, "url.path": path},
    )
    return found
