"""Draws a badge as SVG. Pure; every text is escaped, and nothing in it can run, load or link.

Browsers measure texts with the fonts that they have. So each text is told how long it is, by a table of Verdana's
widths, and stretched or squeezed into it.
"""

import enum
import unicodedata
from html import escape
from typing import NamedTuple

FONT = "Verdana,Geneva,DejaVu Sans,sans-serif"
EM = 2048  # of the table below
WIDE, OTHERWISE = 2048, 1400  # characters that are not in it: East Asian ones, and the rest
BRIGHT = 0.69  # a background that is brighter has dark text
PADDING = 5

_BY_WIDTH = {
    550: "'", 562: "il", 705: "j", 720: " f\u202f", 745: ",.", 806: "!", 807: "t", 862: "I", 874: "r",
    930: "()-/:;[\\]|", 931: "J", 940: '"', 1067: "cs", 1076: "z", 1117: "?", 1140: "L", 1177: "F", 1212: "kvxy",
    1220: "e", 1230: "a", 1235: "P", 1243: "o", 1260: "Y", 1262: "T", 1276: "bdgpq", 1295: "E", 1296: "hnu", 1300: "{}",
    1302: "$*0123456789_`", 1400: "ASV", 1403: "XZ", 1404: "B", 1419: "K", 1424: "R", 1430: "C", 1488: "&", 1499: "U",
    1532: "N", 1539: "H", 1578: "D", 1588: "G", 1612: "OQ", 1676: "#+<=>^w~", 1726: "M", 1992: "m", 2025: "W",
    2048: "@", 2204: "%",
}  # fmt: skip
_WIDTHS = {character: width for width, characters in _BY_WIDTH.items() for character in characters}


class Style(enum.StrEnum):
    """How a badge looks; the names are those of shields.io."""

    FLAT = "flat"
    FLAT_SQUARE = "flat-square"
    PLASTIC = "plastic"
    FOR_THE_BADGE = "for-the-badge"


class Look(NamedTuple):
    """A style's measures.

    Attributes:
        height: In pixels.
        radius: Of the corners.
        size: Of the text.
        spacing: Between its letters.
        shine: The gradient that lies over it, as stops: offset, grey, opacity.
    """

    height: int
    radius: int
    size: int
    spacing: float
    shine: tuple[tuple[str, str, str], ...]


_FLAT_SHINE = (("0", "#bbb", ".1"), ("1", "#000", ".1"))
_PLASTIC_SHINE = (("0", "#fff", ".7"), (".1", "#aaa", ".1"), (".9", "#000", ".3"), ("1", "#000", ".5"))
LOOKS = {
    Style.FLAT: Look(20, 3, 11, 0, _FLAT_SHINE),
    Style.FLAT_SQUARE: Look(20, 0, 11, 0, ()),
    Style.PLASTIC: Look(18, 4, 11, 0, _PLASTIC_SHINE),
    Style.FOR_THE_BADGE: Look(28, 0, 10, 1.2, ()),
}


class Half(NamedTuple):
    """A half of a badge: what it says on which color, ``#rgb`` or ``#rrggbb``."""

    text: str
    color: str


def draw(left: Half, right: Half, style: Style) -> str:
    """A badge of two halves; of one, if the left says nothing."""
    look = LOOKS[style]
    if style is Style.FOR_THE_BADGE:
        left, right = left._replace(text=left.text.upper()), right._replace(text=right.text.upper())
    title = escape(f"{left.text}: {right.text}" if left.text else right.text)
    lengths = [text_width(half.text, look) for half in (left, right)]
    padding = 2 * PADDING if style is Style.FOR_THE_BADGE else PADDING
    cut, rest = (round(length + 2 * padding) if length else 0 for length in lengths)
    width = cut + rest
    shine = "".join(f'<stop offset="{at}" stop-color="{grey}" stop-opacity="{op}"/>' for at, grey, op in look.shine)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{look.height}" role="img" ',
        f'aria-label="{title}">',
        f"<title>{title}</title>",
        f'<linearGradient id="s" x2="0" y2="100%">{shine}</linearGradient>' if shine else "",
        f'<clipPath id="r"><rect width="{width}" height="{look.height}" rx="{look.radius}"/></clipPath>',
        f'<g clip-path="url(#r)"><rect width="{cut}" height="{look.height}" fill="{left.color}"/>',
        f'<rect x="{cut}" width="{rest}" height="{look.height}" fill="{right.color}"/>',
        f'<rect width="{width}" height="{look.height}" fill="url(#s)"/></g>' if shine else "</g>",
        f'<g text-anchor="middle" font-family="{FONT}" font-size="{look.size}">',
        _text(left, cut / 2, lengths[0], look, bold=False) if cut else "",
        _text(right, cut + rest / 2, lengths[1], look, bold=style is Style.FOR_THE_BADGE),
        "</g></svg>",
    ]
    return "".join(parts)


def _text(half: Half, middle: float, length: float, look: Look, *, bold: bool) -> str:
    text = escape(half.text)
    color, shadow = ("#333", "#ccc") if brightness(half.color) > BRIGHT else ("#fff", "#010101")
    base = look.height / 2 + look.size * 0.36
    at = f'x="{middle:.1f}" textLength="{length:.1f}"' + (' font-weight="bold"' if bold else "")
    drawn = f'<text {at} y="{base:.1f}" fill="{color}">{text}</text>'
    if look.shine:
        drawn = (
            f'<text aria-hidden="true" {at} y="{base + 1:.1f}" fill="{shadow}" fill-opacity=".3">{text}</text>' + drawn
        )
    return drawn


def text_width(text: str, look: Look) -> float:
    """How wide a text is, in pixels."""
    return sum(map(_width, text)) * look.size / EM + look.spacing * len(text)


def _width(character: str) -> int:
    base = unicodedata.normalize("NFD", character)[0]  # without its accents
    return _WIDTHS.get(base, WIDE if unicodedata.east_asian_width(character) in "WF" else OTHERWISE)


def brightness(color: str) -> float:
    """How bright a color seems, from 0 to 1."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    return (red * 299 + green * 587 + blue * 114) / 255_000
