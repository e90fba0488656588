"""Thousands of faulty histories keep invariants 1 to 7, and a program with a bug in it does not.

FOOTFALL_SEED=<seed> replays one history; FOOTFALL_HISTORIES=<number> runs another number of them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from .bugs import BUGS
from .histories import failures, first_failure_with, pool
from .shell_bugs import SHELL_BUGS
from .world import World

HISTORIES = int(os.environ.get("FOOTFALL_HISTORIES", "2000"))
REAL_HISTORIES = max(HISTORIES // 100, 1)  # each takes a second
WITH_A_BUG_MAX = 2000  # histories of which one must fail
REAL_WITH_A_BUG_MAX = 150
# Bugs that few histories show, and one that does. It is tried first; if it does not any more, all are.
SHOWN_BY = {"mixes_copies": 75, "trusts_blobs": 267, "takes_known_visitors": 264, "drops_cuts_that_are_needed": 259}
EACH = 50  # histories that a process runs at a time


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with pool() as running:
        yield running


def seeds(count: int, each: int) -> list[range]:
    """All that are to be run, in parts; or the one that was asked for."""
    if seed := os.environ.get("FOOTFALL_SEED"):
        return [range(int(seed), int(seed) + 1)]
    return [range(start, min(start + each, count)) for start in range(0, count, each)]


def check(processes: ProcessPoolExecutor, kind: str, parts: list[range]) -> None:
    failed = [f for part in processes.map(failures, [kind] * len(parts), parts) for f in part]
    assert not failed, f"{len(failed)} histories failed; the first three:\n" + "\n".join(failed[:3])


def test_histories_of_the_core_keep_the_invariants(processes: ProcessPoolExecutor) -> None:
    check(processes, "core", seeds(HISTORIES, EACH))


def test_histories_of_real_nodes_keep_the_invariants(processes: ProcessPoolExecutor) -> None:
    check(processes, "nodes", seeds(REAL_HISTORIES, 1))


def test_a_history_is_the_same_every_time_it_is_run() -> None:
    first, again = World(7), World(7)
    first.run()
    again.run()
    assert first.log.archive == again.log.archive
    assert first.store.sound == again.store.sound


@pytest.fixture(scope="module")
def found(processes: ProcessPoolExecutor) -> dict[str, Future[str | None]]:
    """What each bug leads to; all are looked for side by side."""
    worlds = [("core", BUGS, WITH_A_BUG_MAX), ("nodes", SHELL_BUGS, REAL_WITH_A_BUG_MAX)]
    return {
        bug: processes.submit(first_failure_with, kind, bug, [*filter(None, [SHOWN_BY.get(bug)]), *range(histories)])
        for kind, bugs, histories in worlds
        for bug in bugs
    }


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_the_core_is_noticed(found: dict[str, Future[str | None]], bug: str) -> None:
    assert found[bug].result(), BUGS[bug].__doc__


@pytest.mark.parametrize("bug", SHELL_BUGS)
def test_a_bug_in_the_nodes_is_noticed(found: dict[str, Future[str | None]], bug: str) -> None:
    assert found[bug].result(), SHELL_BUGS[bug].__doc__
