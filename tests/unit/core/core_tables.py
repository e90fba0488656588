"""Rows of tables as arrays."""

from typing import Any

import numpy as np

from footfall.core.table import Table

PARTITIONS = 3
COUNTERS = 6
ENTRY_MAX = 2**63 - 1


def numbers_of(rows: Any) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array(list(rows), np.int32)


def entries_of(rows: dict[int, list[int]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(list(rows.values()), np.int64).reshape(len(rows), PARTITIONS)


def merge(table: Table, rows: dict[int, list[int]], sequences: list[int] | None = None) -> None:
    """Merge vectors, by counter."""
    table.merge(numbers_of(rows), entries_of(rows), sequences or [])
