"""A server that cannot start as it was asked to: one line says why and what to do, and everything stays as it was."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import COMMAND, PATIENCE_S, footfall, serve, until

from processes import NatsServer, find_binary, free_ports

AT = ("--http", "127.0.0.1:0")


def begin(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "serve", *AT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ends(process: subprocess.Popen[str], code: int, *says: str) -> None:
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()  # it serves after all
        process.wait()
    assert process.returncode == code, err
    assert out == ""
    (error,) = [line for line in err.splitlines() if " INFO " not in line]
    for text in says:
        assert text in error


def refused(*arguments: str, says: tuple[str, ...], code: int = 2) -> None:
    ends(begin(*arguments), code, *says)


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[int]:
    """A nats-server with these arguments, and its port."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [find_binary(), "-a", "127.0.0.1", "-p", str(port), *arguments], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: accepts(port), "the nats-server does not come up")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextlib.contextmanager
def served(data: Path, *arguments: str) -> Iterator[tuple[int, str]]:
    """A server, by process id and URL, that is well at the end."""
    process, url = serve(data, *arguments)
    try:
        yield process.pid, url
        footfall("hit", "a", "--url", url)
    finally:
        process.terminate()
        code = process.wait(PATIENCE_S)
    assert code == 0


def accepts(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


# --- the data directory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_a_data_directory_that_is_a_file_or_below_one_cannot_be_used(tmp_path: Path, nodes: str) -> None:
    (tmp_path / "file").write_text("mine")
    for data in (tmp_path / "file", tmp_path / "file" / "below"):
        refused("--data", str(data), "--nodes", nodes, says=(f"data directory {data} cannot be used",))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("version", ["2", "", "x"])
def test_data_of_another_version_is_left_alone(tmp_path: Path, version: str) -> None:
    (tmp_path / "version").write_text(version)
    refused("--data", str(tmp_path), says=(f"version {version!r}", str(tmp_path), "--data"))
    assert {path.name for path in tmp_path.iterdir()} <= {"version", "lock"}
    assert (tmp_path / "version").read_text() == version


def test_data_that_a_running_server_uses_is_its_own(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as (pid, _):
        for nodes in ("1", "2"):
            refused("--data", str(data), "--nodes", nodes, says=(f"in use by process {pid}", "--data"))


def test_another_number_of_partitions_is_refused_with_the_right_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data, "--partitions", "4"):
        pass
    for nodes in ("1", "3"):
        refused("--data", str(data), "--partitions", "8", "--nodes", nodes, says=("4 partitions", "--partitions 4"))
    with served(data, "--partitions", "4"):
        pass


# --- the nats-server -------------------------------------------------------------------------------------------------


def test_a_nats_server_that_is_missing_too_old_or_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(name: str, text: str, mode: int = 0o755) -> str:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    cases = [
        (str(tmp_path / "nowhere"), "cannot be run"),
        (str(tmp_path), "cannot be run"),
        (program("data", "no program", 0o644), "cannot be run"),
        (program("text", "no program"), "cannot be run"),
        (program("old", "#!/bin/sh\necho nats-server: v2.10.0\n"), "v2.10.0", "lose", "2.12.12 or newer"),
        (program("other", "#!/bin/sh\necho hello\n"), "no nats-server", "hello"),
        (program("silent", "#!/bin/sh\n"), "no nats-server"),
    ]
    processes = []
    for named, *_ in cases:
        monkeypatch.setenv("FOOTFALL_NATS_SERVER", named)
        processes.append(begin("--data", str(tmp_path / "kept")))
    for process, says in zip(processes, cases, strict=True):
        ends(process, 2, *says)
    assert not (tmp_path / "kept").exists()


def test_a_nats_server_that_ends_at_once_is_a_failure_and_its_last_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").write_text('#!/bin/sh\n[ "$1" = --version ] && echo nats-server: v2.15.1\nexit 1\n')
    (tmp_path / "broken").chmod(0o755)
    monkeypatch.setenv("FOOTFALL_NATS_SERVER", str(tmp_path / "broken"))
    data = tmp_path / "data"
    refused("--data", str(data), code=1, says=("does not come up", str(data / "nats.log")))


def test_a_server_that_is_not_there_or_speaks_something_else_or_keeps_no_log_is_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, running() as without_jetstream:
        (closed,) = free_ports(1)
        urls = [f"nats://127.0.0.1:{port}" for port in (closed, silent.getsockname()[1], without_jetstream)]
        processes = [begin("--data", str(tmp_path / str(index)), "--nats", url) for index, url in enumerate(urls)]
        several = begin("--data", str(tmp_path / "several"), "--nats", urls[0], "--nodes", "2")
        for process, url in zip([several, *processes], [urls[0], *urls], strict=True):
            ends(process, 1, url, "JetStream" if url == urls[2] else "nats-server")


@pytest.mark.parametrize(
    "nats",
    ["", ",", "nats://", "nats://:4222", "nats://a:x", "nats://a:99999", "nats://a:0", "nats://[::1", "nats://a b"],
)
def test_what_names_no_nats_server_starts_no_engine_instead(tmp_path: Path, nats: str) -> None:
    refused(
        "--data",
        str(tmp_path / "data"),
        "--nats",
        nats,
        says=("--nats" if nats in ("", ",") else repr(nats), "nats://"),
    )
    assert not (tmp_path / "data").exists()


def test_the_other_topology_is_refused_where_nodes_run(tmp_path: Path) -> None:
    port, monitor = free_ports(2)
    with (
        NatsServer(tmp_path / "nats", "one", port, monitor) as nats,
        served(tmp_path / "first", "--nats", nats.url),
    ):
        other = ("--data", str(tmp_path / "second"), "--nats", nats.url, "--topology", "sharded")
        refused(*other, says=("topology replicated", "sharded"))


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--data", "", "--data is empty"),
        ("--node", "", "'' cannot name a node"),
        ("--node", "a b", "'a b' cannot name a node"),
        ("--node", "../a", "'../a' cannot name a node"),
        ("--node", "a.*", "'a.*' cannot name a node"),
        ("--secret", "", "the secret is empty"),
        ("--secret", "\udcff", "the secret is empty, or not of characters that can be shown"),
        ("--nodes", "0", "1 to 64"),
        ("--nodes", "65", "1 to 64"),
        ("--nodes", "1.5", "'1.5' is not a whole number"),
        ("--partitions", "257", "1 to 256"),
        ("--partitions", "1_6", "'1_6' is not a whole number"),
        ("--replicas", "2", "1, 3 or 5"),
        ("--log-bytes-max", "1e9", "1e9"),
        ("--cut-interval-s", "nan", "--cut-interval-s is nan"),
        ("--topology", "star", '"replicated", "sharded"'),
    ],
)
def test_a_setting_that_cannot_be_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, value: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(flag, value, says=(says,))
    assert list(tmp_path.iterdir()) == []


def test_more_nodes_than_there_are_ports_are_refused(tmp_path: Path) -> None:
    arguments = ["serve", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:65530", "--nodes", "10"]
    assert "65530 to 65539" in footfall(*arguments, code=2).stderr
    assert not (tmp_path / "data").exists()
