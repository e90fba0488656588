"""Brings one log to a node: names its source, finds out how it is read, and counts what is new in it."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from footfall.cli import output
from footfall.cli.chunks import Tally
from footfall.cli.delivery import Messenger
from footfall.cli.follow import Follower
from footfall.cli.formats import BYTE_ORDER_MARK, Format, Parse, parser
from footfall.cli.ingest_options import Options, Summary
from footfall.cli.ingester import Ingester
from footfall.cli.packed import DamagedError, PackedReader
from footfall.cli.pipes import PipeReader, is_stream, open_stream
from footfall.cli.recognising import SNIFFED_LINES_MAX, never_told, settle
from footfall.cli.signals import Stop
from footfall.cli.sources import HEAD_BYTES, FileReader, Reader, candidate_ids, names_itself, open_file, open_growing
from footfall.errors import ConfigError, FootfallError, InputError
from footfall.naming import Names


class Ingest:
    """One log on its way to a node."""

    def __init__(
        self,
        file: str,
        options: Options,
        names: Names | None,
        messenger: Messenger,
        stop: Stop,
        progress: Callable[[int, int | None, int], None],
        told: set[str] | None = None,
    ) -> None:
        """
        Args:
            file: The log.
            options: What was asked for.
            names: The counters below the one that was named, if these are asked for.
            messenger: Takes chunks to a node.
            stop: Ends it, after the chunk that is on its way.
            progress: Told how far it has come, of how much, and how many visits were counted.
            told: How logs are read, as far as it was told already: of many files alike it is told once.
        """
        self._file = file
        self._options = options
        self._names = names
        self._messenger = messenger
        self._stop = stop
        self._progress = progress
        self._reading = options.reading
        self._source: str | None = options.source
        self._begin = 0
        self._ingester: Ingester | None = None
        self._follower: Follower | None = None
        self._executor = ThreadPoolExecutor(1, "ingest")
        self._started = time.monotonic()
        self._told_waiting = False
        self._told = set() if told is None else told
        self._complete = False

    def run(self) -> None:
        """Deliver everything. Raises FootfallError; ``summary`` tells even then what was counted before."""
        with self._executor:
            if is_stream(self._file):
                self._run_stream(open_stream(self._file, self._stop.event))
            elif self._options.follow:
                self._run_follower()
            else:
                self._run_file(open_file(Path(self._file)))
        self._complete = True

    def summary(self, failure: FootfallError | None = None) -> Summary:
        """What was counted, so far."""
        ingester = self._follower.current if self._follower else self._ingester
        tally = (self._follower.tally if self._follower else Tally()) + (ingester.result if ingester else Tally())
        return Summary(
            file=self._file,
            source=self._source,
            form=self._reading.form if self._reading else None,
            counter=self._options.selection.counter,
            begin=self._begin,
            end=ingester.position if ingester else self._begin,
            lines=tally.lines,
            visits=tally.visits,
            filtered=tally.filtered,
            blank=tally.blank,
            bad=tally.bad,
            bad_lines=tally.bad_lines,
            unterminated=int(ingester.unterminated if ingester else self._has_tail_only()),
            complete=self._complete and not self._stop.event.is_set(),
            seconds=round(time.monotonic() - self._started, 3),
            error=str(failure) if failure else None,
            counters=self._messenger.counters,
        )

    def _run_stream(self, reader: PipeReader) -> None:
        if self._source is None:
            self._source = f"stream-{secrets.token_hex(8)}"
            if not self._options.dry_run:
                output.note(
                    "lines from a pipe count again when they come again, unless a name tells that they are the same: "
                    f"this one is --source {self._source}"
                )
        parse = self._settle_stream(reader)
        if parse is None:
            return
        if positions := self._messenger.positions([self._source]):
            (position,) = positions
            if position and not reader.read(position - 1, 1) and not self._stop.event.is_set():
                raise InputError(
                    f"standard input ends before byte {position:,}, up to which source {self._source} was counted: it "
                    "has to begin again where it began; another --source counts all of it"
                )
            self._ingester = self._ingest(reader, self._source, position, parse)
            self._drain(reader)

    def _run_follower(self) -> None:
        reader = open_growing(Path(self._file))
        one_file = self._options.source is not None
        self._follower = Follower(reader.path, self._open, self._stop.event, output.note, one_file)
        self._follower.run(reader)

    def _run_file(self, reader: FileReader | PackedReader) -> None:
        try:
            self._ingester = self._open(reader)
            self._drain(reader)
        finally:
            reader.close()

    def _drain(self, reader: Reader) -> None:
        if self._ingester is not None:
            self._ingester.drain(self._stop.event.is_set, final=True)
        if reader.damage:
            raise DamagedError(f"{_called(self._file)} {reader.damage}: what came before that is counted")

    def _open(self, reader: FileReader | PackedReader) -> Ingester | None:
        """Find out which source a file is, and where it stands; None if it cannot be told yet."""
        head = reader.read(0, HEAD_BYTES)
        known = [self._options.source] if self._options.source else candidate_ids(head, self._options.selection.counter)
        if not known or not head:
            if len(head) >= HEAD_BYTES:
                raise InputError(
                    f"the first line of {reader.path} is longer than {HEAD_BYTES:,} bytes: it is not a log"
                )
            return None
        if self._options.follow and self._options.form is not Format.LINES and not names_itself(head):
            return None
        try:
            parse = self._settle(head)
        except InputError:
            if not self._options.follow or _is_enough(head):
                raise
            self._tell_waiting(self._unsettled())
            return None
        found = self._find(known, reader)
        if found is None:
            return None
        self._source, position = found
        return self._ingest(reader, self._source, position, parse)

    def _find(self, known: list[str], reader: FileReader | PackedReader) -> tuple[str, int] | None:
        positions = self._messenger.positions(known)
        if positions is None:
            return None
        for source, position in zip(known, positions, strict=True):
            if position > 0 and reader.holds(position):
                return source, position
        beyond = positions[0]
        if not beyond:
            return known[0], 0
        told = (
            f"it has fewer than the {beyond:,} bytes that were counted of a file that begins with the same "
            "lines: it was cut short, or is another one"
        )
        if not self._options.follow or self._options.source:
            raise InputError(f"{reader.path}: {told}; --source NAME counts it as another")
        self._tell_waiting(told)
        return None

    def _ingest(self, reader: Reader, source: str, position: int, parse: Parse) -> Ingester:
        self._begin = position
        before = self._follower.tally.visits if self._follower else 0

        def progress(reached: int, tally: Tally) -> None:
            done, size = reader.progress(reached)
            self._progress(done, None if self._options.follow else size, before + tally.visits)

        progress(position, Tally())
        return Ingester(reader, source, position, parse, self._messenger, self._executor, progress)

    def _settle_stream(self, reader: PipeReader) -> Parse | None:
        """A server says other things before its first request: wait for enough lines to tell. None if stopped."""
        while True:
            head = reader.read(0, HEAD_BYTES)
            try:
                return self._settle(head)
            except InputError:
                if reader.ended or _is_enough(head):
                    raise
            self._tell_waiting(self._unsettled())
            reader.read(len(head), 1)
            if self._stop.event.is_set():
                return None

    def _settle(self, head: bytes) -> Parse:
        """How the log's lines are read, told from the first of them where nobody has said it."""
        whole, _, rest = head.removeprefix(BYTE_ORDER_MARK).rpartition(b"\n")
        lines = [line.removesuffix(b"\r") for line in (whole or rest).split(b"\n")]
        selection = self._options.selection
        try:
            reading = settle(lines, self._reading)
            if self._reading is None and selection.counter is None and reading.form is not Format.JSONL:
                raise ConfigError(f"the lines, taken for {reading.form}, name no counter: say --counter NAME")
            parse = parser(reading, selection, self._names)
        except InputError as error:
            raise InputError(f"{_called(self._file)}: {error}") from None
        if self._reading is None or reading.envelope:
            self._tell(f"{reading.form}, {reading.envelope.told}" if reading.envelope else reading.form)
        for name in never_told(reading, selection.fields) if not reading.template else ():
            output.note(f"{_called(self._file)}: none of its first lines tells {name}")
        self._reading = self._reading or reading
        return parse

    def _tell(self, form: str) -> None:
        if form not in self._told:
            self._told.add(form)
            output.note(f"{_called(self._file)} is taken for a log in the format {form}")

    def _unsettled(self) -> str:
        if self._reading is None:
            return "it does not tell its format yet; --format says it"
        return f"none of the first ones tells how the others of the format {self._reading.form} are read"

    def _tell_waiting(self, why: str) -> None:
        if not self._told_waiting:
            self._told_waiting = True
            output.note(f"{_called(self._file)}: waiting for more lines: {why}")

    def _has_tail_only(self) -> bool:
        path = Path(self._file)
        return self._follower is None and path.is_file() and path.stat().st_size > 0


def _is_enough(head: bytes) -> bool:
    """Whether more lines would tell no more of the format."""
    return head.count(b"\n") >= SNIFFED_LINES_MAX or len(head) >= HEAD_BYTES


def _called(file: str) -> str:
    return "standard input" if file == "-" else file
