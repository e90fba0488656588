"""Shells complete commands, flags and counters' names, by scripts that they can read."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from footfall import cli
from footfall.cli.client import Client


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_made_and_knows_commands_and_flags(home: Path, shell: str) -> None:
    script = home / "script"
    assert cli.run(["--install-completion", shell, "--output", str(script)]) == 0
    text = script.read_text()
    for word in ("milestone", "claim", "doctor", "exact", "topology"):
        assert word in text, word
    assert list(home.iterdir()) == [script], "no other file is touched"
    if found := shutil.which(shell):  # the shell itself reads it, where there is one
        done = subprocess.run([found, "-n", str(script)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_script_is_put_where_its_shell_looks_for_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for shell, place, needs in (
        ("bash", ".local/share/bash-completion/completions/footfall", ""),
        ("fish", ".config/fish/completions/footfall.fish", ""),
        ("zsh", ".zsh/completions/_cyclopts_footfall", "compinit"),
    ):
        assert cli.run(["--install-completion", shell]) == 0
        said = capsys.readouterr().out
        assert f"{shell} completes footfall by {home / place}:" in said
        assert needs in said
        assert (home / place).exists()


def test_a_shell_that_is_not_known_is_wrong_use(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--install-completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
    monkeypatch.setattr("footfall.cli.completion.detect_shell", lambda: "powershell")
    assert cli.run(["--install-completion"]) == 2
    assert "footfall --install-completion bash" in capsys.readouterr().err


def test_bash_completes_what_was_begun(home: Path) -> None:
    script = home / "script"
    assert cli.run(["--install-completion", "--shell", "bash", "-o", str(script)]) == 0
    ask = f"""source {script}
        COMP_WORDS=(footfall mile); COMP_CWORD=1; COMP_LINE="footfall mile"; COMP_POINT=13
        function=$(complete -p footfall | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function footfall mile footfall
        echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
    assert done.stdout.split() == ["milestone"], done.stderr


@pytest.mark.parametrize(
    ("typed", "parent", "offered"),
    [
        ("read goo", "", ["google", "google.", "shop"]),
        ("read google.g", "google", ["google.gmail"]),
        ("milestone add shop", "", ["google", "google.", "shop"]),
        ("milestone list google.", "google", ["google.gmail"]),
        ("counters --url http://127.0.0.1:9 --token s3cret ", "", ["google", "google.", "shop"]),
    ],
)
def test_counters_are_offered_level_by_level_as_a_node_has_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, parent: str, offered: list[str]
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        below = [("google", 1), ("shop", 0)] if not request.url.params["parent"] else [("google.gmail", 0)]
        return httpx.Response(
            200, json={"counters": [{"counter": name, "children": children} for name, children in below]}
        )

    offer(monkeypatch, answer, typed)
    assert [line.split("\t")[0] for line in capsys.readouterr().out.split()[1:]] == offered
    assert asked[0].url.params["parent"] == parent
    if "--url" in typed:
        assert (asked[0].url.port, asked[0].headers["authorization"]) == (9, "Bearer s3cret")


@pytest.mark.parametrize("typed", ["read goo", "read --url nonsense goo", "read a..b"])
def test_no_counters_are_offered_where_no_node_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    offer(monkeypatch, refuse, typed)
    out, err = capsys.readouterr()
    assert (out.split()[1:], err) == ([], "")


def offer(monkeypatch: pytest.MonkeyPatch, answer: Any, typed: str) -> None:
    """Ask as a shell does when someone presses Tab."""
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr("footfall.cli.client.Client", lambda where, timeout_s: Client(where, transport, timeout_s))
    assert cli.run(["__complete", *typed.split(" ")]) == 0


def test_names_of_files_are_offered_where_a_file_is_asked_for(home: Path) -> None:
    script = home / "script"
    assert cli.run(["--install-completion", "zsh", "--output", str(script)]) == 0
    offers = dict(re.findall(r"'\*?(--[a-z-]+)\[.*:([_a-z]*)'", script.read_text()))
    for flag in ("--data", "--config", "--ca", "--tls-cert", "--nats-creds", "--secret-file", "--tokens-file"):
        assert offers[flag] == "_files", flag
    assert offers["--secret"] != "_files"
