"""The commands, their arguments and their help. What they do is imported when they run: start-up stays quick."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.config import Env

from footfall.cli.app_backup import backup, backups, restore
from footfall.cli.app_ingest import ingest
from footfall.cli.app_milestones import import_, milestone
from footfall.cli.app_watch import top, version
from footfall.cli.arguments import (
    COUNT,
    HERE,
    KEEP,
    LOOK,
    NAME,
    OWN,
    RUN,
    SESSION,
    Counter,
    Data,
    Json,
    Place,
    Servers,
    Where,
    counters_there,
    switch,
    typed,
    whole,
)
from footfall.cli.settings import Tuning, config_file

app = App(
    name="footfall",
    help="Counts every visitor of every site, together and apart, on one machine or many.",
    version_flags=(),
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
app.command(version, name="--version", group=SESSION)
app["--help"].group = SESSION
app.command(ingest, group=COUNT, usage="Usage: footfall ingest [OPTIONS] FILE...")
app.command(import_, name="import", group=COUNT)
app.command(top, group=LOOK)
app.command(milestone)
app.command(backup, group=KEEP)
app.command(backups, group=KEEP)
app.command(restore, group=KEEP)


# Flags stand over FOOTFALL_* variables, and these over the file that --config names. For serve alone: FOOTFALL_DATA is
# not meant for the demo, which would fill it.
@app.command(config=[Env("FOOTFALL_", command=False), config_file], group=RUN)
def serve(
    *,
    data: Annotated[
        Place, Parameter(metavar="DIR", help="Directory for everything that the node keeps.")
    ] = "footfall-data",
    http: Annotated[str, Parameter(help="HOST:PORT to listen at; other than loopback only with tokens.")] = (
        "127.0.0.1:8080"
    ),
    nodes: Annotated[int, Parameter(converter=whole, help="Processes on this machine, at consecutive ports.")] = 1,
    nats: Annotated[
        tuple[str, ...],
        switch(
            help="nats://HOST:PORT,... of a cluster; without it the embedded engine runs.",
        ),
    ] = (),
    topology: Annotated[
        Literal["replicated", "sharded"], Parameter(help="Counts are pushed to every node, or pulled at intervals.")
    ] = "replicated",
    partitions: Annotated[int, Parameter(converter=whole, help="Parts of the log; fixed when it is made.")] = 16,
    config: Annotated[Place | None, Parameter(metavar="FILE", help="TOML file with any of these settings.")] = None,
    open: Annotated[  # noqa: A002 - it is the flag's name
        bool, switch(help="Show the dashboard in a browser when the node is ready.")
    ] = False,
    tuning: Tuning | None = None,
) -> None:
    """Run a node, or several, until stopped.

    Example: `footfall serve --nodes 3 --data counts`
    """
    from footfall.cli.serve import serve as run
    from footfall.cli.serve import warn
    from footfall.cli.settings import to_config

    settings = to_config(str(data), http, nats, topology, partitions, tuning)
    warn(settings, nodes, tuning)
    run(settings, nodes, open)


@app.command(group=RUN)
def demo(
    *,
    to: Annotated[int, Parameter(converter=whole, help="The milestone on the sum of all sites.")] = 1_000_000,
    rate: Annotated[float, Parameter(help="Visits a second.")] = 60_000.0,
    start: Annotated[
        int, Parameter(converter=whole, help="A count from before, imported first: to show a large count honestly.")
    ] = 0,
    topology: Annotated[Literal["replicated", "sharded"], Parameter(help="As for serve.")] = "replicated",
    data: Annotated[
        Place | None, Parameter(metavar="DIR", help="Keep the data here; otherwise it is thrown away at the end.")
    ] = None,
    kill: Annotated[
        bool,
        switch(help="End the node that judges with kill -9, just before the milestone."),
    ] = False,
) -> int:
    """Watch a raffle: three nodes count visits to three sites, and name exactly the N-th visitor.

    Two milestones, one on all sites together and one on a site. At the end: who won, whether an audit of the log in
    another process finds the same, and whether every node counted exactly.

    Example: `footfall demo --to 100000 --kill`
    """
    from footfall.cli.demo import Wishes, run

    return run(Wishes(to, start, rate, kill), topology, typed(data))


@app.command(group=COUNT)
def hit(
    counter: Counter,
    /,
    *,
    visitor: Annotated[str | None, Parameter(help="Who came.")] = None,
    count: Annotated[int, Parameter(converter=whole, help="How many visits.")] = 1,
    key: Annotated[
        str | None, Parameter(help="Idempotency key: a visit with the same one does not count again.")
    ] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Count one visit, or several: it is done when they are on disk.

    Example: `footfall hit google.gmail --visitor 203.0.113.7`
    """
    from footfall.cli.queries import hit as run

    run(where, counter, visitor, count, key, json)


