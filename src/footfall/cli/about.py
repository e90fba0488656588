"""``footfall --version``: what is installed here."""

import platform
from importlib.metadata import version

from footfall.cli import output
from footfall.errors import SetupError
from footfall.log.binary import find_binary, version_of


def run(json: bool) -> None:
    """Print the version, alone or with those of what it runs on."""
    own = version("footfall")
    if json:
        output.print_json({"footfall": own, "python": platform.python_version(), "nats_server": nats_server()})
    else:
        print(own)


def nats_server() -> str | None:
    """The version of the nats-server that a node with a log of its own would start; None if there is none."""
    try:
        return ".".join(map(str, version_of(find_binary())))
    except SetupError:
        return None
