"""``footfall ingest``: puts together what reads a log, names its source, brings it to a node and reports on it."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from footfall.cli import output
from footfall.cli.arguments import Where
from footfall.cli.chunks import BadLine, Tally
from footfall.cli.client import Client
from footfall.cli.delivery import Courier, Patience
from footfall.cli.follow import Follower
from footfall.cli.formats import Format, parser, sniff
from footfall.cli.ingester import Ingester
from footfall.cli.signals import Stop
from footfall.cli.sources import HEAD_BYTES, FileReader, PipeReader, Reader, candidate_ids, is_stream, open_stream
from footfall.core.names import check_name
from footfall.errors import ConfigError, FootfallError, InputError
from footfall.web.requests import parse_source

SNIFFED_BYTES = 1 << 16


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    file: str
    where: Where
    form: Format | None = None
    counter: str | None = None
    follow: bool = False
    source: str | None = None
    timeout_s: float = 60.0
    json: bool = False

    def check(self) -> None:
        """Raises ConfigError or InvalidNameError for what can be seen to be wrong before anything is read."""
        if not self.file:
            raise ConfigError("the name of the file is empty; name a log file, or - for standard input")
        if self.counter is not None:
            check_name(self.counter)
        elif self.form not in (None, Format.JSONL):
            raise ConfigError(f"lines of format {self.form} name no counter: say --counter NAME")
        if self.source is not None:
            parse_source(self.source)
        if self.follow and is_stream(self.file):
            raise ConfigError("a stream is read to its end anyway: leave --follow out, or name a file")
        if not self.timeout_s > 0:
            raise ConfigError(f"--timeout is {self.timeout_s}; it must be more than 0 seconds")


class Summary(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to", "form": "format"}):
    """What ``--json`` prints: of the last file, if rotation led over several, but the counts are those of all."""

    file: str
    source: str | None
    form: str | None
    counter: str | None
    begin: int
    end: int
    lines: int
    visits: int
    blank: int
    bad: int
    bad_lines: tuple[BadLine, ...]
    unterminated: int
    complete: bool
    seconds: float


class Ingest:
    """One run of the command."""

    def __init__(self, options: Options, client: Client, stop: Stop, view: output.ProgressView) -> None:
        self._options = options
        self._stop = stop
        self._view = view
        self._courier = Courier(client, Patience(options.timeout_s, stop.event, view.trouble))
        self._form = options.form
        self._source: str | None = options.source
        self._begin = 0
        self._ingester: Ingester | None = None
        self._follower: Follower | None = None
        self._executor = ThreadPoolExecutor(1, "ingest")
        self._started = time.monotonic()
        self._told_waiting = False
        self._complete = False

    def run(self) -> None:
        """Deliver everything. Raises FootfallError; ``summary`` tells even then what was counted before."""
        options = self._options
        with self._executor:
            if is_stream(options.file):
                self._run_stream(open_stream(options.file, self._stop.event))
            elif options.follow:
                self._run_follower(FileReader(Path(options.file)))
            else:
                self._run_file(FileReader(Path(options.file)))
        self._complete = True

    @property
    def summary(self) -> Summary:
        """What was counted, so far."""
        ingester = self._follower.current if self._follower else self._ingester
        tally = (self._follower.tally if self._follower else Tally()) + (ingester.result if ingester else Tally())
        return Summary(
            file=self._options.file,
            source=self._source,
            form=self._form,
            counter=self._options.counter,
            begin=self._begin,
            end=ingester.position if ingester else self._begin,
            lines=tally.lines,
            visits=tally.visits,
            blank=tally.blank,
            bad=tally.bad,
            bad_lines=tally.bad_lines,
            unterminated=int(ingester.unterminated if ingester else self._has_tail_only()),
            complete=self._complete and not self._stop.event.is_set(),
            seconds=round(time.monotonic() - self._started, 3),
        )

    def _run_stream(self, reader: PipeReader) -> None:
        if self._source is None:
            self._source = f"stream-{secrets.token_hex(8)}"
            output.note(
                f"a stream has no name of its own, so this run cannot be continued; --source {self._source} would"
            )
        self._settle_format(reader.read(0, SNIFFED_BYTES))
        position = self._courier.position(self._source)
        if position is not None:
            self._ingester = self._ingest(reader, self._source, position, None)
            self._ingester.drain(self._stop.event.is_set, final=True)

    def _run_follower(self, reader: FileReader) -> None:
        one_file = self._options.source is not None
        self._follower = Follower(reader.path, self._open, self._stop.event, output.note, one_file)
        self._follower.run(reader)

    def _run_file(self, reader: FileReader) -> None:
        try:
            self._ingester = self._open(reader)
            if self._ingester is not None:
                self._ingester.drain(self._stop.event.is_set, final=True)
        finally:
            reader.close()

    def _open(self, reader: FileReader) -> Ingester | None:
        """Find out which source a file is, and where it stands; None if it cannot be told yet."""
        head = reader.read(0, HEAD_BYTES)
        known = [self._options.source] if self._options.source else candidate_ids(head, self._options.counter)
        if not known or not head:
            if len(head) >= HEAD_BYTES:
                raise InputError(
                    f"the first line of {reader.path} is longer than {HEAD_BYTES:,} bytes: it is not a log"
                )
            return None
        self._settle_format(head[:SNIFFED_BYTES])
        found = self._find(known, reader)
        if found is None:
            return None
        self._source, position = found
        return self._ingest(reader, self._source, position, reader)

    def _find(self, known: list[str], reader: FileReader) -> tuple[str, int] | None:
        beyond = 0
        for source in known:
            position = self._courier.position(source)
            if position is None:
                return None
            if 0 < position <= reader.size:
                return source, position
            if position > 0 and source == known[0]:
                beyond = position
        if not beyond:
            return known[0], 0
        told = (
            f"{reader.path} has {reader.size:,} bytes, but {beyond:,} were counted of a file that begins with the same "
            "lines: it was cut short, or is another one"
        )
        if not self._options.follow or self._options.source:
            raise InputError(f"{told}; --source NAME counts it as another")
        if not self._told_waiting:
            output.note(f"{told}: waiting for more lines to tell")
            self._told_waiting = True
        return None

    def _ingest(self, reader: Reader, source: str, position: int, sized: FileReader | None) -> Ingester:
        assert self._form is not None
        self._begin = position
        before = self._follower.tally.visits if self._follower else 0

        def progress(reached: int, tally: Tally) -> None:
            size = None if sized is None or self._options.follow else sized.size
            self._view.update(reached, size, before + tally.visits)

        progress(position, Tally())
        parse = parser(self._form, self._options.counter)
        return Ingester(reader, source, position, parse, self._courier, self._executor, progress)

    def _settle_format(self, head: bytes) -> None:
        if self._form is None:
            self._form = sniff(head.split(b"\n"))
            if self._options.counter is None and self._form is not Format.JSONL:
                raise ConfigError(f"the lines, taken for {self._form}, name no counter: say --counter NAME")

    def _has_tail_only(self) -> bool:
        path = Path(self._options.file)
        return self._follower is None and path.is_file() and path.stat().st_size > 0


def report(summary: Summary, options: Options) -> int:
    """Print what happened; returns the exit code."""
    if options.json:
        output.print_json(summary)
    else:
        print(_sentence(summary, options))
    for bad in summary.bad_lines:
        output.note(f"line {bad.line}: {bad.reason}" + (f": {bad.text!r}" if bad.text else ""))
    if summary.bad > len(summary.bad_lines):
        output.note(f"... and {summary.bad - len(summary.bad_lines):,} more")
    if summary.bad:
        output.note(f"{output.count(summary.bad, 'line')} could not be read, and not counted")
    if summary.unterminated:
        output.note("1 unterminated line left for next time: it has no end yet")
    if summary.bad and not summary.visits and not summary.begin:
        output.error(f"no line could be read as {summary.form}: is --format right?")
        return 1
    return 0


def run(options: Options) -> int:
    """Run the command; returns its exit code."""
    options.check()
    failure = None
    name = "standard input" if options.file == "-" else options.file
    with Client(options.where) as client, Stop() as stop:
        with output.ProgressView(name, shown=not options.json) as view:
            ingest = Ingest(options, client, stop, view)
            try:
                ingest.run()
            except FootfallError as error:
                failure = error
        code = 0
        if failure is None or ingest.summary.lines:
            code = report(ingest.summary, options)
        if failure is not None:
            raise failure
    return code if options.follow else (stop.exit_code or code)


def _sentence(summary: Summary, options: Options) -> str:
    name = "standard input" if summary.file == "-" else summary.file
    if not summary.lines and summary.begin:
        again = "" if options.source else "; --source NAME counts it as another"
        return f"nothing new in {name}: its first {summary.begin:,} bytes were counted before{again}"
    if not summary.lines:
        return f"nothing to count in {name}"
    # Following is mostly waiting: a rate over it would say nothing.
    speed = "" if options.follow else f", {summary.lines / max(summary.seconds, 0.001):,.0f} lines/s"
    begin = f", from byte {summary.begin:,} on" if summary.begin else ""
    stopped = "" if summary.complete or options.follow else "; not all: run it again to go on"
    target = f" in {summary.counter}" if summary.counter else ""
    return (
        f"{output.count(summary.visits, 'visit')} counted{target} from {name} ({summary.form}{begin}) "
        f"in {summary.seconds:.1f} s{speed}{stopped}"
    )
