"""Counters' names and units, and which counters a visit to a name adds to."""

import enum
import re

from footfall.errors import InvalidNameError, UnknownUnitError

NAME_LENGTH_MAX = 200
PARTS_MAX = 8  # a visit adds to one counter per part: it bounds the fold's work for a section

_NAME = re.compile(
    rf"(?=.{{1,{NAME_LENGTH_MAX}}}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){{0,{PARTS_MAX - 1}}}\Z", re.ASCII
)


class Unit(enum.StrEnum):
    """What a counter counts: every request, or each distinct visitor once."""

    VISITS = "visits"
    VISITORS = "visitors"


def is_name(text: str) -> bool:
    """Whether ``text`` can name a counter."""
    return _NAME.match(text) is not None


def check_name(text: str) -> str:
    """The name itself.

    Raises:
        InvalidNameError: If it is not 1 to 8 dot-separated parts of ``[A-Za-z0-9_-]``, 200 characters at most.
    """
    if not is_name(text):
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise InvalidNameError(
            f"{shown!r} cannot name a counter: write 1 to {PARTS_MAX} dot-separated parts of letters, digits, "
            f"'_' and '-', {NAME_LENGTH_MAX} characters at most, such as google.gmail"
        )
    return text


def check_unit(text: str) -> Unit:
    """The unit of that name.

    Raises:
        UnknownUnitError: If there is none.
    """
    try:
        return Unit(text)
    except ValueError:
        raise UnknownUnitError(f"{text!r} is not a unit: write visits or visitors") from None


def lineage(name: str) -> tuple[str, ...]:
    """The counters that a visit to ``name`` can add to: itself last, its ancestors before it, the root first."""
    parts = name.split(".")
    return tuple(".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
