"""Runs histories, and what is left to tell of those that fail; made to be called in other processes."""

import contextlib
import logging
import os
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from .bugs import BUGS
from .real_world import RealWorld
from .shell_bugs import SHELL_BUGS
from .world import World

WORLDS: dict[str, type[World | RealWorld]] = {"core": World, "nodes": RealWorld}


def failure_of(kind: str, seed: int) -> str | None:
    """What went wrong in one history, with how to see it again; None if nothing did."""
    logging.disable(logging.CRITICAL)  # what goes wrong on purpose would fill the screen
    try:
        WORLDS[kind](seed).run()
    except Exception:  # whatever it is, it is the finding
        return f"history {seed} of {kind} (FOOTFALL_SEED={seed} replays it):\n{traceback.format_exc()}"
    return None


def failures(kind: str, seeds: range) -> list[str]:
    """What went wrong in these histories."""
    return [failure for seed in seeds if (failure := failure_of(kind, seed))]


def first_failure_with(kind: str, bug: str, seeds: Sequence[int]) -> str | None:
    """The first failure after a bug was put in."""
    with pytest.MonkeyPatch.context() as patch:
        {**BUGS, **SHELL_BUGS}[bug](patch)
        return next((failure for seed in seeds if (failure := failure_of(kind, seed))), None)


@contextlib.contextmanager
def pool() -> Iterator[ProcessPoolExecutor]:
    """A process for each core, started anew: they measure no coverage, and order their sets alike."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "0")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as running:
            yield running
