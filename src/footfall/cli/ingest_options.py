"""What ``footfall ingest`` was asked for, and what it came to."""

import msgspec

from footfall.cli.arguments import Where
from footfall.cli.chunks import BadLine
from footfall.cli.formats import HEADED, Format, Reading, parser
from footfall.cli.logs.templates import is_nginx
from footfall.cli.pipes import is_stream
from footfall.cli.selecting import Selection
from footfall.errors import ConfigError
from footfall.naming import Names
from footfall.web.requests import parse_source


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        files: Names of logs, and patterns of names.
        where: The node.
        form: The format of the lines; None to find it out.
        template: The format as the server has it, where it has one of its own.
        selection: What counts, and where.
        follow: Whether to wait for more lines.
        source: The source's name; None for the one that the log itself has.
        timeout_s: How long a node may be away.
        json: Whether to print for machines.
        dry_run: Whether to count nothing.
    """

    files: tuple[str, ...]
    where: Where
    form: Format | None = None
    template: str | None = None
    selection: Selection = Selection()
    follow: bool = False
    source: str | None = None
    timeout_s: float = 60.0
    json: bool = False
    dry_run: bool = False

    def check(self) -> None:
        """Raises ConfigError or InvalidNameError for what can be seen to be wrong before anything is read."""
        if not all(self.files):
            raise ConfigError("the name of the file is empty; name a log file, or - for standard input")
        if not self.files:
            raise ConfigError("no file is named: name a log file, or - for standard input")
        self.selection.check()
        self._check_format()
        if self.source is not None:
            parse_source(self.source)
        if self.follow and any(is_stream(file) for file in self.files):
            raise ConfigError("a stream is read to its end anyway: leave --follow out, or name a file")
        if self.follow and self.dry_run:
            raise ConfigError("--dry-run reads what there is, once: leave --follow out")
        if not self.timeout_s > 0:
            raise ConfigError(f"--timeout is {self.timeout_s}; it must be more than 0 seconds")

    def names(self) -> Names | None:
        """The counters below the selection's, if it asks for these: none is known yet."""
        selection = self.selection
        if selection.counter_from is None or selection.counter is None:
            return None
        return Names(selection.counter, selection.names_max)

    @property
    def reading(self) -> Reading | None:
        """How logs are read, as far as was said; None to find it out."""
        if self.template is not None:
            return Reading(Format.NGINX if self._is_nginx else Format.APACHE, self.template)
        return None if self.form is None else Reading(self.form)

    @property
    def _is_nginx(self) -> bool:
        return self.form is Format.NGINX or (self.form is None and is_nginx(self.template or ""))

    def _check_format(self) -> None:
        if self.template is not None and self.form not in (None, Format.NGINX, Format.APACHE):
            raise ConfigError(f"--log-format is the format itself: leave --format {self.form} out")
        reading = self.reading
        if reading is not None and reading.form not in HEADED:
            parser(reading, self.selection, self.names())
        elif reading is not None and self.selection.counter is None:
            raise ConfigError(f"lines of format {reading.form} name no counter: say --counter NAME")


class Summary(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to", "form": "format"}):
    """What ``--json`` prints of a log: of the last file, if rotation led over several, but the counts are those of all.

    Attributes:
        file: Its name.
        source: Its id.
        form: The format of its lines.
        counter: Where its visits count, or below what.
        begin: The byte from which on it was read.
        end: The byte up to which it is counted.
        lines: All lines between these.
        visits: Visits counted.
        filtered: Lines that tell of requests that were not asked for.
        blank: Lines that tell of nothing.
        bad: Lines that could not be read.
        bad_lines: The first few of these.
        unterminated: 1 if a last line without an end was left for the next time.
        complete: Whether it was read to its end.
        seconds: How long it took.
        error: What ended it; None if nothing did.
        counters: With ``--dry-run``: the visits that would count in each counter, the most first.
    """

    file: str
    source: str | None
    form: str | None
    counter: str | None
    begin: int
    end: int
    lines: int
    visits: int
    filtered: int
    blank: int
    bad: int
    bad_lines: tuple[BadLine, ...]
    unterminated: int
    complete: bool
    seconds: float
    error: str | None = None
    counters: dict[str, int] | None = None
