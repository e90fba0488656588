"""Runs histories, and what is left to tell of those that fail; made to be called in other processes."""

import os
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from .bugs import BUGS
from .world import World


def failure_of(seed: int) -> str | None:
    """What went wrong in one history, with how to see it again; None if nothing did."""
    try:
        World(seed).run()
    except Exception:  # whatever it is, it is the finding
        return f"history {seed} (FOOTFALL_SEED={seed} replays it):\n{traceback.format_exc()}"
    return None


def failures(seeds: range) -> list[str]:
    """What went wrong in these histories."""
    return [failure for seed in seeds if (failure := failure_of(seed))]


def first_failure_with(bug: str, seeds: range) -> str | None:
    """The first failure after a bug was put into the core."""
    with pytest.MonkeyPatch.context() as patch:
        BUGS[bug](patch)
        return next((failure for seed in seeds if (failure := failure_of(seed))), None)


def pool() -> ProcessPoolExecutor:
    """A process for each core, started anew: they measure no coverage, and a bug put into one stays there."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
