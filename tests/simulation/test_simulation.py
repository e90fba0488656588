"""Thousands of faulty histories keep invariants 1, 2, 3, 5 and 7, and a core with a bug in it does not.

FOOTFALL_SEED=<seed> replays one history, in this process; FOOTFALL_HISTORIES=<number> runs another number of them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from .bugs import BUGS
from .histories import failures, first_failure_with, pool
from .world import World

HISTORIES = int(os.environ.get("FOOTFALL_HISTORIES", "3000"))
HISTORIES_WITH_A_BUG = 2000  # of which one must fail
EACH = 50  # histories that a process runs at a time


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with pool() as running:
        yield running


def test_histories_keep_the_invariants(processes: ProcessPoolExecutor) -> None:
    if seed := os.environ.get("FOOTFALL_SEED"):
        World(int(seed)).run()
        return
    parts = [range(start, min(start + EACH, HISTORIES)) for start in range(0, HISTORIES, EACH)]
    failed = [failure for part in processes.map(failures, parts) for failure in part]
    assert not failed, f"{len(failed)} of {HISTORIES} histories failed; the first three:\n" + "\n".join(failed[:3])


def test_a_history_is_the_same_every_time_it_is_run() -> None:
    first, again = World(7), World(7)
    first.run()
    again.run()
    assert first.log.archive == again.log.archive
    assert first.store.sound == again.store.sound


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_the_core_is_noticed(processes: ProcessPoolExecutor, bug: str) -> None:
    assert processes.submit(first_failure_with, bug, range(HISTORIES_WITH_A_BUG)).result(), BUGS[bug].__doc__
