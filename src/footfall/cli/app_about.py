"""What the command line tells of itself."""

from typing import Annotated

from cyclopts import Group

from footfall.cli.arguments import switch

SESSION = Group("This command line", sort_key=90)


def version(*, json: Annotated[bool, switch(help="Print JSON, for machines.")] = False) -> None:
    """Tell the version; with --json of Python and of the nats-server that serve would start, too."""
    from footfall.cli.about import run

    run(json)
