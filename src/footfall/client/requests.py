"""What a client asks of a node, and what the answers mean: bytes and values, for whichever way they are sent. Pure."""

import secrets
from math import ceil
from typing import Annotated, Literal, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from footfall.client.batches import Batch
from footfall.client.buffer import Buffer, check_counter
from footfall.client.refusals import foreign, refusal

KEY_BYTES = 16  # 22 characters: a key that is its own receipt, so that a lost answer loses no receipt

_VISITS = "/v1/visits"

_Answer = TypeVar("_Answer")


class Receipt(msgspec.Struct, frozen=True):
    """The answer to visits that are durable.

    Attributes:
        counter: What was visited.
        receipt: What nobody else can know; if the visit is a milestone's winner, it claims the prize.
        stored: Whether the visits are in the log, or on a node's disk until the log is back.
        accepted: How many visits they were.
    """

    counter: str
    receipt: str
    stored: Literal["log", "spool"]
    accepted: int


class Asking(NamedTuple):
    """A request to any node.

    Attributes:
        key: An idempotency key of the request itself.
        age_s: How long ago visits were sent that may have been counted then; 0 for new ones.
    """

    method: str
    path: str
    body: bytes | None = None
    key: str | None = None
    age_s: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it counts visits, so that a late repeat might count them twice."""
        return self.path == _VISITS

    @property
    def headers(self) -> dict[str, str]:
        """What describes the body. A node refuses visits whose keys it may have forgotten since."""
        headers = {} if self.body is None else {"content-type": "application/json"}
        if self.key is not None:
            headers["idempotency-key"] = self.key
        if self.counts and self.age_s > 0:
            headers["idempotency-key-age"] = str(ceil(self.age_s))
        return headers

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Stored(msgspec.Struct, frozen=True):
    """The answer to visits: they are durable."""

    accepted: int
    stored: Literal["log", "spool"]


class HitStored(Stored, frozen=True):
    """The same for one visit."""

    receipts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1)]


class Reading(msgspec.Struct, frozen=True):
    """The answer to the question for a counter."""

    value: int


def new_receipt() -> str:
    """A random key for a visit that is its own receipt: whoever has it can claim, if the visit is a milestone's winner.

    Give it to the visitor, and to ``increment`` or ``hit`` as ``key``.
    """
    return secrets.token_urlsafe(KEY_BYTES)


def asking_to_count(counter: str, visitor: str | None, count: int, key: str | None) -> Asking:
    """The request for a visit, under a key, so that it can be repeated. Raises CallerError if it is none."""
    buffer = Buffer(1)
    buffer.put(counter, visitor, count, key)  # so the same is refused, in the same words
    visits = buffer.take(1)
    visits[0].key = key or new_receipt()
    return asking_to_store(Batch(visits).body, 0.0)


def asking_to_store(body: bytes, age_s: float) -> Asking:
    """The request for a batch's visits, which may have been counted so long ago."""
    return Asking("POST", _VISITS, body, age_s=age_s)


def asking_for(counter: str, exact: bool) -> Asking:
    """The request for a counter's value. Raises InvalidNameError."""
    path = path_of(counter)
    return Asking("GET", f"{path}?consistency=linearizable" if exact else path)


def asking_for_events(counter: str) -> Asking:
    """The request for what happens to a counter. Raises InvalidNameError."""
    return Asking("GET", f"{path_of(counter)}/events")


def path_of(counter: str) -> str:
    """Where nodes have a counter. Raises InvalidNameError."""
    return f"/v1/counters/{quote(check_counter(counter), safe='')}"


def receipt_of(counter: str, answer: HitStored) -> Receipt:
    """The receipt in an answer."""
    return Receipt(counter, answer.receipts[0], answer.stored, answer.accepted)


def raise_refusal(url: str, asked: Asking, response: httpx.Response) -> None:
    """Raises FootfallError unless the answer is a success; its body was read."""
    if not response.is_success:
        raise refusal(url, str(asked), response)


def decoded(url: str, asked: Asking, response: httpx.Response, shape: type[_Answer]) -> _Answer:
    """What an answer says. Raises FootfallError if it is a refusal, or no node's."""
    raise_refusal(url, asked, response)
    try:
        return msgspec.json.decode(response.content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise foreign(url, str(asked), response, str(error)) from None
