"""Keeps the columns of counts, the largest blocks of a process, out of the heap that everything else shares."""

import ctypes
import sys

M_MMAP_THRESHOLD = -3
BLOCK_BYTES_MIN = 512 * 1024  # above the log's messages, which come and go


def keep_columns_apart() -> None:
    """Let the C library map each large block by itself, which grows without a copy and leaves no hole behind.

    Left alone, glibc moves such blocks into its heap once the first was freed. At 1,000,000 counters the holes that
    growing columns leave there take 60 bytes a counter. Where there is no glibc, nothing happens.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES_MIN)
