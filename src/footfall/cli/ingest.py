"""``footfall ingest``: goes through the logs that were named, brings each to a node, and reports on it."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

from footfall.cli import newness, output
from footfall.cli.client import Client
from footfall.cli.delivery import Courier, DryCourier, Messenger, Patience
from footfall.cli.ingest_files import expand
from footfall.cli.ingest_log import Ingest
from footfall.cli.ingest_options import Options, Summary
from footfall.cli.ingest_report import report, report_all
from footfall.cli.packed import DamagedError
from footfall.cli.signals import Stop
from footfall.cli.sources import TruncatedError
from footfall.core.names import Unit
from footfall.errors import ConfigError, FootfallError, ForbiddenError, InputError, UnauthorizedError
from footfall.naming import Names

_OF_ONE_FILE = (InputError, ConfigError, TruncatedError, DamagedError)  # the others may be right


class _Run(NamedTuple):
    """What all logs of one run have in common.

    Attributes:
        options: What was asked for.
        names: The counters below the one that was named, if these are asked for.
        client: The node.
        stop: Ends the run.
        remark: What is to be known of the counter, once something is counted in it.
        told: What was told already.
    """

    options: Options
    names: Names | None
    client: Client
    stop: Stop
    remark: str
    told: set[str]


def run(options: Options) -> int:
    """Run the command; returns its exit code."""
    options.check()
    files = expand(options.files)
    if len(files) > 1:
        _check_several(options)
    with Client(options.where) as client, Stop() as stop:
        this = _Run(options, _known(options, client), client, stop, _remark(options, client), set())
        code = _run_one(files[0], this) if len(files) == 1 else _run_several(files, this)
    return code if options.follow else (stop.exit_code or code)


def _run_one(file: str, this: _Run) -> int:
    summary, failure = _ingest(file, file, this)
    code = report(summary, this.options) if failure is None or summary.lines or this.options.json else 0
    if failure is not None:
        raise failure
    return code


def _run_several(files: list[str], this: _Run) -> int:
    options, told = this.options, this.told
    summaries: list[Summary] = []
    code = 0
    for number, file in enumerate(files, 1):
        if this.stop.event.is_set():
            output.note(f"stopped before {file}: run it again to go on")
            break
        summary, failure = _ingest(file, f"{file} ({number} of {len(files)})", this)
        summaries.append(summary)
        if summary.lines or options.json or (summary.unterminated and failure is None):
            code = max(code, report(summary, options))
        if failure is None:
            continue
        if not isinstance(failure, _OF_ONE_FILE):
            report_all(summaries, options)
            raise failure
        if str(failure) not in told:  # what is wrong with a flag is wrong for each file
            told.add(str(failure))
            output.error(failure)
        code = 1
    report_all(summaries, options)
    return code


def _ingest(file: str, label: str, this: _Run) -> tuple[Summary, FootfallError | None]:
    """Bring one log to the node; what became of it, and what ended it."""
    options, stop = this.options, this.stop
    failure = None
    with output.ProgressView("standard input" if label == "-" else label, shown=not options.json) as view:
        messenger = _messenger(options, this.client, stop, view.trouble)

        def progress(done: int, size: int | None, visits: int) -> None:
            if visits and this.remark and this.remark not in this.told:
                this.told.add(this.remark)
                output.note(this.remark)
            view.update(done, size, visits)

        ingest = Ingest(file, options, this.names, messenger, stop, progress, this.told)
        try:
            ingest.run()
        except FootfallError as error:
            failure = error
    return ingest.summary(failure), failure


def _messenger(options: Options, client: Client, stop: Stop, trouble: Callable[[str], None]) -> Messenger:
    if options.dry_run:
        return DryCourier()
    return Courier(client, Patience(options.timeout_s, stop.event, trouble))


def _known(options: Options, client: Client) -> Names | None:
    """The counters below the one that was named: those that are there already count, however often this is run."""
    names = options.names()
    selection = options.selection
    if names is None or options.dry_run or selection.counter is None:
        return names
    try:
        found = itertools.islice(client.counters(selection.counter), selection.names_max + 1)
        return Names(selection.counter, selection.names_max, [reading.counter for reading in found])
    except (ForbiddenError, UnauthorizedError):  # a token that may only write: the bound is this run's then
        return names


def _remark(options: Options, client: Client) -> str:
    """What is to be known of the counter: that it was not there, or that of one visitor's visits the first counts."""
    counter = options.selection.counter
    if counter is None or options.dry_run:
        return ""
    looked = newness.look(client, counter)
    if looked.unit == Unit.VISITORS and not options.json:
        return f"{counter} counts visitors: of one visitor's visits the first"
    return f"{counter} is a new counter{looked.question}" if looked.missing else ""


def _check_several(options: Options) -> None:
    if options.source is not None:
        raise ConfigError("--source names one source, and there are several files: leave it out, or name one file")
    if options.follow:
        raise ConfigError("--follow follows one file, and there are several: run it once for each")
