"""Golden files: bytes that are in people's logs and checkpoints, and so must not change unnoticed.

Where a change is meant, write them anew with ``FOOTFALL_GOLDEN=write pytest tests/unit/core``, and read the diff.
"""

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
BYTES_PER_LINE = 32
WRITE = os.environ.get("FOOTFALL_GOLDEN") == "write"


def golden(name: str, data: bytes) -> bytes:
    """The bytes of the golden file, which ``data`` must equal."""
    path = FOLDER / f"{name}.hex"
    lines = [data[at : at + BYTES_PER_LINE].hex(" ") for at in range(0, len(data), BYTES_PER_LINE)]
    text = "\n".join(lines) + "\n"
    if WRITE:
        path.write_text(text)
    expected = path.read_text() if path.exists() else "(no such file)"
    assert text == expected, (
        f"the bytes of {name} are not those of {path}: logs and checkpoints that exist would be read wrongly or not "
        "at all. If the change is meant, raise the version in the message's tag, describe it in docs/log-format.md, "
        "and write the file anew with FOOTFALL_GOLDEN=write"
    )
    return bytes.fromhex(expected)


def golden_text(name: str, text: str) -> None:
    """Compare a story with the one that is kept as ``name``."""
    path = FOLDER / name
    if WRITE:
        path.write_text(text)
    expected = path.read_text() if path.exists() else "(no such file)\n"
    changes = difflib.unified_diff(expected.splitlines(), text.splitlines(), "kept", "now", lineterm="")
    assert text == expected, f"{name} tells another story; read it, and if it is meant, keep it:\n" + "\n".join(changes)


def kept(name: str) -> bytes:
    """The bytes of a golden file that no version writes any more."""
    return bytes.fromhex((FOLDER / f"{name}.hex").read_text())
