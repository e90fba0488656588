"""Sees that no two processes have one name in one data directory: each would write over what the other remembers."""

import contextlib
import fcntl
import logging
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from footfall.errors import ConfigError, DataInUseError

logger = logging.getLogger(__name__)


def take_name(data: Path, node: str) -> IO[str]:
    """Take a node's name in a data directory, until what is returned is closed, or the process ends.

    Args:
        data: The directory; made if there is none.
        node: The name. Empty, if the node was given none: it is called by its port then, which nobody else has.

    Raises:
        DataInUseError: Another process has it.
        ConfigError: The directory cannot be written.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        file: IO[str] = (data / f"node-{node}.lock").open("a+") if node else _unnamed(data)
    except OSError as error:
        raise ConfigError(f"the data directory {data} cannot be used: {error}") from None
    if not node:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the latter is NFS's word for it
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise DataInUseError(
            f"node {node} runs on the data directory {data} already, as process {owner}: stop that one, or give "
            "this one another --node and another --data"
        ) from None
    except OSError as error:  # a share without locks: nodes count there all the same, and tell of a rival they hear
        logger.warning("%s has no locks (%s): see that no two processes have one --node and one --data", data, error)
    with contextlib.suppress(OSError):  # on a full disk it goes without: it is for messages alone
        file.truncate(0)
        os.write(file.fileno(), b"%d\n" % os.getpid())
    return file


def _unnamed(data: Path) -> IO[str]:
    return TemporaryFile("a+", dir=data)
