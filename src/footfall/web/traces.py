"""Gives requests to the application their spans, where traces are wanted; knows nothing of where these go."""

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from footfall import tracing

UNTRACED = ("/healthz", "/readyz", "/metrics", "/static/")  # asked all the time, and of no interest
STREAMS = "/events"  # they go on for hours


def traced(app: ASGIApp) -> ASGIApp:
    """The application, with a span for each request; the same one if nobody wants spans."""
    return _Traced(app) if tracing.active() else app


class _Traced:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("ascii")
        if not tracing.active() or path.startswith(UNTRACED) or path.endswith(STREAMS):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        with tracing.request_span(method, path, scope["headers"]) as span:

            async def send_noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(span, method, path, scope.get("path_params"), message["status"])
                await send(message)

            await self._app(scope, receive, send_noted)


def _note(span: Any, method: str, path: str, parameters: Mapping[str, str] | None, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if parameters is not None:
        route = route_of(path, parameters)
        span.set_attribute("http.route", route)
        span.update_name(f"{method} {route}")
    if status >= 500:
        from opentelemetry.trace import StatusCode

        span.set_status(StatusCode.ERROR)


def route_of(path: str, parameters: Mapping[str, str]) -> str:
    """A path with its variable parts named instead of filled in: names of spans must be few."""
    left = dict(parameters)
    parts = []
    for part in path.split("/"):
        name = next((name for name, value in left.items() if value == part), None)
        parts.append(part if name is None else f"{{{name}}}")
        if name is not None:
            del left[name]
    return "/".join(parts)
