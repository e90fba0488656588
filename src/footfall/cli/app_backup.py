"""The commands about backups, their arguments and their help."""

from typing import Annotated

from cyclopts import Parameter

from footfall.cli.arguments import OWN, Data, Json, Place, Servers, switch, typed, whole

Target = Annotated[Place, Parameter(help="A directory, or s3://, gs:// or az:// with BUCKET/PREFIX.")]


def backup(
    target: Target,
    /,
    *,
    every: Annotated[float | None, Parameter(help="Go on until stopped: one backup every so many seconds.")] = None,
    keep: Annotated[
        int, Parameter(converter=whole, help="Keep the newest so many of this log and remove the others; 0: keep all.")
    ] = 0,
    data: Data = None,
    json: Json = False,
    servers: Servers = OWN,
) -> None:
    """Back up all counts, milestones and proofs, as of the last checkpoint, while nodes go on counting.

    The copy is read back and decoded before it counts as one. Object stores take their credentials from the
    environment, and need the extra footfall[objectstore].

    Example: `footfall backup backups --every 3600 --keep 24`
    """
    from footfall.cli.backup import run

    run(str(target), typed(data), servers, every, keep, json)


def backups(
    target: Target,
    /,
    *,
    verify: Annotated[bool, switch(help="Read each one whole, and decode it.")] = False,
    json: Json = False,
) -> int:
    """List the backups in a place, the newest first. Exits with 1 if one is damaged.

    Example: `footfall backups backups --verify`
    """
    from footfall.cli.backup import run_list

    return run_list(str(target), verify, json)


def restore(
    source: Target,
    /,
    *,
    backup: Annotated[str | None, Parameter(help="Name of the backup; by default the newest.")] = None,
    data: Annotated[
        Place | None,
        Parameter(env_var="FOOTFALL_DATA", metavar="DIR", help="Directory without a log; by default footfall-data."),
    ] = None,
    replicas: Annotated[
        int, Parameter(converter=whole, help="Copies of the log on a cluster; 0: 3 there, and 1 elsewhere.")
    ] = 0,
    log_bytes_max: Annotated[
        int | None, Parameter(converter=whole, help="Size at which the log refuses visits, as for serve.")
    ] = None,
    json: Json = False,
    servers: Servers = OWN,
) -> None:
    """Make a new log from a backup, to start nodes on. A log that exists is never touched.

    All of the backup is verified before anything is made. Counting goes on from it: what came later is lost,
    except what log files still hold and ingest brings back.

    Example: `footfall restore backups --data restored`
    """
    from footfall.cli.restore import run

    run(str(source), backup, typed(data), servers, replicas, log_bytes_max, json)
