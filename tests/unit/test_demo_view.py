"""How the demo looks where there is no terminal."""

import pytest

from footfall.cli.demo_traffic import COUNTERS, SUM
from footfall.cli.demo_view import LineView, Sample


def sample(elapsed_s: float, phase: str = "ap") -> Sample:
    return Sample(elapsed_s, "counting", dict.fromkeys(COUNTERS, 1_500), [{SUM: 1_400}, None], phase, 1_000.0, [])


def test_the_columns_are_named_once_and_stand_below_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    with LineView() as view:
        view.show(sample(0.5))
        view.show(sample(1.6, "cp"))
    about, head, first, second, turned = capsys.readouterr().out.splitlines()
    assert "ap: available; cp: one judge counts exactly" in about
    assert head.split() == ["time", "phase", "sent", "node", "1", "node", "2", "visits/s"]
    assert first.split() == ["0.5", "s", "ap", "1,500", "1,400", "(away)", "1,000"]
    assert [line.index(cell) for line, cell in ((head, "phase"), (first, "ap"), (second, "cp"))] == [9, 9, 9]
    assert len(head) == len(first) == len(second)
    assert turned.endswith(f"{SUM} is in phase cp")
