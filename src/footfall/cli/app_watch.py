"""The commands that show how things are, their arguments and their help."""

from typing import Annotated

from footfall.cli.arguments import HERE, Where, switch


def top(
    *,
    once: Annotated[bool, switch(help="Show it once and end, as it does where the output is no terminal.")] = False,
    json: Annotated[bool, switch(help="Print it once, in JSON.")] = False,
    where: Where = HERE,
) -> None:
    """Watch nodes, counters, milestones, log and spool, live. Ends with q.

    Example: `footfall top --once`
    """
    from footfall.cli.top import run

    run(where, once, json)


def version(*, json: Annotated[bool, switch(help="Print JSON, for machines.")] = False) -> None:
    """Show the version; with --json also those of Python and of the nats-server that serve would start."""
    from footfall.cli.about import run

    run(json)
