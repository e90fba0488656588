"""Reads requests about milestones, claims and imports; pure, as requests.py."""

import re

import msgspec

from footfall.core.vector import ENTRY_MAX
from footfall.core.visit import check_text
from footfall.errors import InvalidRequestError
from footfall.web import wire
from footfall.web.bodies import decode, refuse_repeats

SHOWN_CHARACTERS_MAX = 60

_N = re.compile(r"[1-9][0-9]{0,18}\Z")  # one way to write each: it is a part of a milestone's address


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Claim(msgspec.Struct, forbid_unknown_fields=True):
    receipt: str


class _Import(msgspec.Struct, forbid_unknown_fields=True):
    value: int
    note: str


_decode_nothing = msgspec.json.Decoder(_Nothing).decode
_decode_claim = msgspec.json.Decoder(_Claim).decode
_decode_import = msgspec.json.Decoder(_Import).decode


def parse_n(text: str) -> int:
    """The N of a milestone. Raises InvalidRequestError."""
    if _N.match(text) is None or int(text) > ENTRY_MAX:
        shown = f"{text[:SHOWN_CHARACTERS_MAX]!r}{'...' * (len(text) > SHOWN_CHARACTERS_MAX)}"
        raise InvalidRequestError(
            f"N is {shown}; it must be a whole number from 1 to 2**63 - 1, in digits alone and not beginning with 0"
        )
    return int(text)


def check_nothing(body: bytes) -> None:
    """See that a body says nothing: it is empty, or {}. Raises MalformedRequestError or InvalidRequestError."""
    if body:
        decode(_decode_nothing, body)


def parse_claim(body: bytes) -> str:
    """The receipt of a claim. Raises MalformedRequestError, InvalidRequestError or InvalidVisitError."""
    claim = decode(_decode_claim, body)
    refuse_repeats(body, 1, [claim.receipt])
    check_text("receipt", claim.receipt, wire.RECEIPT_BYTES_MAX)
    return claim.receipt


def parse_import(body: bytes) -> wire.Import:
    """A prior count. Raises MalformedRequestError or InvalidRequestError; what it may be is the node's to say."""
    asked = decode(_decode_import, body)
    refuse_repeats(body, 2, [asked.note])
    return wire.Import(asked.value, asked.note)
