"""Looks whether a counter is there, as a typo makes a new one without a word; and finds what may have been meant."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from footfall.cli.client import Client
from footfall.core.names import lineage
from footfall.errors import FootfallError

SIBLINGS_MAX = 500  # names that are compared, of each level: 1 ms, and 0.5 s if they have 200 characters each
LIKENESS_MIN = 0.75  # of difflib: raffl and raffle have 0.91, books and blogs 0.6


class Looked(NamedTuple):
    """What a node knows of a counter.

    Attributes:
        unit: What it counts; empty if it is not there, None if the node does not say.
        meant: Where it is not there: the name that resembles it most, if one does.
    """

    unit: str | None
    meant: str = ""

    @property
    def missing(self) -> bool:
        """Whether there is no such counter."""
        return self.unit == ""

    @property
    def question(self) -> str:
        """What may have been meant, to end a line with."""
        return f"; did you mean {self.meant}?" if self.meant else ""


def look(client: Client, counter: str) -> Looked:
    """Ask a node for a counter: one request if it is there. A token may be good for less: then nothing is known."""
    try:
        found = client.find(counter)
    except FootfallError:
        return Looked(None)
    return Looked("", _meant(client, counter)) if found is None else Looked(found.unit)


def _meant(client: Client, counter: str) -> str:
    """The counter that resembles it, at the lowest level at which there are others; each level is a request."""
    try:
        for name in reversed(lineage(counter)):
            others = [row["counter"] for row in client.below(name.rpartition(".")[0], SIBLINGS_MAX)]
            if others:
                return nearest(name, others)
    except FootfallError:
        pass
    return ""


def nearest(name: str, others: Sequence[str]) -> str:
    """That of some names beside it which resembles it most; empty if none does, or if it is one of them."""
    parts = {other.rpartition(".")[2]: other for other in others}
    found = get_close_matches(name.rpartition(".")[2], parts, 1, LIKENESS_MIN)
    return parts[found[0]] if found and name not in others else ""
