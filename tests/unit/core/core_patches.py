"""Limits made small, so that a few messages reach them."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest


@contextmanager
def patched(module: ModuleType, **constants: int) -> Iterator[None]:
    """The module with these constants; usable where hypothesis forbids the fixture."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            patch.setattr(module, name, value)
        yield
