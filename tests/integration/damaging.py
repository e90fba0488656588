"""Damages what a nats-server keeps on disk, as disks and people do, while no server runs on it."""

import shutil
import struct
from pathlib import Path

HEADERS = 1 << 31  # in a record's length: it has headers


def blocks(store: Path, stream: str) -> list[Path]:
    """The files that hold a stream's messages, oldest first."""
    found = store.rglob(f"streams/{stream}/msgs/*.blk")
    return sorted(found, key=lambda path: int(path.stem))


def records(block: Path) -> list[int]:
    """Where in a block the records of its messages begin."""
    data, at, found = block.read_bytes(), 0, []
    while at + 4 <= len(data):
        found.append(at)
        at += struct.unpack_from("<I", data, at)[0] & ~HEADERS
    return found


def flip(path: Path, at: int, bit: int = 2) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def flip_header(store: Path, stream: str, share: float = 0.5) -> None:
    """Change one bit of a record's header: the server cuts the stream off there when it starts."""
    block = blocks(store, stream)[-1]
    begins = records(block)
    flip(block, begins[int(len(begins) * share)] + 1)
    forget_index(store, stream)


def cut_off(store: Path, stream: str, share: float = 0.5) -> None:
    """Cut a stream's last block off in the middle of a record."""
    block = blocks(store, stream)[-1]
    begins = records(block)
    with block.open("r+b") as file:
        file.truncate(begins[int(len(begins) * share)] + 10)
    forget_index(store, stream)


def forget_index(store: Path, stream: str) -> None:
    """Remove the server's index of the blocks: it reads them anew, as if it were older than they are."""
    for index in store.rglob(f"streams/{stream}/msgs/index.db"):
        index.unlink()


def put_back(store: Path, older: Path) -> None:
    """Put an older copy of everything in the place of what is there."""
    shutil.rmtree(store)
    shutil.copytree(older, store)
