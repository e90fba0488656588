"""The types as a user's checker sees them: right uses pass under mypy --strict, and each wrong one is found."""

import re
import sys
from pathlib import Path

from mypy import api

import footfall

USER = Path(__file__).parent / "user.py"
ROOT = Path(__file__).parents[3]


def test_a_users_program_is_checked_strictly() -> None:
    cache = str(ROOT / ".mypy_cache" / "user")
    options = [
        "--strict",
        "--config-file",
        "",
        "--cache-dir",
        cache,
        "--follow-imports",
        "silent",
        "--no-error-summary",
    ]
    said, broken, _ = api.run([*options, "--python-executable", sys.executable, str(USER)])
    assert not broken
    found = {int(line) for line in re.findall(r"user\.py:(\d+): error", said)}
    wrong = {number for number, line in enumerate(USER.read_text().splitlines(), 1) if line.endswith("# WRONG")}
    assert found == wrong, said


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(footfall.__file__).parent / "py.typed").exists()
