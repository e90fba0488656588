"""Idempotency keys seen lately: which retries of clients must not count again."""

from collections import deque
from collections.abc import Iterable

import xxhash

WINDOW_EPOCHS = 60  # about 10 minutes at one cut every 10 s
KEY_DIGEST_BYTES = 16


def remembered_s(epoch_s: float) -> float:
    """For how long a key is remembered at least, where epochs last so long: the one in which it came is nearly over."""
    return (WINDOW_EPOCHS - 1) * epoch_s


def key_digest(counter: str, key: str) -> bytes:
    """XXH3-128 of a counter's name and a key: among 10**9 keys two are the same with probability 10**-21."""
    return xxhash.xxh3_128_digest(f"{counter}\0{key}".encode())


class KeyWindow:
    """The keys of the present epoch and of the 59 before it.

    A closed epoch's keys are one immutable byte string, so that a cut writes each only once.
    """

    __slots__ = ("_open", "_seen", "closed")

    def __init__(self, closed: Iterable[tuple[int, bytes]] = ()) -> None:
        self.closed: deque[tuple[int, bytes]] = deque(closed)  # (epoch, digests), oldest first
        self._open: list[bytes] = []
        self._seen = {digest for _, digests in self.closed for digest in split(digests)}

    def __len__(self) -> int:
        return len(self._seen)

    def first(self, digest: bytes) -> bool:
        """Whether this key comes for the first time in the window; it is remembered."""
        if digest in self._seen:
            return False
        self._seen.add(digest)
        self._open.append(digest)
        return True

    def tick(self, epoch: int) -> None:
        """Close the present epoch; ``epoch`` begins, and what is older than the window is forgotten."""
        if self._open:
            self.closed.append((epoch - 1, b"".join(self._open)))
            self._open = []
        while self.closed and self.closed[0][0] <= epoch - WINDOW_EPOCHS:
            self._seen.difference_update(split(self.closed.popleft()[1]))

    def segments(self) -> tuple[tuple[int, bytes], ...]:
        """All keys by epoch. The present one has none just after a tick, which is where cuts are taken."""
        return (*self.closed, (-1, b"".join(self._open))) if self._open else tuple(self.closed)


def split(digests: bytes) -> Iterable[bytes]:
    """The digests of one closed epoch."""
    return (digests[at : at + KEY_DIGEST_BYTES] for at in range(0, len(digests), KEY_DIGEST_BYTES))
