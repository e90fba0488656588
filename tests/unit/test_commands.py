"""What is typed wrongly: one line tells what, and what may have been meant."""

import pytest

from footfall import cli


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("raed shop", "there is no command 'raed': did you mean read?"),
        ("Nodes", "there is no command 'Nodes': did you mean nodes?"),
        ("milestones list", "there is no command 'milestones': did you mean milestone?"),
        ("milestone lst", "there is no command 'lst': did you mean list?"),
        ("milestone win", "there is no command 'win': there are add, claim, list, show"),
    ],
)
def test_a_command_that_there_is_not_is_told_with_the_nearest_one_or_with_all(
    capsys: pytest.CaptureFixture[str], typed: str, said: str
) -> None:
    assert cli.run(typed.split()) == cli.WRONG_USE
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"footfall: {said} (see footfall --help)\n")


def test_all_commands_are_told_where_none_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["xyzzy"]) == cli.WRONG_USE
    said = capsys.readouterr().err
    for name in ("audit", "backup", "hit", "ingest", "milestone", "read", "serve", "top"):
        assert f" {name}" in said, name
