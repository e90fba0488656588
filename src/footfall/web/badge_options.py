"""What a badge is asked to look like, and what it says. Pure; everything is bounded, as anyone may ask."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from footfall.errors import InvalidRequestError
from footfall.web.badge_drawing import Style
from footfall.web.milestone_requests import parse_n

LABEL_CHARACTERS_MAX = 64
COLORS = {
    "brightgreen": "#4c1", "green": "#97ca00", "yellowgreen": "#a4a61d", "yellow": "#dfb317", "orange": "#fe7d37",
    "red": "#e05d44", "blue": "#007ec6", "grey": "#555", "lightgrey": "#9f9f9f", "black": "#000", "white": "#fff",
}  # fmt: skip
COLOR, LABEL_COLOR, REACHED_COLOR = "blue", "grey", "brightgreen"
PARAMETERS = ("style", "label", "color", "label_color", "numbers", "milestone")
SHOWN_CHARACTERS_MAX = 60
PREFIXES = ("", "k", "M", "G", "T", "P", "E")  # of powers of a thousand: they are the same in all languages
GAP = "\u202f"  # narrow, and never at the end of a line: what ISO 80000-1 puts between three digits

_HEX = re.compile(r"(?:[0-9A-Fa-f]{3}){1,2}\Z")


class Options(NamedTuple):
    """What is asked for.

    Attributes:
        style: How it looks.
        label: What stands left; None: the counter's name.
        color: Behind the value; None: what fits it.
        label_color: Behind the label.
        full: Whether all digits are shown.
        milestone: The N to which the distance is shown; None: the value is.
    """

    style: Style
    label: str | None
    color: str | None
    label_color: str
    full: bool
    milestone: int | None


def parse_options(query: Mapping[str, str]) -> Options:
    """What a query asks for. Raises InvalidRequestError, which names the parameter and its value."""
    style = query.get("style", Style.FLAT)
    if style not in tuple(Style):
        raise _wrong("style", style, f"one of {', '.join(Style)}")
    numbers = query.get("numbers", "compact")
    if numbers not in ("compact", "full"):
        raise _wrong("numbers", numbers, "compact or full")
    label = query.get("label")
    if label is not None and not (len(label) <= LABEL_CHARACTERS_MAX and label.isprintable()):
        raise _wrong("label", label, f"at most {LABEL_CHARACTERS_MAX} characters that can be shown")
    color = query.get("color")
    milestone = query.get("milestone")
    return Options(
        Style(style),
        label,
        None if color is None else _color("color", color),
        _color("label_color", query.get("label_color", LABEL_COLOR)),
        numbers == "full",
        None if milestone is None else parse_n(milestone),
    )


def _color(name: str, value: str) -> str:
    if value in COLORS:
        return COLORS[value]
    if _HEX.match(value) is None:
        raise _wrong(name, value, f"3 or 6 digits of hex, or one of {', '.join(COLORS)}")
    return f"#{value.lower()}"


def _wrong(name: str, value: str, meant: str) -> InvalidRequestError:
    shown = f"{value[:SHOWN_CHARACTERS_MAX]!r}{'...' * (len(value) > SHOWN_CHARACTERS_MAX)}"
    return InvalidRequestError(f"{name} is {shown}; write {meant}")


class Said(NamedTuple):
    """What a badge says, and on which color."""

    label: str
    message: str
    color: str


def say(counter: str, value: int, options: Options) -> Said:
    """What a badge of a counter says."""
    label = counter if options.label is None else options.label
    written = full if options.full else compact
    if options.milestone is None:
        return Said(label, written(value), options.color or COLORS[COLOR])
    n, left = options.milestone, options.milestone - value
    if left <= 0:
        return Said(label, f"{written(n)} reached", options.color or COLORS[REACHED_COLOR])
    return Said(label, f"{written(left)} until {written(n)}", options.color or COLORS[COLOR])


def compact(value: int) -> str:
    """Three digits or so, never more than there is: 999, 1.2k, 12k, 999k, 1M."""
    power = min((len(str(value)) - 1) // 3, len(PREFIXES) - 1)
    whole, rest = divmod(value, 1000**power)
    tenth = rest * 10 // 1000**power
    return f"{whole}.{tenth}{PREFIXES[power]}" if power and whole < 10 and tenth else f"{whole}{PREFIXES[power]}"


def full(value: int) -> str:
    """All digits, in threes."""
    return f"{value:,}".replace(",", GAP)
