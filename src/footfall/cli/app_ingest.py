"""``footfall ingest``: its arguments and their help."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from footfall.cli.arguments import HERE, Json, Place, Where, switch, whole
from footfall.naming import NAMES_MAX

FORMATS = Literal[
    "auto", "combined", "common", "vhost_combined", "nginx", "apache", "caddy", "traefik", "haproxy", "alb",
    "cloudfront", "json", "jsonl", "lines",
]  # fmt: skip

WHICH = Group("Which requests count", sort_key=2)
WHERE = Group("Where they count, and whose they are", sort_key=1)
many = partial(Parameter, group=WHICH, negative="", show_default=False)  # a flag that may be given several times


@Parameter(name="*")
@dataclass(frozen=True)
class Selected:
    """Which requests of a log count, where, and whose visits they are."""

    counter: Annotated[
        str | None, Parameter(group=WHERE, help="Where visits count; JSON lines may name their own.")
    ] = None
    counter_from: Annotated[
        str | None,
        Parameter(
            group=WHERE,
            help="What in a request names a counter below --counter: host, path, path:N (its first N parts), or "
            "field:NAME. With it, every visit still counts in --counter too.",
        ),
    ] = None
    names_max: Annotated[
        int,
        Parameter(
            group=WHERE,
            converter=whole,
            help="At most so many counters from --counter-from; other visits count above them.",
        ),
    ] = NAMES_MAX
    visitor_from: Annotated[str, Parameter(group=WHERE, help="Whose visit it is: address, none, or field:NAME.")] = (
        "address"
    )
    status: Annotated[tuple[str, ...], many(help="Only requests with these statuses, such as 2xx,304.")] = ()
    method: Annotated[tuple[str, ...], many(help="Only requests with these methods, such as GET,HEAD.")] = ()
    path: Annotated[tuple[str, ...], many(help="Only requests whose path begins like this, such as /blog/.")] = ()
    exclude_path: Annotated[
        tuple[str, ...], many(help="No requests whose path begins like this, such as /healthz.")
    ] = ()
    exclude_bots: Annotated[
        bool, switch(group=WHICH, help="No requests by crawlers, monitors and scripts, going by their user agents.")
    ] = False
    since: Annotated[
        str | None, Parameter(group=WHICH, help="Only requests from then on: 2026-11-26, or 2026-11-26T08:00:00+01:00.")
    ] = None
    until: Annotated[str | None, Parameter(group=WHICH, help="Only requests before then.")] = None


ALL = Selected()


def ingest(
    *files: Annotated[
        Place,
        Parameter(
            name="FILE",
            allow_leading_hyphen=True,
            help="Logs, plain or compressed by gzip or zstd; patterns such as 'access.log*'; or - for standard input.",
        ),
    ],
    format: Annotated[  # noqa: A002 - it is the flag's name
        FORMATS,
        Parameter(help="Format of the lines; by default recognised from the first ones. lines: each is a visitor."),
    ] = "auto",
    log_format: Annotated[
        str | None,
        Parameter(help="The server's own format: nginx's log_format with $variables, or Apache's LogFormat."),
    ] = None,
    selected: Selected = ALL,
    follow: Annotated[bool, switch(help="Wait for more lines, over rotation, until stopped.")] = False,
    source: Annotated[
        str | None, Parameter(help="Name of the source; by default made from the log's first lines.")
    ] = None,
    dry_run: Annotated[bool, switch(help="Count nothing: show what would be counted, from the beginning.")] = False,
    timeout: Annotated[float, Parameter(help="Give up once the node has been away for so many seconds.")] = 60.0,
    json: Json = False,
    where: Where = HERE,
) -> int:
    """Count the visits in logs, each exactly once, however often this is run.

    How far each log was read is kept together with the counts. So run it again when the log has grown, was rotated or
    compressed, or after a crash: what is new is added. Requests that flags leave out are not looked at again. Lines
    that cannot be read are reported, and not counted.

    Example: `footfall ingest access.log --counter shop --exclude-bots --dry-run`
    """
    from footfall.cli.formats import Format
    from footfall.cli.ingest import run
    from footfall.cli.ingest_options import Options
    from footfall.cli.selecting import Selection

    return run(
        Options(
            files=tuple(map(str, files)),
            where=where,
            form=None if format == "auto" else Format(format),
            template=log_format,
            selection=Selection(
                counter=selected.counter,
                counter_from=selected.counter_from,
                visitor_from=selected.visitor_from,
                statuses=_listed(selected.status),
                methods=_listed(selected.method),
                paths=selected.path,
                excluded_paths=selected.exclude_path,
                exclude_bots=selected.exclude_bots,
                since=selected.since,
                until=selected.until,
                names_max=selected.names_max,
            ),
            follow=follow,
            source=source,
            timeout_s=timeout,
            json=json,
            dry_run=dry_run,
        )
    )


def _listed(values: tuple[str, ...]) -> tuple[str, ...]:
    """Several may be given at once, separated by commas."""
    return tuple(one.strip() for value in values for one in value.split(","))
