"""The commands about milestones and imports, their arguments and their help."""

from typing import Annotated

from cyclopts import App, Parameter

from footfall.cli.arguments import HERE, NAME, Counter, Json, Where, counters_there, switch, whole

N = Annotated[int, Parameter(converter=whole, help="Which visit: the N-th, in digits.")]

milestone = App(name="milestone", help="Name the N-th visit of a counter: set it, watch it, and claim it.", group=NAME)


@milestone.command
def add(counter: Counter, n: N, /, *, json: Json = False, where: Where = HERE) -> None:
    """Set a milestone: the counter's N-th visit will be named. It must not have come yet.

    Example: `footfall milestone add raffle 1000000`
    """
    from footfall.cli.milestones import add as run

    run(where, counter, n, json)


@milestone.command
def show(
    counter: Counter,
    n: N,
    /,
    *,
    wait: Annotated[bool, switch(help="Wait until it is reached.")] = False,
    timeout: Annotated[float | None, Parameter(help="Wait no longer than so many seconds.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Show how far a milestone is, and its winner.

    Example: `footfall milestone show raffle 1000000 --wait`
    """
    from footfall.cli.milestones import show as run

    run(where, counter, n, wait, timeout, json)


@milestone.command(name="list", usage="Usage: footfall milestone list [OPTIONS] [COUNTER]")
def list_(
    counter: Annotated[str | None, Parameter(help="Only this counter's.", completer=counters_there)] = None,
    /,
    *,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """List milestones.

    Example: `footfall milestone list raffle`
    """
    from footfall.cli.milestones import list_milestones as run

    run(where, counter, json)


@milestone.command
def claim(
    counter: Counter,
    n: N,
    receipt: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="What the visit was answered with, or its long idempotency key.")
    ],
    /,
    *,
    key: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="Idempotency key of this claim: with the same one it may be made again. Keep it secret.",
        ),
    ] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Show the winner's receipt. It is accepted once.

    Example: `footfall milestone claim raffle 1000000 8JcZyYQm2VtR4sWk1nHx0a`
    """
    from footfall.cli.milestones import claim as run

    run(where, counter, n, receipt, key, json)


def import_(
    counter: Counter,
    value: Annotated[int, Parameter(converter=whole, help="How many visits, or visitors, were counted before.")],
    /,
    *,
    note: Annotated[str, Parameter(help="What a person should know of it, such as where it was counted.")],
    source: Annotated[
        str | None, Parameter(help="What was counted there; each source is imported once. By default the counter.")
    ] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Take over a count from before. Doing it again adds nothing.

    Example: `footfall import shop 5000 --note "counted by the old site until May"`
    """
    from footfall.cli.milestones import import_count as run

    run(where, counter, value, note, source if source is not None else counter, json)
