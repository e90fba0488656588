"""``serve``: what a process does around its node."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from footfall.cli.serve import has_screen, show, warn
from footfall.cli.settings import Tuning
from footfall.config import Config
from footfall.errors import ConfigError, IntegrityError, LogRewoundError, PartDiedError
from footfall.web import process
from footfall.web.door import Door
from footfall.web.process import Running
from footfall.web.server import advertised, listening_at
from footfall.web.supervisor import Supervisor
from footfall.web.systemd import Systemd
from footfall.web.token_file import TokenFile


class Telling(Systemd):
    """Notes what systemd would be told."""

    def __init__(self) -> None:
        super().__init__({})
        self.told: list[str] = []

    def tell(self, *states: str) -> None:
        self.told += states


def node_with(failure: IntegrityError | None) -> Any:
    """As much of a node as its process looks at."""
    problems = [str(failure)] if failure else []
    counting = SimpleNamespace(aggregator=SimpleNamespace(failure=failure))
    return SimpleNamespace(config=Config(), counting=counting, problems=lambda: problems)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a process around a node that does not run."""

    async def run(node: Any, systemd: Systemd) -> None:
        @contextlib.asynccontextmanager
        async def running(*_: object) -> AsyncIterator[Running]:
            yield Running(node, SimpleNamespace(host="0.0.0.0", port=8080, url="http://127.0.0.1:8080"))  # type: ignore[arg-type]

        monkeypatch.setattr(process, "running", running)
        await asyncio.wait_for(process._run(Config(), None, systemd, None), 5)

    return run


async def test_a_process_ends_with_its_node_if_only_a_new_start_helps(run: Any) -> None:
    with pytest.raises(PartDiedError, match="restart this node"):
        await run(node_with(PartDiedError("members died of ZeroDivisionError; restart this node")), Telling())


async def test_a_node_that_dies_while_it_runs_ends_its_process(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WATCH_S", 0.01)
    node, systemd = node_with(None), Telling()
    asyncio.get_running_loop().call_later(
        0.05, lambda: setattr(node.counting.aggregator, "failure", PartDiedError("it died"))
    )
    with pytest.raises(PartDiedError):
        await run(node, systemd)
    title = "ready at http://0.0.0.0:8080, every address of this machine (replicated, 16 partitions)"
    assert systemd.told == ["READY=1", f"STATUS={title}", "STOPPING=1"]


async def test_a_node_on_a_log_that_was_rewound_stays_to_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WATCH_S", 0.01)
    systemd = Telling()
    watching = asyncio.create_task(Running(node_with(LogRewoundError("it lost its tail")), None).watch(systemd))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert not watching.done()
    assert systemd.told == ["STATUS=it lost its tail"]
    watching.cancel()


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "https://127.0.0.1:8443"),
        ("::1", "https://[::1]:8443"),
        ("count.example", "https://count.example:8443"),
        ("0.0.0.0", "https://0.0.0.0:8443, every address of this machine"),
        ("::", "https://[::]:8443, every address of this machine"),
    ],
)
def test_a_process_says_where_it_listens(host: str, said: str) -> None:
    assert listening_at(host, 8443, secure=True) == said


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False), (0o600, False)])
def test_a_file_of_tokens_that_everyone_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(f'[shop]\nsecret = "{"s" * 30}"\nscopes = ["write"]\n')
    file.chmod(mode)
    assert TokenFile(Config(tokens_file=str(file))).first() is not None
    assert ("every user of this machine can read the tokens" in caplog.text) == warned
    assert stat.S_IMODE(file.stat().st_mode) == mode


async def test_what_nobody_foresaw_does_not_end_the_looking_at_the_file_of_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("footfall.web.token_file.CHECK_S", 0.01)
    file, config = tmp_path / "tokens.toml", Config(tokens_file=str(tmp_path / "tokens.toml"))
    file.write_text(f'[shop]\nsecret = "{"s" * 30}"\nscopes = ["write"]\n')
    tokens, door = TokenFile(config), Door(config)
    tokens.first()
    keeping = asyncio.create_task(tokens.keep(door))
    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_read", lambda: 1 / 0)
        await asyncio.sleep(0.1)
    assert "the file of tokens cannot be looked at" in caplog.text
    for _ in range(500):
        if not door.warnings:
            break
        await asyncio.sleep(0.01)
    assert door.warnings == []
    assert door.tokens is not None
    assert door.tokens.find(b"s" * 30)
    keeping.cancel()


def test_secrets_that_every_user_can_read_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, mode in (("open", 0o644), ("group", 0o640), ("mine", 0o600)):
        (tmp_path / name).touch(mode)
        (tmp_path / name).chmod(mode)
    files = {"secret_file": "open", "tls_key": "mine", "nats_key": "group", "nats_creds": "none"}
    warn(Config(), 1, Tuning(**{name: str(tmp_path / file) for name, file in files.items()}))
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"{tmp_path}/open has mode 0644: every user of this machine can read it; chmod o-r"]
    warn(Config(), 1, None)


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        (Config(public_writes=("shop",)), True),
        (Config(public_reads=True), True),
        (Config(public_reads=True, public_writes=("shop",), tokens="x", rate_per_address=1), False),
        (Config(), False),
    ],
)
def test_what_is_made_public_though_everything_is_is_warned_of(
    config: Config, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    process._limits(config, Door(config))
    assert ("public_reads and public_writes do nothing without tokens" in caplog.text) == warned


@pytest.mark.parametrize(
    ("platform", "environment", "has"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "firefox"}, True),
        ("darwin", {}, True),
    ],
)
def test_a_browser_is_opened_only_where_it_has_a_screen(platform: str, environment: dict[str, str], has: bool) -> None:
    assert has_screen(platform, environment) == has


@pytest.mark.parametrize("screen", [True, False])
def test_the_dashboard_is_opened_or_told_where_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], screen: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("footfall.cli.serve.has_screen", lambda *_: screen)
    monkeypatch.setattr("threading.Thread.start", lambda thread: thread.run())
    show("http://127.0.0.1:8080")
    assert capsys.readouterr().out == "the dashboard is at http://127.0.0.1:8080\n"
    assert opened == (["http://127.0.0.1:8080"] if screen else [])


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("node1.example.org", "http://node1.example.org:8080"),
        ("0.0.0.0", f"http://{socket.gethostname()}:8080"),
        ("::", f"http://{socket.gethostname()}:8080"),
    ],
)
def test_other_machines_are_told_a_name_where_a_node_listens_at_every_address(host: str, url: str) -> None:
    assert advertised(host, 8080) == url


def test_the_url_that_people_use_is_one_nodes() -> None:
    with pytest.raises(ConfigError, match="advertise_url is 'node1:8080'; write something like http://"):
        Config(advertise_url="node1:8080")
    with pytest.raises(ConfigError, match="advertise_url is one node's, and there are 3 here"):
        Supervisor(Config(advertise_url="http://node1:8080"), 3)
