"""What a client asks of a node, and what the answers mean: bytes and values, for whichever way they are sent. Pure."""

import secrets
import ssl
from math import ceil
from typing import Literal, NamedTuple, TypedDict, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from footfall.client.access import authorization, verification
from footfall.client.refusals import cause, foreign, refusal
from footfall.client.settings import CONNECT_TIMEOUT_S, Settings
from footfall.core.names import check_name
from footfall.core.visit import Visit, check_visit
from footfall.errors import UnavailableError, UnreachableError

KEY_BYTES = 16  # 22 characters: a key that is its own receipt, so that a lost answer loses no receipt

_JSON = {"content-type": "application/json"}
_encode = msgspec.json.encode
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
        age_s: How long ago visits were sent that may have been counted then; 0 for new ones.
    """

    method: str
    path: str
    body: bytes | None = None
    age_s: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """What describes the body. A node refuses visits whose keys it may have forgotten since."""
        if self.body is None:
            return {}
        return _JSON if self.age_s <= 0 else {**_JSON, "idempotency-key-age": str(ceil(self.age_s))}

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class _Accepted(msgspec.Struct, frozen=True):
    accepted: int
    stored: Literal["log", "spool"]
    receipts: list[str] = []


class _Reading(msgspec.Struct, frozen=True):
    value: int


class _Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    visits: list[Visit]


def asking_to_count(counter: str, visitor: str | None, count: int, key: str | None) -> Asking:
    """The request for a visit, under a key, so that it can be repeated. Raises CallerError if it is none."""
    visit = Visit(counter, visitor, key or secrets.token_urlsafe(KEY_BYTES), count)
    check_visit(visit)
    return Asking("POST", "/v1/visits", _encode(_Batch([visit])))


def asking_to_store(body: bytes, age_s: float) -> Asking:
    """The request for a batch's visits, which may have been counted so long ago."""
    return Asking("POST", "/v1/visits", body, age_s)


def asking_for(counter: str, exact: bool) -> Asking:
    """The request for a counter's value. Raises InvalidNameError."""
    path = f"/v1/counters/{quote(check_name(counter), safe='')}"
    return Asking("GET", f"{path}?consistency=linearizable" if exact else path)


def asking_for_events(counter: str) -> Asking:
    """The request for what happens to a counter. Raises InvalidNameError."""
    return Asking("GET", f"/v1/counters/{quote(check_name(counter), safe='')}/events")


def receipt_of(counter: str, url: str, asked: Asking, response: httpx.Response) -> Receipt:
    """The receipt in an answer. Raises FootfallError."""
    answer = _decoded(url, asked, response, _Accepted)
    if len(answer.receipts) != 1:
        raise foreign(url, str(asked), response, f"{len(answer.receipts)} receipts for a visit")
    return Receipt(counter, answer.receipts[0], answer.stored, answer.accepted)


def value_of(url: str, asked: Asking, response: httpx.Response) -> int:
    """The value in an answer. Raises FootfallError."""
    return _decoded(url, asked, response, _Reading).value


def stored_of(url: str, asked: Asking, response: httpx.Response) -> None:
    """Raises FootfallError unless the visits are stored."""
    _decoded(url, asked, response, _Accepted)


def raise_refusal(url: str, asked: Asking, response: httpx.Response) -> None:
    """Raises FootfallError unless the answer is a success; its body was read."""
    if not response.is_success:
        raise refusal(url, str(asked), response)


def _decoded(url: str, asked: Asking, response: httpx.Response, shape: type[_Answer]) -> _Answer:
    raise_refusal(url, asked, response)
    try:
        return msgspec.json.decode(response.content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise foreign(url, str(asked), response, str(error)) from None


def network_error(url: str, asked: Asking, error: httpx.TransportError) -> UnavailableError:
    """What it means that nothing was answered: UnreachableError if nothing was sent either."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        why = cause(error)
        unknown = "issuer" in why or "self-signed" in why
        do = ": give the certificate of whoever signed it as ca, or in FOOTFALL_CA" if unknown else ""
        return UnreachableError(f"no node answers at {url} ({why}){do}")
    return UnavailableError(f"{url} broke off {asked}: {cause(error)}")


def timeout(longest_s: float) -> httpx.Timeout:
    """How long a node may take to answer."""
    return httpx.Timeout(longest_s, connect=min(CONNECT_TIMEOUT_S, longest_s))


class HttpOptions(TypedDict):
    """What httpx needs to know to reach the nodes."""

    timeout: httpx.Timeout
    headers: dict[str, str]
    verify: ssl.SSLContext | bool
    trust_env: bool


def http_options(settings: Settings) -> HttpOptions:
    """How the nodes are reached. Raises ConfigError if certificates cannot be read."""
    secure = next((url for url in settings.urls if url.startswith("https:")), settings.urls[0])
    return {
        "timeout": timeout(settings.answer_timeout_s),
        "headers": authorization(settings.token),
        "verify": verification(secure, settings.ca if secure.startswith("https:") else None),
        "trust_env": False,  # a proxy from the environment would hide loopback
    }
