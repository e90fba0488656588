"""A judge begins at the newest cut below every N that he has to find, and before what has to be decided."""

import pytest
from node_cutting import Cutter
from node_line import Line

from footfall.core.milestones import Milestones, Standing
from footfall.errors import CheckpointError
from footfall.log.memory import Storage
from footfall.node.judge_begin import newest_below


@pytest.fixture
async def cutter() -> Cutter:
    """Two partitions, and three cuts, at which a counts 2, 6 and 12."""
    cutter = Cutter(Line(Storage(2)))
    await cutter.take(3)
    return cutter


def open_(*goals: int, since: int = 2, value: int = 0) -> Milestones:
    return Milestones(Standing("a", n, since, value) for n in goals)


@pytest.mark.parametrize(
    ("goals", "epoch", "value"),
    [((13,), 3, 12), ((12,), 2, 6), ((7, 100), 2, 6), ((6,), 1, 2), ((3, 12), 1, 2), ((2,), 0, 0), ((1,), 0, 0)],
)
async def test_the_cut_counts_less_than_the_lowest_n(
    cutter: Cutter, goals: tuple[int, ...], epoch: int, value: int
) -> None:
    judge, begin = await newest_below(cutter.cuts, cutter.line, "a", open_(*goals))
    assert (judge.value, judge.epochs) == (value, [epoch])
    assert (begin == cutter.positions[epoch]) if epoch else (begin.sequence == 0)


async def test_the_cut_lies_before_a_milestone_that_is_not_decided(cutter: Cutter) -> None:
    since = cutter.positions[2].sequence + 1
    judge, begin = await newest_below(cutter.cuts, cutter.line, "a", open_(1, since=since, value=-1))
    assert (begin, judge.value) == (cutter.positions[2], 6), "it may be void, so its N sets no bound"


async def test_if_the_log_was_trimmed_and_no_cut_is_below_n_the_judge_does_not_begin(cutter: Cutter) -> None:
    cutter.storage.trim(cutter.positions[1].sequence)
    with pytest.raises(CheckpointError):
        await newest_below(cutter.cuts, cutter.line, "a", open_(2))
