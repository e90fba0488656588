"""What is typed wrongly: one line tells what, and what may have been meant."""

import re
from collections.abc import Iterator

import pytest
from cyclopts import App

from footfall import cli
from footfall.cli.app import app


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("raed shop", "there is no command 'raed': did you mean read?"),
        ("Nodes", "there is no command 'Nodes': did you mean nodes?"),
        ("milestones list", "there is no command 'milestones': did you mean milestone?"),
        ("version", "there is no command 'version': did you mean --version?"),
        ("-v", "there is no command '-v': there are audit, "),
        ("--url http://127.0.0.1:1 read shop", "--url stands before the command: write it after"),
        ("milestone lst", "there is no command 'lst': did you mean list?"),
        ("milestone win", "there is no command 'win': there are add, claim, list, show"),
        ("hit a —visitor ann", "there is no use for '—visitor' 'ann': a flag begins with two hyphens, --visitor"),
        ("read a b c", "there is no use for 'b' 'c'"),
        ("hit", "COUNTER is missing"),
        ("milestone show a", "N is missing"),
        ("define a", "--unit is missing"),
        ("hit a --count", "--count needs a value"),
        ("hit a --counts 5", "Unknown option: --counts. Did you mean --count?"),
        ("serve --secret a --secret b", "Parameter --secret specified multiple times"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_with_what_may_have_been_meant(
    capsys: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    assert cli.run(typed.split()) == cli.WRONG_USE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"footfall: {said}")
    assert "(see footfall " in err
    assert err.count("\n") == 1


def test_help_is_told_of_the_command_that_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["milestone", "add", "a"]) == cli.WRONG_USE
    assert capsys.readouterr().err == "footfall: N is missing (see footfall milestone add --help)\n"


def test_all_commands_are_told_where_none_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["xyzzy"]) == cli.WRONG_USE
    said = capsys.readouterr().err
    for name in ("audit", "backup", "hit", "ingest", "milestone", "read", "serve", "top"):
        assert f" {name}" in said, name


def test_help_may_be_asked_for_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for typed in ("help", "--help", "help milestone add", "milestone add --help"):
        assert cli.run(typed.split()) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != said[2] == said[3]


def commands(app: App) -> Iterator[App]:
    """Those that do something, not the groups of them."""
    for name in app:
        one = app[name]
        if not name.startswith("-"):
            yield from commands(one) if one.default_command is None else [one]


def test_the_help_of_each_command_has_an_example_that_uses_it() -> None:
    found = list(commands(app))
    assert len(found) > 15
    for command in found:
        name = command.name[0]
        assert re.search(rf"Example: `footfall [a-z ]*{name}\b", command.help or ""), name
