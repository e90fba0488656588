"""``footfall serve``: one node in this process, or several in processes of their own."""

import logging
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping

from footfall.cli.naming import NAMES
from footfall.cli.variables import unknown
from footfall.config import Config

logger = logging.getLogger(__name__)


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
    _tell_ignored(config, nodes)
    if nodes == 1:
        from footfall.web.process import run_node

        run_node(config, ready)
    else:
        from footfall.web.supervisor import run

        run(config, nodes, ready)


def _tell_ignored(config: Config, nodes: int) -> None:
    """Warn of variables that were meant as settings; in the form that all lines on stderr have."""
    if found := unknown(os.environ, NAMES.settings):
        from footfall.node.node import name_of
        from footfall.web.logs import log_to_stderr

        log_to_stderr(config.log_format, config.log_level, name_of(config) if nodes == 1 else "")
        logger.warning(
            "no setting has these names, and they are ignored: %s; footfall serve --help lists all", ", ".join(found)
        )


def show(url: str) -> None:
    """Open the dashboard, and say where it is: there may be no browser."""
    print(f"the dashboard is at {url}", flush=True)
    if has_screen(sys.platform, os.environ):  # a browser in the terminal would take it from us
        threading.Thread(target=webbrowser.open, args=(url,), name="browser", daemon=True).start()


def has_screen(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser can open a window; a BROWSER that is named can, for whoever named it."""
    return platform == "darwin" or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
