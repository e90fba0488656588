"""What an examination finds, as data; the examinations of each part are in modules of their own.

An examination changes nothing. Each finding says what was looked at, what is so, and what to do where that is wrong.
"""

import enum
from collections.abc import Iterable

import msgspec


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # a person should look; the count is what it should be
    BAD = "bad"  # the count, or the next start, is at risk


class Finding(msgspec.Struct, frozen=True):
    """One thing that was examined.

    Attributes:
        level: How bad it is.
        part: What was examined: data, log, acknowledged, cuts, proofs, spool, alarms, clock.
        name: Of what this is about, within the part; stable, for machines.
        found: What is so.
        do: What to do; empty if nothing is to be done.
    """

    level: Level
    part: str
    name: str
    found: str
    do: str = ""


class Examination(msgspec.Struct, frozen=True):
    """All findings, and the worst level of them."""

    level: Level
    findings: list[Finding]


def examination(findings: Iterable[Finding]) -> Examination:
    """These findings together."""
    all_ = list(findings)
    order = list(Level)
    return Examination(max((one.level for one in all_), key=order.index, default=Level.OK), all_)


def ok(part: str, name: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, part, name, found)


def warn(part: str, name: str, found: str, do: str) -> Finding:
    """A person should look."""
    return Finding(Level.WARN, part, name, found, do)


def bad(part: str, name: str, found: str, do: str) -> Finding:
    """Something is wrong."""
    return Finding(Level.BAD, part, name, found, do)
