"""Sees that no two processes have one name in one data directory: each would write over what the other remembers."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from footfall.errors import ConfigError, DataInUseError


@contextlib.contextmanager
def having_name(data: Path, node: str) -> Iterator[None]:
    """Have a node's name in a data directory, for as long as the block takes or the process lives.

    Raises:
        DataInUseError: Another process has it.
        ConfigError: The directory cannot be written.
    """
    path = data / f"node-{node}.lock"
    with contextlib.ExitStack() as stack:
        try:
            data.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a+"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise DataInUseError(
                f"node {node} runs on the data directory {data} already, as process {owner}: stop that one, or give "
                "this one another --node and another --data"
            ) from None
        except OSError as error:
            raise ConfigError(f"the data directory {data} cannot be used: {error}") from None
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
