"""Which files were named: patterns are expanded, and the oldest come first."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from footfall.cli.pipes import is_stream
from footfall.cli.wrong_use import meant_flag
from footfall.errors import ConfigError, InputError

FILES_MAX = 100_000  # as many sources as one partition of the log knows
_PATTERN = frozenset("*?[")


def expand(names: Sequence[str]) -> list[str]:
    """The files that these names and patterns stand for, the one that was written to longest ago first, each once.

    A visit takes its place in the order of the log when it is counted: so older ones come first.

    Args:
        names: Names of files, or patterns such as ``/var/log/nginx/access.log*``; a file of that very name comes first.

    Raises:
        InputError: A pattern stands for no file, or all together for too many.
        ConfigError: Standard input is named beside files.
    """
    if any(is_stream(name) for name in names):
        if len(names) > 1:
            raise ConfigError("standard input and pipes are read alone: name them in a run of their own")
        return list(names)
    found: dict[tuple[int, int] | str, str] = {}
    for name in names:
        if (meant := meant_flag(name)) and not os.path.lexists(name):
            raise ConfigError(f"there is no file {name}{meant}")
        for path in _matching(name):
            found.setdefault(_identity(path), path)
            if len(found) > FILES_MAX:
                raise InputError(f"{name} stands for more than {FILES_MAX:,} files: name fewer at a time")
    return sorted(found.values(), key=_age) if len(found) > 1 else list(found.values())


def _matching(name: str) -> list[str]:
    if os.path.lexists(name) or not _PATTERN & set(name):
        return [name]
    found = glob.glob(name, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    found = [path for path in sorted(found) if not Path(path).is_dir()]
    if not found:
        raise InputError(f"no file is named as in {name!r}")
    return found


def _identity(path: str) -> tuple[int, int] | str:
    """One file may have several names."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # what is wrong with it is said when it is opened
        return path
    return status.st_dev, status.st_ino


def _age(path: str) -> tuple[float, str]:
    try:
        return Path(path).stat().st_mtime, path
    except (OSError, ValueError):
        return 0.0, path
