"""Finds variables that look like settings and are none, and what was meant: they would be ignored in silence. Pure."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

PREFIX = "FOOTFALL_"
OTHERS = ("CA", "NATS_API", "NATS_SERVER", "TOKEN", "URL")  # of the other commands, of clients and of the engine
NEAR = 0.6  # from 0 to 1, how much a name must be like another

# Kubernetes tells every container of each Service in its namespace, by variables that begin with the Service's name.
_SERVICE = re.compile(r"_SERVICE_(HOST|PORT|PORT_\w+)|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


def unknown(environment: Mapping[str, str], settings: Iterable[str]) -> list[str]:
    """The variables that no part of Footfall takes, each with the nearest that one does, if there is one.

    Args:
        environment: Names and values.
        settings: The settings that may be given by a variable, as the code names them.
    """
    known = [*map(str.upper, settings), *OTHERS]
    return [
        name + meant(name.removeprefix(PREFIX), known, PREFIX)
        for name in sorted(environment.keys() - {PREFIX + one for one in known})
        if name.startswith(PREFIX) and not _of_a_service(name, environment[name])
    ]


def meant(name: str, known: Iterable[str], prefix: str = "") -> str:
    """`` (NAME?)``: of those that are known, the one that is most like a name; nothing if none is like it."""
    by_letters = {one.lower(): one for one in known}
    near = get_close_matches(name.lower().replace("-", "_"), by_letters, 1, NEAR)
    return f" ({prefix}{by_letters[near[0]]}?)" if near else ""


def _of_a_service(name: str, value: str) -> bool:
    return bool(_SERVICE.search(name)) or (name.endswith("_PORT") and bool(_SERVICE_URL.match(value)))
