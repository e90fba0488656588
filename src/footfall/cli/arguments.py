"""Arguments that several commands take, and how their values are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter, Token
from cyclopts.completion import CompletionContext

from footfall.client.access import URL

Place = str | Path  # what is typed, and never a Path: that tells shells to complete the names of files
switch = partial(Parameter, negative="", show_default=False)  # a flag: one that is not given need not be told
file = partial(Parameter, metavar="FILE")
RUN = Group("Run", sort_key=1)
COUNT = Group("Count", sort_key=2)
LOOK = Group("Look", sort_key=3)
NAME = Group("Name the N-th", sort_key=4)
KEEP = Group("Keep and examine", sort_key=5)
SESSION = Group("This command line", sort_key=6)

DIGITS_MAX = 40  # no number here is as long, and a message shows no more of one


def whole(kind: Any, tokens: Sequence[Token]) -> int:
    """A whole number in digits: cyclopts itself would round 1.5, and counting 2 for it is wrong; int() reads 1_0."""
    text = tokens[0].value
    if not (text.removeprefix("-").isdigit() and text.isascii() and len(text) <= DIGITS_MAX):
        raise ValueError(f"{text[:DIGITS_MAX]!r} is not a whole number in digits alone")
    return int(text)


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """The node that a command talks to, and how."""

    url: Annotated[str, Parameter(env_var="FOOTFALL_URL", metavar="URL", help="The node to talk to.")] = URL
    token: Annotated[
        str | None,
        Parameter(
            env_var="FOOTFALL_TOKEN",
            metavar="SECRET",
            help="Token for the node. Others can see a flag: use the variable.",
        ),
    ] = None
    ca: Annotated[
        Place | None,
        file(
            env_var="FOOTFALL_CA",
            help="PEM file: the authority that signed the node's certificate, unless it is a public one.",
        ),
    ] = None


HERE = Where()


@Parameter(name="*")
@dataclass(frozen=True)
class Servers:
    """The nats-servers that a command talks to, and how; without them it is the log in a data directory."""

    nats: Annotated[
        tuple[str, ...],
        switch(
            env_var="FOOTFALL_NATS",
            help="nats://HOST:PORT,... of the cluster, or tls://.",
        ),
    ] = ()
    nats_ca: Annotated[Place | None, file(env_var="FOOTFALL_NATS_CA", help="As for serve.")] = None
    nats_cert: Annotated[Place | None, file(env_var="FOOTFALL_NATS_CERT", help="As for serve.")] = None
    nats_key: Annotated[Place | None, file(env_var="FOOTFALL_NATS_KEY", help="As for serve.")] = None
    nats_creds: Annotated[Place | None, file(env_var="FOOTFALL_NATS_CREDS", help="As for serve.")] = None
    nats_nkey: Annotated[Place | None, file(env_var="FOOTFALL_NATS_NKEY", help="As for serve.")] = None
    nats_api: Annotated[
        str | None,
        Parameter(env_var="FOOTFALL_NATS_API", help="Where an account that may only read has JetStream's API."),
    ] = None


OWN = Servers()

Data = Annotated[
    Place | None,
    Parameter(
        env_var="FOOTFALL_DATA",
        metavar="DIR",
        help="Directory that serve keeps everything in; by default footfall-data.",
    ),
]


def typed(place: Place | None) -> str | None:
    """What was typed for it."""
    return None if place is None else str(place)


def counters_there(context: CompletionContext) -> list[str]:
    """The counters that a name may become, for a shell that asks."""
    from footfall.cli.completion import counters_there as found

    return found(context)


Json = Annotated[bool, switch(help="Print JSON, for machines.")]
Counter = Annotated[str, Parameter(help="Name of a counter, such as google.gmail.", completer=counters_there)]
