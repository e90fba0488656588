"""Settings come from flags, over variables, over a file; what is wrong is told in one line."""

from pathlib import Path
from typing import Any

import pytest

from footfall import cli
from footfall.cli import settings
from footfall.config import Config, Topology
from footfall.core.definitions import COUNTERS_MAX
from footfall.errors import ConfigError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Config, int]]:
    """What would have been served."""
    calls: list[tuple[Config, int]] = []
    monkeypatch.setattr("footfall.cli.serve.serve", lambda config, nodes, open_: calls.append((config, nodes)))
    return calls


def test_the_defaults_are_those_of_the_config(served: list[tuple[Config, int]]) -> None:
    assert cli.run(["serve"]) == 0
    assert served == [(Config(), 1)]


def test_flags_stand_over_variables_and_these_over_the_file(
    served: list[tuple[Config, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text(
        'data = "of the file"\nnodes = 2\npartitions = 4\nnats = ["nats://a:1", "nats://b:2"]\ncut_interval_s = 3.5\n'
    )
    monkeypatch.setenv("FOOTFALL_NODES", "5")
    monkeypatch.setenv("FOOTFALL_PARTITIONS", "8")
    arguments = ["serve", "--config", str(file), "--partitions", "32", "--topology", "sharded"]
    assert cli.run(arguments) == 0
    expected = Config(
        data="of the file",
        nats=("nats://a:1", "nats://b:2"),
        topology=Topology.SHARDED,
        partitions=32,
        cut_interval_s=3.5,
    )
    assert served == [(expected, 5)]


def test_the_settings_of_judges_webhooks_proofs_and_backups_come_from_anywhere(
    served: list[tuple[Config, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text('closing_share = 0.5\nkeep_proofs = true\nwebhook = "http://127.0.0.1:9/winners"\n')
    monkeypatch.setenv("FOOTFALL_WEBHOOK_SECRET", "quiet-0123456789")
    monkeypatch.setenv("FOOTFALL_KEEP_PROOFS", "false")
    monkeypatch.setenv("FOOTFALL_BACKUP", "s3://bucket/prefix")
    monkeypatch.setenv("FOOTFALL_BACKUP_INTERVAL_S", "600")
    assert cli.run(["serve", "--config", str(file), "--proof-bytes-max", "1000000", "--backup-keep", "24"]) == 0
    expected = Config(
        closing_share=0.5,
        webhook="http://127.0.0.1:9/winners",
        webhook_secret="quiet-0123456789",
        keep_proofs=False,
        proof_bytes_max=1_000_000,
        backup="s3://bucket/prefix",
        backup_interval_s=600.0,
        backup_keep=24,
    )
    assert served == [(expected, 1)]
    assert cli.run(["serve", "--no-keep-proofs"]) == 0
    assert served[1][0].keep_proofs is False
    assert cli.run(["serve", "--help"]) == 0
    assert "quiet" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--closing-share", "1.1"], "--closing-share is 1.1; it must be from 0 to 1"),
        (["--closing-share", "nan"], "--closing-share is nan"),
        (["--closing-share", "most"], "most"),
        (["--webhook", "example.org"], "the webhook is not a URL: write something like https://"),
        (["--webhook", "ftp://example.org/"], "the webhook is not a URL"),
        (["--webhook", "http://"], "the webhook is not a URL"),
        (["--webhook", "http://a b/"], "the webhook is not a URL"),
        (["--webhook", "http://[::1/"], "the webhook is not a URL"),
        (["--webhook="], "the webhook is not a URL"),
        (["--webhook-secret="], "the webhook's secret is empty"),
        (["--webhook-secret", "a\x01private"], "the webhook's secret is empty, or not of characters"),
        (["--keep-proofs=often"], "often"),
        (["--proof-bytes-max", "-1"], "--proof-bytes-max is -1"),
        (["--backup-interval-s", "0.5"], "--backup-interval-s is 0.5"),
        (["--backup-keep", "-1"], "--backup-keep is -1"),
        (["--proof-bytes-max", "1.5"], "'1.5' is not a whole number"),
        (["--log-bytes-max", "1e9"], "'1e9' is not a whole number"),
    ],
)
def test_what_such_a_setting_cannot_be_is_told_in_one_line(
    served: list[tuple[Config, int]], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.run(["serve", *arguments]) == cli.WRONG_USE
    error = capsys.readouterr().err
    assert said in error
    assert "private" not in error
    assert error.count("\n") == 1
    assert served == []


def test_the_file_may_be_named_by_a_variable(
    served: list[tuple[Config, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "footfall.toml").write_text('nats = "nats://a:1,nats://b:2"\n')
    monkeypatch.setenv("FOOTFALL_CONFIG", str(tmp_path / "footfall.toml"))
    assert cli.run(["serve"]) == 0
    assert served[0][0].nats == ("nats://a:1", "nats://b:2")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("dta = 'x'", "{file}: there is no setting dta (data?); footfall serve --help lists all"),
        ("TOKENS-FILE = 'x'", "there is no setting TOKENS-FILE (tokens_file?)"),
        ("listen = 'x'", "there is no setting listen; footfall"),
        (
            "[serve]\ndata = 'x'",
            "[serve] in {file} is a table, and settings stand in none: write data = ... without it",
        ),
        ("nodes = 1.5", "'1.5' is not a whole number"),
        ("cut_interval_s = 'often'", "often"),
        ("nodes =", "footfall.toml cannot be read as TOML: Invalid value"),
        ("replicas = 2", "replicas in {file} is 2; it must be 1, 3 or 5"),
        ("nodes = 1.5", "(in {file})"),
        ("topology = 'star'", "star"),
        ("partitions = 1000", "1000"),
        ("webhook_secret = ['private', 'b']", "--webhook-secret is not one text"),
        ("tokens = ['private']", "--tokens is not one text"),
        ("secret = ['private']", "--secret is not one text"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(
    served: list[tuple[Config, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text(content)
    assert cli.run(["serve", "--config", str(file)]) == cli.WRONG_USE
    error = capsys.readouterr().err
    assert said.format(file=file) in error
    assert "private" not in error
    assert error.count("\n") == 1
    assert served == []


def test_the_secret_may_be_in_a_file(
    served: list[tuple[Config, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "secret"
    file.write_text("quiet-0123456789\n")
    assert cli.run(["serve", "--secret-file", str(file)]) == 0
    assert served == [(Config(secret="quiet-0123456789"), 1)]
    for arguments, said in (
        (["--secret-file", str(file), "--secret", "x"], "--secret-file is given, and a secret, too"),
        (["--secret-file", str(tmp_path)], "cannot be read: Is a directory"),
        (["--secret-file", str(tmp_path / "none")], "cannot be read: No such file"),
    ):
        assert cli.run(["serve", *arguments]) == cli.WRONG_USE
        assert said in capsys.readouterr().err
    file.write_text("\n")
    assert cli.run(["serve", "--secret-file", str(file)]) == cli.WRONG_USE
    assert "the secret is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (
            "private",
            "it has 7 characters, 7 of them different; it must have 16, 8 of them different: openssl rand -hex 32",
        ),
        ("private-0123456", "it has 15 characters"),
        ("privateprivateprivate", "it has 21 characters, 7 of them different"),
    ],
)
@pytest.mark.parametrize("name", ["secret", "webhook-secret"])
def test_a_secret_that_could_be_guessed_is_refused_and_not_shown(
    served: list[tuple[Config, int]], capsys: pytest.CaptureFixture[str], name: str, secret: str, said: str
) -> None:
    assert cli.run(["serve", f"--{name}", secret]) == cli.WRONG_USE
    error = capsys.readouterr().err
    assert f"the {name.replace('-', chr(39) + 's ')} could be guessed: " in error
    assert said in error
    assert secret not in error
    assert served == []
    assert cli.run(["serve", f"--{name}", "private-01234567"]) == 0


def test_the_prefix_of_a_webhooks_secret_makes_it_no_better(
    served: list[tuple[Config, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["serve", "--webhook-secret", "whsec_cGFzc3dvcmQ="]) == cli.WRONG_USE
    assert "it has 12 characters" in capsys.readouterr().err
    assert served == []


def test_a_setting_is_named_as_it_was_given(
    served: list[tuple[Config, int]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOOTFALL_TLS_CERT", "cert.pem")
    monkeypatch.setenv("FOOTFALL_PARTITIONS", "0")
    assert cli.run(["serve"]) == cli.WRONG_USE
    assert "FOOTFALL_PARTITIONS is 0; it must be" in capsys.readouterr().err
    assert cli.run(["serve", "--partitions", "4"]) == cli.WRONG_USE
    assert "FOOTFALL_TLS_CERT and --tls-key are a certificate and its key" in capsys.readouterr().err
    assert served == []


def test_a_missing_file_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve", "--config", str(tmp_path / "missing.toml")]) == cli.WRONG_USE
    assert "missing.toml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("127.9.9.9:0", ("127.9.9.9", 0)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_loopback_addresses_may_be_listened_at(
    served: list[tuple[Config, int]], text: str, expected: tuple[str, int]
) -> None:
    assert cli.run(["serve", "--http", text]) == 0
    assert (served[0][0].http_host, served[0][0].http_port) == expected


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        settings.parse_address(text)


@pytest.mark.parametrize("nodes", ["1", "3"])
@pytest.mark.parametrize("text", ["0.0.0.0:80", "[::]:80", "a.b:1", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"])
def test_other_addresses_may_only_with_tokens(
    served: list[tuple[Config, int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    nodes: str,
) -> None:
    arguments = ["serve", "--http", text, "--nodes", nodes]
    assert cli.run(arguments) == cli.WRONG_USE
    assert "could be reached by anyone, and there are no tokens" in capsys.readouterr().err
    monkeypatch.setenv("FOOTFALL_TOKENS", "")
    assert cli.run(arguments) == cli.WRONG_USE
    assert "--tokens is empty" in capsys.readouterr().err
    monkeypatch.setenv("FOOTFALL_TOKENS", "[a]")
    assert cli.run([*arguments, "--tokens-file", "tokens.toml"]) == cli.WRONG_USE
    assert "give one of them" in capsys.readouterr().err
    assert served == []
    assert cli.run(arguments) == 0
    monkeypatch.delenv("FOOTFALL_TOKENS")
    assert cli.run([*arguments, "--tokens-file", "tokens.toml"]) == 0
    assert [(config.tokens, config.tokens_file) for config, _ in served] == [("[a]", ""), ("", "tokens.toml")]


def test_settings_of_access_come_from_anywhere(
    served: list[tuple[Config, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text('trusted_proxies = ["10.0.0.0/8", "::1"]\npublic_reads = true\nrate_per_address = 5\n')
    monkeypatch.setenv("FOOTFALL_VISITOR_FROM_ADDRESS", "true")
    monkeypatch.setenv("FOOTFALL_CONNECTIONS_MAX", "100")
    assert cli.run(["serve", "--config", str(file), "--no-define-on-visit", "--no-hash-visitors"]) == 0
    expected = Config(
        trusted_proxies=("10.0.0.0/8", "::1"),
        public_reads=True,
        rate_per_address=5.0,
        visitor_from_address=True,
        connections_max=100,
        define_on_visit=False,
        hash_visitors=False,
    )
    assert served == [(expected, 1)]
    assert cli.run(["serve", "--trusted-proxies", "10.0.0.1, 10.0.0.2"]) == 0
    assert served[1][0].trusted_proxies == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trusted-proxies", "proxy.example"], "'proxy.example' in --trusted-proxies is no address"),
        (["--trusted-proxies", "10.0.0.1/8"], "'10.0.0.1/8' in --trusted-proxies is no address"),
        (["--rate-per-address", "-1"], "--rate-per-address is -1"),
        (["--rate-per-token", "nan"], "--rate-per-token is nan"),
        (["--rate-burst-s", "0"], "--rate-burst-s is 0"),
        (["--counters-max", "4000001"], "--counters-max is 4000001"),
        (["--connections-max", "0"], "--connections-max is 0"),
        (["--connections-per-address-max", "-1"], "--connections-per-address-max is -1"),
        (["--request-timeout-s", "0"], "--request-timeout-s is 0"),
        (["--tokens-file="], "--tokens-file is empty"),
    ],
)
def test_wrong_settings_of_access_are_told_in_one_line(
    served: list[tuple[Config, int]], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.run(["serve", *arguments]) == cli.WRONG_USE
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert served == []


def test_a_node_defines_no_more_counters_than_the_log_may_hold() -> None:
    assert Config().counters_max == COUNTERS_MAX


def test_interrupts_and_closed_pipes_have_their_own_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("footfall.cli.serve.serve", interrupted)
    assert cli.run(["serve"]) == cli.INTERRUPTED


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.strip()
