"""``footfall serve``: one node in this process, or several in processes of their own."""

import contextlib
import logging
import os
import stat
import sys
import threading
import webbrowser
from collections.abc import Iterable, Mapping
from pathlib import Path

from footfall.cli.naming import NAMES
from footfall.cli.settings import Tuning
from footfall.cli.variables import unknown
from footfall.config import Config

logger = logging.getLogger(__name__)

SECRETS = ("secret_file", "tls_key", "nats_key", "nats_creds", "nats_nkey")  # files; that of tokens warns by itself


def serve(config: Config, nodes: int, open_: bool = False) -> None:
    """Run until stopped.

    Args:
        config: The settings of all nodes.
        nodes: How many.
        open_: Whether to show the dashboard in a browser when they are ready.

    Raises:
        FootfallError: They cannot start.
    """
    ready = show if open_ else None
    if nodes == 1:
        from footfall.web.process import run_node

        run_node(config, ready)
    else:
        from footfall.web.supervisor import run

        run(config, nodes, ready)


def warn(config: Config, nodes: int, tuning: Tuning | None) -> None:
    """Warn of variables that were meant as settings, and of secrets that everyone can read.

    Args:
        config: The settings of all nodes, which say in what form lines on stderr are.
        nodes: How many.
        tuning: What was given.
    """
    warnings = readable_by_all([path for name in SECRETS if (path := getattr(tuning, name, None))])
    if found := unknown(os.environ, NAMES.settings):
        named = ", ".join(found)
        warnings.append(f"no setting has these names, and they are ignored: {named}; footfall serve --help lists all")
    if warnings:
        from footfall.node.node import name_of
        from footfall.web.logs import log_to_stderr

        log_to_stderr(config.log_format, config.log_level, name_of(config) if nodes == 1 else "")
        for warning in warnings:
            logger.warning("%s", warning)


def readable_by_all(paths: Iterable[str]) -> list[str]:
    """What to say of the files that every user of the machine can read."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # whoever reads it tells
            mode = stat.S_IMODE(Path(path).stat().st_mode)
            if mode & stat.S_IROTH:
                found.append(f"{path} has mode {mode:04o}: every user of this machine can read it; chmod o-r")
    return found


def show(url: str) -> None:
    """Open the dashboard, and say where it is: there may be no browser."""
    print(f"the dashboard is at {url}", flush=True)
    if has_screen(sys.platform, os.environ):  # a browser in the terminal would take it from us
        threading.Thread(target=webbrowser.open, args=(url,), name="browser", daemon=True).start()


def has_screen(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser can open a window; a BROWSER that is named can, for whoever named it."""
    return platform == "darwin" or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
