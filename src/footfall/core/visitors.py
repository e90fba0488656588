"""Exact sets of 64-bit hashes: who has been seen. About 8 bytes a visitor, inserted a batch at a time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]

_EMPTY: Hashes = np.empty(0, np.uint64)
_SMALL_MAX = 4096
_MID_MIN = 32768  # runs below this are merged without looking at the main run


def hashes_of(texts: Sequence[str]) -> Hashes:
    """XXH3-64 of each text's UTF-8. Two of n visitors share one with probability about n**2 / 2**65."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(text.encode()) for text in texts), np.uint64, len(texts))


def _merge(one: Hashes, other: Hashes) -> Hashes:
    merged = np.concatenate((one, other))
    merged.sort(kind="stable")  # timsort: two sorted runs are one merge pass
    return merged


def _absent(run: Hashes, wanted: Hashes) -> npt.NDArray[np.bool_]:
    missing: npt.NDArray[np.bool_] = run.take(run.searchsorted(wanted), mode="clip") != wanted
    return missing


class HashSet:
    """A set of 64-bit hashes in three sorted runs, each merged into the next larger when it has grown.

    Runs are replaced, never changed, so that whoever holds them (a cut being written) keeps what he saw.
    """

    __slots__ = ("_runs", "added", "size")

    def __init__(self, hashes: Hashes = _EMPTY) -> None:
        """Take sorted distinct hashes."""
        self._runs = (hashes, _EMPTY, _EMPTY)
        self.size = len(hashes)
        self.added: list[Hashes] = []  # what came since someone last took it: a cut's next segment

    def __len__(self) -> int:
        return self.size

    def add(self, hashes: Hashes) -> int:
        """Insert hashes in any order, repeats allowed; returns how many were not in the set before."""
        fresh: Hashes = np.unique(hashes)
        for run in self._runs:
            if len(run) and len(fresh):
                fresh = fresh[_absent(run, fresh)]
        if not len(fresh):
            return 0
        self.size += len(fresh)
        self.added.append(fresh)
        main, mid, small = self._runs
        small = _merge(small, fresh) if len(small) else fresh
        if len(small) > _SMALL_MAX:
            mid, small = (_merge(mid, small) if len(mid) else small), _EMPTY
            if len(mid) > max(_MID_MIN, len(main) >> 3):
                main, mid = (_merge(main, mid) if len(main) else mid), _EMPTY
        self._runs = (main, mid, small)
        return len(fresh)

    def take_added(self) -> Hashes:
        """What came since the last call, sorted."""
        added, self.added = self.added, []
        if not added:
            return _EMPTY
        return added[0] if len(added) == 1 else np.sort(np.concatenate(added))

    def runs(self) -> tuple[Hashes, Hashes, Hashes]:
        """The whole set, to be merged where time allows."""
        return self._runs


def merged(runs: Sequence[Hashes]) -> Hashes:
    """All hashes of some disjoint runs, sorted."""
    whole: Hashes = np.concatenate(runs) if runs else _EMPTY
    whole.sort(kind="stable")
    return whole
