"""Certificates and credentials come from flags, variables and the file, and what does not go together is told."""

from pathlib import Path

import pytest

from footfall import cli
from footfall.cli.arguments import Servers
from footfall.cli.log_access import access_to
from footfall.config import Config
from footfall.errors import ConfigError
from footfall.log.access import API, Access, access_of

TLS = ("tls://a:4222",)


def test_they_come_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Config] = []
    monkeypatch.setattr("footfall.cli.serve.serve", lambda config, nodes, open_: served.append(config))
    file = tmp_path / "footfall.toml"
    file.write_text('tls_cert = "c.pem"\nnats = ["tls://a:4222"]\nnats_creds = "node.creds"\n')
    monkeypatch.setenv("FOOTFALL_TLS_KEY", "k.pem")
    monkeypatch.setenv("FOOTFALL_NATS_CA", "ca.pem")
    arguments = ["--nats-cert", "own.pem", "--nats-key", "own.key"]
    assert cli.run(["serve", "--config", str(file), *arguments]) == 0
    (config,) = served
    assert (config.tls_cert, config.tls_key) == ("c.pem", "k.pem")
    assert access_of(config) == Access(ca="ca.pem", cert="own.pem", key="own.key", creds="node.creds")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"tls_cert": "c"}, "tls_cert and tls_key"),
        ({"tls_key": "k"}, "tls_cert and tls_key"),
        ({"nats": TLS, "nats_cert": "c"}, "nats_cert and nats_key"),
        ({"nats": TLS, "nats_creds": "a", "nats_nkey": "b"}, "give one of them"),
        ({"nats_ca": "ca"}, "named by --nats"),
        ({"nats_creds": "a"}, "named by --nats"),
    ],
)
def test_what_does_not_go_together_is_told(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Config(**settings)  # type: ignore[arg-type]


def test_commands_reach_servers_as_nodes_do_and_jetstream_where_it_is() -> None:
    assert access_to(Servers()) == Access()
    named = Servers(TLS, nats_ca="ca", nats_nkey="seed", nats_api="footfall.audit.API.")
    assert access_to(named) == Access(ca="ca", nkey="seed", api="footfall.audit.API")
    assert access_to(Servers(TLS)).api == API


@pytest.mark.parametrize("api", [".", "a..b", "a b", "a.*", "a.>", "ünlike", "a\n"])
def test_what_cannot_begin_a_subject_is_told(api: str) -> None:
    with pytest.raises(ConfigError, match="beginning of a subject"):
        access_to(Servers(TLS, nats_api=api))


def test_certificates_without_servers_are_told_and_not_forgotten() -> None:
    with pytest.raises(ConfigError, match="named by --nats"):
        access_to(Servers(nats_ca="ca"))
