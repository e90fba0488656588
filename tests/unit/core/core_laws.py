"""Property tests that a slow machine cannot fail: bounded by examples, never by the clock."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings

EXAMPLES = 40  # so that all laws of the core are tried in well under half a minute


def law(*strategies: Any, examples: int = EXAMPLES, **named: Any) -> Callable[[Any], Any]:
    """A law, tried on so many generated examples."""
    bounds = settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    return lambda test: bounds(given(*strategies, **named)(test))
