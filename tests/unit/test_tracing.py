"""Traces cost nothing until they are wanted, and say what is missing if they cannot be had."""

import subprocess
import sys
from pathlib import Path

import pytest

from footfall import tracing
from footfall.config import Config
from footfall.errors import ConfigError
from footfall.web import process
from footfall.web.traces import route_of, traced


@pytest.mark.parametrize(
    ("endpoint", "environment", "wanted"),
    [
        ("", {}, False),
        ("http://127.0.0.1:4318", {}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"}, True),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:4318/v1/traces"}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_SERVICE_NAME": "x"}, False),
    ],
)
def test_they_are_wanted_if_it_is_said_where_to(endpoint: str, environment: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(endpoint, environment) == wanted


def test_without_them_nothing_is_imported_and_one_span_does_for_all() -> None:
    check = "import sys, footfall.web.process; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
    assert not tracing.active()
    assert tracing.span("flush", visits=1) is tracing.span("backup")
    with tracing.span("flush") as span:
        assert span is None

    async def app(scope: object, receive: object, send: object) -> None: ...

    assert traced(app) is app


def test_our_own_setting_needs_the_extra_and_the_environment_only_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'footfall\[otel\]'"):
        process._begin_tracing(Config(otlp_endpoint="http://127.0.0.1:4318"))
    process._begin_tracing(Config())()
    assert "there are no traces" in caplog.text


def test_the_endpoint_is_a_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="otlp_endpoint is 'collector:4318'; write something like http://"):
        Config(otlp_endpoint="collector:4318")


@pytest.mark.parametrize(
    ("path", "parameters", "route"),
    [
        ("/v1/nodes", {}, "/v1/nodes"),
        ("/v1/counters/shop/visits", {"name": "shop"}, "/v1/counters/{name}/visits"),
        ("/v1/counters/visits/visits", {"name": "visits"}, "/v1/counters/{name}/visits"),
        ("/v1/counters/5/milestones/5/claim", {"name": "5", "n": "5"}, "/v1/counters/{name}/milestones/{n}/claim"),
    ],
)
def test_a_route_names_what_varies(path: str, parameters: dict[str, str], route: str) -> None:
    assert route_of(path, parameters) == route
