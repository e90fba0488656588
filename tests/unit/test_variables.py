"""A variable that is misspelt is told with the setting that it resembles; what Kubernetes sets is let be."""

import logging

import pytest

from footfall import cli
from footfall.cli.variables import unknown
from footfall.config import Config

SETTINGS = ("data", "http", "nats", "partitions", "rate_per_address", "tokens_file")

OF_KUBERNETES = {  # for Services that are named footfall, footfall-nodes and footfall-nats
    "FOOTFALL_SERVICE_HOST": "10.96.0.7",
    "FOOTFALL_SERVICE_PORT": "80",
    "FOOTFALL_SERVICE_PORT_HTTP": "80",
    "FOOTFALL_PORT": "tcp://10.96.0.7:80",
    "FOOTFALL_PORT_80_TCP": "tcp://10.96.0.7:80",
    "FOOTFALL_PORT_80_TCP_PROTO": "tcp",
    "FOOTFALL_PORT_80_TCP_PORT": "80",
    "FOOTFALL_PORT_80_TCP_ADDR": "10.96.0.7",
    "FOOTFALL_NODES_SERVICE_HOST": "10.96.0.8",
    "FOOTFALL_NODES_SERVICE_PORT": "8080",
    "FOOTFALL_NODES_PORT": "tcp://10.96.0.8:8080",
    "FOOTFALL_NODES_PORT_8080_TCP": "tcp://10.96.0.8:8080",
    "FOOTFALL_NATS_SERVICE_HOST": "10.96.0.9",
    "FOOTFALL_NATS_PORT": "tcp://10.96.0.9:4222",
    "FOOTFALL_NATS_PORT_4222_TCP_ADDR": "10.96.0.9",
}


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("FOOTFALL_PARTITION", "FOOTFALL_PARTITION (FOOTFALL_PARTITIONS?)"),
        ("FOOTFALL_RATE_PER_ADRESS", "FOOTFALL_RATE_PER_ADRESS (FOOTFALL_RATE_PER_ADDRESS?)"),
        ("FOOTFALL_TOKEN_FILE", "FOOTFALL_TOKEN_FILE (FOOTFALL_TOKENS_FILE?)"),
        ("FOOTFALL_NATS_URL", "FOOTFALL_NATS_URL (FOOTFALL_NATS?)"),
        ("FOOTFALL_LISTEN", "FOOTFALL_LISTEN"),
        ("FOOTFALL_PORT", "FOOTFALL_PORT"),
        ("FOOTFALL_data", "FOOTFALL_data (FOOTFALL_DATA?)"),
    ],
)
def test_a_variable_that_nothing_takes_is_told_with_the_nearest_that_is_taken(variable: str, told: str) -> None:
    assert unknown({variable: "1", "PATH": "/bin", "FOOTFALLS": "x"}, SETTINGS) == [told]


def test_what_any_part_takes_is_not_told() -> None:
    taken = ("DATA", "HTTP", "PARTITIONS", "URL", "TOKEN", "CA", "NATS_API", "NATS_SERVER")
    assert unknown({f"FOOTFALL_{name}": "x" for name in taken}, SETTINGS) == []


def test_what_kubernetes_tells_of_services_is_no_mistake() -> None:
    assert unknown(OF_KUBERNETES, SETTINGS) == []


def test_what_kubernetes_tells_is_taken_for_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Config] = []
    monkeypatch.setattr("footfall.web.process.run_node", lambda config, ready: served.append(config))
    for name, value in OF_KUBERNETES.items():
        monkeypatch.setenv(name, value)
    assert cli.run(["serve"]) == 0
    assert served == [Config()]


def test_serve_tells_all_of_them_in_one_line_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served: list[Config] = []
    monkeypatch.setattr("footfall.web.process.run_node", lambda config, ready: served.append(config))
    monkeypatch.setenv("FOOTFALL_PARTITION", "4")
    monkeypatch.setenv("FOOTFALL_LISTEN", "0.0.0.0:80")
    monkeypatch.setenv("FOOTFALL_PARTITIONS", "8")
    assert cli.run(["serve"]) == 0
    assert served == [Config(partitions=8)]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == [
        "no setting has these names, and they are ignored: FOOTFALL_LISTEN, "
        "FOOTFALL_PARTITION (FOOTFALL_PARTITIONS?); footfall serve --help lists all"
    ]