@app.command(group=LOOK)
def read(
    counter: Counter,
    /,
    *,
    exact: Annotated[bool, switch(help="Ask for the exact count of this moment.")] = False,
    watch: Annotated[bool, switch(help="Go on, and show every change.")] = False,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Read a counter.

    Example: `footfall read google --watch`
    """
    from footfall.cli.queries import read as run

    run(where, counter, exact, watch, json)


@app.command(group=LOOK, usage="Usage: footfall counters [OPTIONS] [PREFIX]")
def counters(
    prefix: Annotated[str, Parameter(help="Only this counter and those below it.", completer=counters_there)] = "",
    /,
    *,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """List counters.

    Example: `footfall counters google`
    """
    from footfall.cli.queries import counters as run

    run(where, prefix, json)


@app.command(group=COUNT)
def define(
    counter: Counter,
    /,
    *,
    unit: Annotated[Literal["visits", "visitors"], Parameter(help="Count every visit, or each visitor once.")],
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Define a counter, for ever.

    Example: `footfall define readers --unit visitors`
    """
    from footfall.cli.queries import define as run

    run(where, counter, unit, json)


@app.command(group=NAME)
def audit(
    counter: Counter,
    n: Annotated[int, Parameter(converter=whole, help="Whose visit it is: the N-th.")],
    /,
    *,
    data: Data = None,
    secret: Annotated[
        str | None,
        Parameter(env_var="FOOTFALL_SECRET", help="Keys the receipts; by default the one in the data directory."),
    ] = None,
    json: Json = False,
    servers: Servers = OWN,
) -> int:
    """Derive a milestone's winner again, from the log alone, and compare it with what was announced.

    It asks no node. Without the secret everything but the receipt is checked.

    Example: `footfall audit raffle 1000000 --data footfall-data`
    """
    from footfall.cli.audit import run

    return run(counter, n, typed(data), servers, secret, json)


@app.command(group=LOOK)
def nodes(*, json: Json = False, where: Where = HERE) -> None:
    """List the nodes, and what each of them counts.

    Example: `footfall nodes`
    """
    from footfall.cli.queries import nodes as run

    run(where, json)


@app.command(group=KEEP)
def doctor(
    *,
    data: Data = None,
    monitor: Annotated[
        tuple[str, ...],
        switch(
            help="http://HOST:8222 of each server: tells whether it syncs before it acknowledges.",
        ),
    ] = (),
    deep: Annotated[bool, switch(help="Also count the log above the newest cut once more.")] = False,
    json: Json = False,
    servers: Servers = OWN,
) -> int:
    """Examine a data directory and its log: what is wrong, and what to do. Nothing is changed.

    If no engine runs on the directory, one is started for the examination. Exit code 1 if something is wrong.

    Example: `footfall doctor --data footfall-data`
    """
    from footfall.cli.doctor import run

    return run(typed(data), servers, monitor, deep, json)


@app.command(name="--install-completion", group=SESSION, usage="Usage: footfall --install-completion [OPTIONS] [SHELL]")
def install_completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"] | None, Parameter(help="The shell; by default the one that this is run from.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        Parameter(
            alias="-o", metavar="FILE", help="Write its script there, and nothing else; by default where it looks."
        ),
    ] = None,
) -> None:
    """Complete commands, flags and the names of counters in this shell: bash, zsh or fish.

    Example: `footfall --install-completion zsh`
    """
    from footfall.cli.completion import install

    install(app, shell, output)
