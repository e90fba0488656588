"""docs/security.md: its tokens and its commands, as they stand there; only ports and addresses are other ones."""

import re
import secrets
import subprocess
from pathlib import Path

import msgspec
import pytest
from commands import COMMAND, PATIENCE_S

from footfall.config import Config
from footfall.errors import ConfigError
from footfall.web.tokens import parse_tokens
from pki import Authority
from processes import eventually, free_ports

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()


def block(language: str) -> str:
    """The one block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def tokens() -> str:
    """The page's tokens, with secrets made as it says; those on it are refused."""
    return re.sub(r"replace-by-[a-z0-9-]+", lambda _: secrets.token_urlsafe(32), block("toml"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with the files that the page names."""
    authority = Authority(tmp_path / "pki")
    pair = authority.issue("server")
    for name, file in (("ca.pem", authority.ca), ("server.pem", pair.cert), ("server.key", pair.key)):
        (tmp_path / name).write_bytes(Path(file).read_bytes())
    (tmp_path / "tokens.toml").write_text(tokens())
    return tmp_path


def test_the_commands_go_as_the_page_tells(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    serve, hit, read = [
        line.replace("0.0.0.0:8443", f"127.0.0.1:{port}").replace(":8443", f":{port}").split()[1:]
        for line in block("sh").splitlines()
    ]

    def run(arguments: list[str], token: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("FOOTFALL_TOKEN", token)
        return subprocess.run([*COMMAND, *arguments], cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S)

    writer, everything = re.findall(r'^secret = "(.*)"', (directory / "tokens.toml").read_text(), re.MULTILINE)
    with (directory / "log").open("wb") as log:
        node = subprocess.Popen([*COMMAND, *serve], cwd=directory, stderr=log)
    try:
        eventually(lambda: node.poll() is not None or "ready at https://" in (directory / "log").read_text())
        assert node.poll() is None, (directory / "log").read_text()
        done = run(hit, everything)
        assert "1 visit to shop" in done.stdout, done.stderr
        assert "1 visit to shop" in run(hit, writer).stdout
        eventually(lambda: run(read, everything).stdout.strip() == "2")
        for arguments, token, says in (
            (read, writer, "good for write, and this needs read"),
            (["hit", "blog", *hit[2:]], writer, "good for shop"),
            (read, "not-a-token-of-this-node", "does not know the token"),
        ):
            refused = run(arguments, token)
            assert refused.returncode == 1
            assert says in refused.stderr
            assert refused.stderr.count("\n") == 1
            assert token not in refused.stderr
    finally:
        node.terminate()
        assert node.wait(PATIENCE_S) == 0


def test_the_tokens_on_the_page_are_tokens() -> None:
    assert len(parse_tokens(tokens(), "the page")) == 3
    with pytest.raises(ConfigError, match="it is the one of an example"):
        parse_tokens(block("toml"), "the page")


def test_every_setting_that_the_page_names_exists() -> None:
    settings = set(msgspec.structs.asdict(Config())) | {"token", "ca", "http", "config", "json", "url", "nats_api"}
    flags = {flag.removeprefix("no-").replace("-", "_") for flag in re.findall(r"--([a-z][a-z-]+)", PAGE)}
    assert flags - settings <= {"rand"}, "openssl's"
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", PAGE))
    assert {name for name in named if not name.startswith("footfall_")} <= settings | {"inbox_prefix"}
