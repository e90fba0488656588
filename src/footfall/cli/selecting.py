"""Which requests of a log count, in which counter, and whose visits they are. Pure: no files, no HTTP."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

import msgspec

from footfall.cli.filters import ORIGIN, Rule, by_agent, by_method, by_path, by_status, by_time, target_of
from footfall.cli.logs.hit import Dialect, Hit, Skip, unescape
from footfall.core.names import PARTS_MAX, check_name
from footfall.core.visit import VISITOR_BYTES_MAX, Visit, check_text
from footfall.errors import ConfigError, InvalidVisitError
from footfall.naming import NAMES_MAX, Names, host_parts, path_parts, text_parts

TARGETS_MAX = 65_536  # paths, hosts or values whose counter's name is remembered
TARGET_LENGTH_MAX = 1_024  # of one of them; a longer one is worked out each time

_QUICK_LENGTH = VISITOR_BYTES_MAX // 4  # characters that fit, whatever they are
_STATUSES = re.compile(r"[1-5](?:xx|\d\d)|000", re.ASCII | re.IGNORECASE)
_METHOD = re.compile(r"[A-Za-z-]{1,32}", re.ASCII)
_COUNTER_FROM = re.compile(r"host|path(?::([1-9]\d?))?|field:(.{1,200})", re.ASCII)
_VISITOR_FROM = re.compile(r"address|none|field:(.{1,200})", re.ASCII)


class Line(Visit, frozen=True, omit_defaults=True):
    """A visit that a line tells of; what it does not tell is left out of its JSON, which keeps bodies small."""


Select = Callable[[Hit], Line | Skip | str]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. Requests that any part does not want are passed over.

    Attributes:
        counter: Where visits count, or below what.
        counter_from: What of a request names the counter below it: ``host``, ``path``, ``path:N`` or ``field:NAME``.
        visitor_from: Who a visit is by: ``address``, ``none`` or ``field:NAME``.
        statuses: Answers that count, such as ``2xx`` and ``304``; empty: all.
        methods: Methods that count; empty: all.
        paths: Beginnings of paths, of which one must be the request's; empty: all.
        excluded_paths: Beginnings of paths that do not count.
        exclude_bots: Whether requests by bots do not count.
        since: Time of the first requests that count, in ISO 8601.
        until: Time of the first requests that do not.
        names_max: Counters that ``counter_from`` makes at most.
    """

    counter: str | None = None
    counter_from: str | None = None
    visitor_from: str = "address"
    statuses: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    excluded_paths: tuple[str, ...] = ()
    exclude_bots: bool = False
    since: str | None = None
    until: str | None = None
    names_max: int = NAMES_MAX

    def check(self) -> None:
        """Raises ConfigError or InvalidNameError for what is no such thing."""
        if self.counter is not None:
            check_name(self.counter)
        for text in self.statuses:
            if not _STATUSES.fullmatch(text):
                raise ConfigError(f"--status is {text!r}; write statuses such as 304, or classes such as 2xx")
        for text in self.methods:
            if not _METHOD.fullmatch(text):
                raise ConfigError(f"--method is {text!r}; write methods such as GET,HEAD")
        for flag, paths in (("--path", self.paths), ("--exclude-path", self.excluded_paths)):
            for text in paths:
                if not text.startswith("/"):
                    raise ConfigError(f"{flag} is {text!r}; write the beginning of a path, such as /blog/")
        if self.counter_from is not None:
            if not _COUNTER_FROM.fullmatch(self.counter_from):
                raise ConfigError(
                    f"--counter-from is {self.counter_from!r}; write host, path, path:N (from 1 to 99) or field:NAME"
                )
            if self.counter is None:
                raise ConfigError("--counter-from makes counters below one: say --counter NAME")
        if not _VISITOR_FROM.fullmatch(self.visitor_from):
            raise ConfigError(f"--visitor-from is {self.visitor_from!r}; write address, none or field:NAME")
        if self.names_max < 1:
            raise ConfigError(f"--names-max is {self.names_max}; it must be at least 1")
        since, until = _moment("--since", self.since), _moment("--until", self.until)
        if since is not None and until is not None and since >= until:
            raise ConfigError(f"--since {self.since} is not before --until {self.until}")

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that are asked for by name."""
        asked = (self.counter_from or "", self.visitor_from)
        return tuple(dict.fromkeys(name.removeprefix("field:") for name in asked if name.startswith("field:")))

    @property
    def needs(self) -> dict[str, str]:
        """What the log must tell of a request, and for what."""
        wants = {
            "status": ("--status", self.statuses),
            "method": ("--method", self.methods),
            "target": ("--path", self.paths),
            "agent": ("--exclude-bots", self.exclude_bots),
            "time": ("--since" if self.since else "--until", self.since or self.until),
            "host": ("--counter-from", self.counter_from == "host"),
        }
        if self.excluded_paths:
            wants["target"] = ("--exclude-path", True)
        if self.counter_from and self.counter_from.startswith("path"):
            wants["target"] = ("--counter-from", True)
        return {attribute: flag for attribute, (flag, wanted) in wants.items() if wanted}


_CALLED = {"target": "path", "agent": "user agent"}


def select(selection: Selection, dialect: Dialect, names: Names | None) -> Select:
    """A function from a request to its visit, or why it is none. It never raises.

    Args:
        selection: What was asked for; it has a counter.
        dialect: How the log is read.
        names: The counters below the counter, if it asks for these.

    Raises:
        ConfigError: The log does not tell what was asked for.
    """
    for attribute, flag in selection.needs.items():
        if attribute not in dialect.tells:
            do = "; give each site's log a --counter of its own" if attribute == "host" else ""
            raise ConfigError(f"{flag} needs the {_CALLED.get(attribute, attribute)}, which this log does not tell{do}")
    if selection.fields and "fields" not in dialect.tells:
        raise ConfigError(
            f"field:{selection.fields[0]} is asked for, and lines of this format have no fields by name: say which "
            "there are with --log-format"
        )
    if selection.visitor_from == "address" and "address" not in dialect.tells:
        lacks = "this log does not tell the client's address: say --visitor-from none, or field:NAME"
        raise ConfigError(dialect.doubt or lacks)
    rules = _rules(selection)
    if not rules and selection.counter_from is None and selection.visitor_from == "address":
        return _by_address(selection.counter)
    counter_of = _counter_of(selection, names)
    visitor_of = _visitor_of(selection)

    def decide(hit: Hit) -> Line | Skip | str:
        for rule in rules:
            verdict = rule(hit)
            if verdict is not None:
                return verdict
        visitor = visitor_of(hit)
        return Line(counter_of(hit)) if visitor is None else _checked(counter_of(hit), visitor)

    return decide


def _by_address(counter: str | None) -> Select:
    """What most ask for: every visit in one counter, by its address. On its own it takes half the time."""
    assert counter is not None

    def decide(hit: Hit) -> Line | Skip | str:
        visitor = hit.address
        if visitor is None or visitor == "-":
            return Line(counter)
        if 0 < len(visitor) <= _QUICK_LENGTH and visitor.isprintable():
            return Line(counter, visitor)
        return _checked(counter, visitor)

    return decide


def _checked(counter: str, visitor: str) -> Line | str:
    if not visitor:
        return Line(counter)
    try:
        check_text("visitor", visitor, VISITOR_BYTES_MAX)
    except InvalidVisitError as error:
        return str(error)
    return Line(counter, visitor)


def _rules(selection: Selection) -> list[Rule]:
    """Each says why a request does not count, or None; the quickest first."""
    rules: list[Rule] = []
    if selection.statuses:
        rules.append(by_status(selection.statuses))
    if selection.methods:
        rules.append(by_method(frozenset(method.upper() for method in selection.methods)))
    if selection.paths or selection.excluded_paths:
        rules.append(by_path(selection.paths, selection.excluded_paths))
    if selection.since or selection.until:
        rules.append(by_time(_moment("", selection.since), _moment("", selection.until)))
    if selection.exclude_bots:
        rules.append(by_agent)
    return rules


def _counter_of(selection: Selection, names: Names | None) -> Callable[[Hit], str]:
    counter, asked = selection.counter, selection.counter_from
    assert counter is not None
    if asked is None:
        return lambda _: counter
    assert names is not None
    name = names.name
    if asked == "host":
        named = _remembering(lambda host: name(host_parts(unescape(host))))
        return lambda hit: named(_host(hit) or "")
    if asked.startswith("path"):
        depth = int(asked.partition(":")[2] or PARTS_MAX)
        named = _remembering(lambda target: name(path_parts(unescape(target), depth)))
        return lambda hit: named((target_of(hit) or "").partition("?")[0])
    index = selection.fields.index(asked.removeprefix("field:"))
    named = _remembering(lambda value: name(text_parts(unescape(value))))
    return lambda hit: named(hit.fields[index])


def _remembering(named: Callable[[str], str]) -> Callable[[str], str]:
    remembered = lru_cache(TARGETS_MAX)(named)
    return lambda text: remembered(text) if len(text) <= TARGET_LENGTH_MAX else named(text)


def _visitor_of(selection: Selection) -> Callable[[Hit], str | None]:
    if selection.visitor_from == "none":
        return lambda _: None
    if selection.visitor_from == "address":
        return lambda hit: None if hit.address in ("-", "") else hit.address
    index = selection.fields.index(selection.visitor_from.removeprefix("field:"))

    def visitor_of(hit: Hit) -> str | None:
        value = unescape(hit.fields[index]).strip()
        return None if value in ("", "-") else value

    return visitor_of


def _host(hit: Hit) -> str | None:
    if hit.host is not None:
        return hit.host
    origin = ORIGIN.match(target_of(hit) or "")
    return origin[1] if origin else None


def _moment(flag: str, text: str | None) -> float | None:
    """The time that a person wrote: in the zone of this machine, where it names none."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ConfigError(f"{flag} is {text!r}; write a time such as 2026-11-26 or 2026-11-26T08:00:00+01:00") from None
