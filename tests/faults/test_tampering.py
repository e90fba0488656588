"""The checker finds what must not be in the history of a real node and its log, once someone has tampered with it."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import pytest
import pytest_asyncio
from checker import Outcome, check
from history import History
from observer import copying
from site_under_test import Embedded
from trials import Trial

from accounts import Place

SUM, LEAF = "real", "real.mail"


class Record(NamedTuple):
    """What clients saw, and what there is in the end."""

    history: History
    outcome: Outcome


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def record(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Record]:
    """A second of traffic at a node."""
    site = Embedded(tmp_path_factory.mktemp("real"))
    with site.node:
        async with copying(site.observed()) as copy:
            trial = Trial(site, copy, SUM, tmp_path_factory.mktemp("history"), milestone=150)
            async with trial.traffic():
                pass
            await trial.check()
            yield Record(trial.load.history, await trial.outcome())


def with_order(outcome: Outcome, change: Callable[[Sequence[Place]], Sequence[Place]]) -> Outcome:
    """Another order of a counter and of the sum; all nodes and the fold show the same, wrong as it is."""
    order = {**outcome.order, LEAF: change(outcome.order[LEAF]), SUM: change(outcome.order[SUM])}
    values = {counter: len(places) for counter, places in order.items()}
    return outcome._replace(order=order, folded=values, shown=dict.fromkeys(outcome.shown, values))


def ordered(record: Record) -> Iterator[tuple[str, str]]:
    """Keys of visits of which the log had acknowledged one before the other one was sent."""
    visits = [one for one in record.history.attempts if one.counter == LEAF and one.stored == "log"]
    return ((one.key, other.key) for one, other in combinations(visits, 2) if one.end_s < other.begin_s)


def test_the_history_as_it_is_has_nothing_wrong(record: Record) -> None:
    assert check(*record) == []
    assert len(record.outcome.order[LEAF]) > 50
    assert any(read.exact for read in record.history.reads)
    assert record.history.winners


def test_a_lost_visit_is_found(record: Record) -> None:
    lost = record.outcome.order[LEAF][20]
    found = check(record.history, with_order(record.outcome, lambda places: [one for one in places if one != lost]))
    assert f"lost: {lost.key!r} was acknowledged, and is not counted in {LEAF}" in found


def test_a_doubled_visit_is_found(record: Record) -> None:
    twice = record.outcome.order[LEAF][20]
    doubled = with_order(
        record.outcome, lambda places: [each for one in places for each in [one] * (1 + (one == twice))]
    )
    assert f"doubled: {twice.key!r} is counted 2 times in {LEAF}" in check(record.history, doubled)


def test_visits_in_the_wrong_order_are_found(record: Record) -> None:
    first, second = next(ordered(record))
    one, other = (next(place for place in record.outcome.order[LEAF] if place.key == key) for key in (first, second))
    swapped = {
        one: one._replace(visitor=other.visitor, key=other.key),
        other: other._replace(visitor=one.visitor, key=one.key),
    }
    found = check(
        record.history, with_order(record.outcome, lambda places: [swapped.get(each, each) for each in places])
    )
    assert any(problem.startswith("reordered: ") for problem in found), found


@pytest.mark.parametrize("exact", [False, True])
def test_a_lower_read_is_found(record: Record, exact: bool) -> None:
    reads = [read for read in record.history.reads if read.exact is exact and read.counter == SUM]
    tampered = History()
    tampered.attempts, tampered.winners = record.history.attempts, record.history.winners
    lower = reads[-1]._replace(value=reads[-1].value - 1 if exact else 1)
    tampered.reads = [lower if read == reads[-1] else read for read in record.history.reads]
    found = check(tampered, record.outcome)
    assert [problem.split(":")[0] for problem in found if problem.startswith("inexact" if exact else "fell")], found


def test_a_second_winner_is_found(record: Record) -> None:
    told, after = record.history.winners[0], record.outcome.order[SUM][150]
    tampered = History()
    tampered.attempts = record.history.attempts
    other = told._replace(sequence=after.sequence, index=after.entry, visitor=after.visitor)
    tampered.winners = [*record.history.winners, other]
    assert [problem.split(":")[0] for problem in check(tampered, record.outcome)] == ["wrong winner"]
