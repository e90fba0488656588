"""Writes small files whole: after a crash or a loss of power a file is what it was, or what was written; never between.

Bytes are synced before they get their name, and the directory after it, or the name could outlive the bytes, or be
lost though the caller was told that it is there.
"""

import contextlib
import os
from pathlib import Path


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of one that may be there. Raises OSError: then the old one may still be there.

    What a crash leaves half-written is overwritten the next time. Two writers at once are the caller's to prevent.
    """
    made = path.with_name(f"{path.name}.new")
    _write(made, data, mode)
    os.replace(made, path)  # noqa: PTH105 - each call here is one that may be the last: tests stop at every one
    sync_directory(path.parent)


def create(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make a file, unless there is one: of several that do it at once, one wins. Raises OSError."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    _write(made, data, mode)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        sync_directory(path.parent)  # also for the one who lost: he relies on it as well
    finally:
        os.unlink(made)  # noqa: PTH108


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """See that the names in a directory outlive a loss of power. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
