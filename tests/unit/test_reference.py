"""The pages on commands and settings are made from the code, and are those that the code makes now."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from footfall import cli
from footfall.cli.app import app
from footfall.config import Config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_on_settings_is_the_one_that_the_code_makes(reference: ModuleType) -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference.configuration(), "run make reference"


def test_the_page_on_commands_is_the_one_that_the_code_makes(reference: ModuleType) -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference.commands(), "run make reference"


def test_every_setting_of_a_node_can_be_given_and_is_told_of_with_its_meaning(reference: ModuleType) -> None:
    given = {reference.key_of(argument): argument for argument in reference.settings()}
    assert set(Config.__struct_fields__) - given.keys() == {"http_host", "http_port"}  # which are http
    assert all(argument.parameter.help for argument in given.values())
    page = reference.configuration()
    assert not [key for key in given if f"`{key}`" not in page and key not in reference.ONLY_FLAGS]


def test_the_example_of_a_file_is_one_that_a_node_takes(
    reference: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Config] = []
    monkeypatch.setattr("footfall.cli.serve.serve", lambda config, nodes, open_: served.append(config))
    (example,) = re.findall(r"```toml\n(.*?)```", reference.configuration(), re.DOTALL)
    (tmp_path / "footfall.toml").write_text(example)
    assert cli.run(["serve", "--config", str(tmp_path / "footfall.toml")]) == 0
    assert served[0].nats == ("nats://a:4222", "nats://b:4222", "nats://c:4222")


def test_the_page_tells_the_exit_codes_of_the_command_line(reference: ModuleType) -> None:
    page = reference.commands()
    codes = (cli.DONE, cli.FAILED, cli.WRONG_USE, cli.INTERRUPTED, cli.PIPE_CLOSED, cli.TERMINATED)
    assert cli.EXIT_CODES.keys() == set(codes)
    assert all(f"| {code} | {cli.EXIT_CODES[code]} |" in page for code in codes)


def test_every_command_and_every_argument_has_help() -> None:
    commands = [app[name] for name in app if not name.startswith("-")]
    commands += [command[name] for command in commands for name in command if not name.startswith("-")]
    assert len(commands) > 18
    for command in commands:
        assert command.help, command.name
        if command.default_command is not None:
            for argument in command.assemble_argument_collection():
                assert argument.parameter.help or not argument.show, (command.name, argument.name)
