"""Which answered requests are visits, to which counter and by whom. Pure; knows no framework and no network."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Literal, Protocol, TypedDict

import msgspec

from footfall.addresses import Proxies, hashed, household, parse_address
from footfall.bots import is_bot
from footfall.core.names import PARTS_MAX, check_name, lineage
from footfall.core.visit import Visit
from footfall.errors import ConfigError, TooManyCountersError
from footfall.naming import NAMES_MAX, below, host_parts, path_parts

METHODS = ("GET",)
STATUSES = range(200, 400)  # what was not found, or failed, was no visit


class Request(msgspec.Struct, frozen=True):
    """A request that was answered.

    Attributes:
        method: In capitals.
        path: Decoded, without the query.
        host: As the client named it, perhaps with a port; empty if it did not.
        headers: By names in lower case; what was sent several times is joined by commas.
        address: The client's, behind the proxies that are trusted; None if it is not known.
        status: Of the answer.
    """

    method: str
    path: str
    host: str
    headers: Mapping[str, str]
    address: str | None
    status: int


class Increments(Protocol):
    """What is asked of a client: that it takes a visit at once, and keeps it until it can be sent."""

    def increment(self, name: str, visitor: str | None = None) -> None:
        """Take a visit."""

    def flush(self, timeout_s: float) -> object:
        """Send what was taken."""


class Options(TypedDict, total=False):
    """What middleware can be told beside the counter.

    Attributes:
        url: A node's, or several; by default as for ``footfall.Client``.
        token: With scope ``write``, where nodes ask for one; by default as for ``footfall.Client``.
        client: A client to use, instead of one that is made from ``url`` and ``token``.
        include: Count only what is at or below these paths.
        exclude: Do not count what is at or below these.
        methods: Of requests that count; GET alone by default.
        statuses: Of answers that count; 200 to 399 by default.
        exclude_bots: Leave out crawlers, monitors and scripts, by the list of the package crawler-user-agents.
        do_not_track: Leave out who sends ``DNT: 1`` or ``Sec-GPC: 1``.
        visitor: Who made a visit. ``address``: a hash of the client's address under ``visitor_key``; of IPv6, of its
            network. ``plain-address``: the address itself. Or a function of the request. By default nobody asks.
        visitor_key: A secret text, the same for all processes that should know one visitor as the same.
        trusted_proxies: Addresses and networks whose X-Forwarded-For is believed.
    """

    url: str | Sequence[str]
    token: str
    client: Increments
    include: Iterable[str]
    exclude: Iterable[str]
    methods: Iterable[str]
    statuses: Container[int]
    exclude_bots: bool
    do_not_track: bool
    visitor: Literal["address", "plain-address"] | Callable[[Request], str | None] | None
    visitor_key: str
    trusted_proxies: Iterable[str]


class Rules:
    """What the options of middleware say.

    Args:
        counter: A counter's name, or a function of a request that returns one; None for a request that is no visit.
        options: The others.

    Raises:
        InvalidNameError: If the counter is no name.
        ConfigError: If an option has a value that it cannot have.
    """

    def __init__(self, counter: str | Callable[[Request], str | None], options: Options) -> None:
        if not callable(counter):
            check_name(counter)
        self._counter = counter
        self._include = _prefixes("include", options.get("include", ()))
        self._exclude = _prefixes("exclude", options.get("exclude", ()))
        self._methods = frozenset(method.upper() for method in _listed("methods", options.get("methods", METHODS)))
        self._statuses = options.get("statuses", STATUSES)
        self._bots_count = not options.get("exclude_bots", False)
        self._do_not_track = options.get("do_not_track", False)
        self._visitor = _identify(options)
        self._names = Bounded(NAMES_MAX)
        self._proxies = _proxies(options.get("trusted_proxies", ()))

    def may_count(self, method: str, path: str) -> bool:
        """Whether a request can be a visit, by what is known before it is answered."""
        if method not in self._methods:
            return False
        if not self._include and not self._exclude:
            return True
        whole = f"{path}/"
        return not (self._include and not whole.startswith(self._include)) and not whole.startswith(self._exclude)

    def counts(self, status: int) -> bool:
        """Whether an answer of this status is one to a visit."""
        return status in self._statuses

    @property
    def fixed(self) -> Visit | None:
        """What every request that may count is, if it can be told without looking at it further."""
        plain = self._bots_count and not self._do_not_track and self._visitor is None
        return Visit(self._counter, None) if plain and isinstance(self._counter, str) else None

    def visit(self, request: Request) -> Visit | None:
        """The visit that a request is; None if it is none.

        Raises:
            InvalidNameError: The user's function returned what is no name.
            TooManyCountersError: It returned too many names, and none of those counted is above this one.
            Exception: Whatever the user's functions raise.
        """
        headers = request.headers
        if not self._bots_count and is_bot(headers.get("user-agent")):
            return None
        if self._do_not_track and "1" in (headers.get("dnt"), headers.get("sec-gpc")):
            return None
        counter = self._counter if isinstance(self._counter, str) else self._named(self._counter(request))
        if counter is None:
            return None
        return Visit(counter, self._visitor(request) if self._visitor is not None else None)

    def request(self, method: str, path: str, headers: Mapping[str, str], peer: str | None, status: int) -> Request:
        """A request, as frameworks tell of it; ``peer`` is where its connection came from."""
        address = self.client_address(peer, headers)
        return Request(method, path, headers.get("host", ""), headers, address, status)

    def client_address(self, peer: str | None, headers: Mapping[str, str]) -> str | None:
        """The address of a request's client, behind the proxies that are trusted."""
        forwarded = headers.get("x-forwarded-for")
        if peer is None or forwarded is None or self._proxies is None:
            return peer
        address = self._proxies.client(parse_address(peer), [forwarded.encode("latin-1", "replace")])
        return peer if address is None else str(address)

    def _named(self, name: str | None) -> str | None:
        if name is None:
            return None
        admitted = self._names.admit(check_name(name))
        if admitted is None:
            raise TooManyCountersError(f"{NAMES_MAX} counters were visited by this process, and none above {name}")
        return admitted


class Bounded:
    """Counters' names, of which no more are let through than was said: a scanner asks for any number of paths."""

    def __init__(self, names_max: int) -> None:
        self._names_max = names_max
        self._known: set[str] = set()

    def admit(self, name: str) -> str | None:
        """The name; the nearest known one above it if there are as many as may be; None if none above is known."""
        if name in self._known:
            return name
        nearest = None
        for counter in lineage(name):
            if counter not in self._known:
                if len(self._known) >= self._names_max:
                    return nearest
                self._known.add(counter)
            nearest = counter
        return nearest


def by_path(prefix: str, depth: int = PARTS_MAX) -> Callable[[Request], str]:
    """Count each path in a counter of its own: with prefix ``shop``, ``/books/new.html`` in ``shop.books.new_html``.

    Args:
        prefix: The counter that they all count in.
        depth: Take no more directories than so many; what is deeper counts there.

    Raises:
        InvalidNameError: If the prefix is no name.
    """
    check_name(prefix)
    return lambda request: below(prefix, path_parts(request.path, depth))


def by_host(prefix: str) -> Callable[[Request], str]:
    """Count each host in a counter of its own: with prefix ``sites``, ``www.example.com`` in ``sites.www_example_com``.

    Raises:
        InvalidNameError: If the prefix is no name.
    """
    check_name(prefix)
    return lambda request: below(prefix, host_parts(request.host))


def _prefixes(option: str, paths: Iterable[str]) -> tuple[str, ...]:
    listed = _listed(option, paths)
    for path in listed:
        if not path.startswith("/"):
            raise ConfigError(f"{option} has {path!r}; a path starts with /, such as /{path}")
    return tuple(f"{path.rstrip('/')}/" for path in listed)


def _proxies(networks: Iterable[str]) -> Proxies | None:
    listed = _listed("trusted_proxies", networks)
    try:
        return Proxies(listed) if listed else None
    except ValueError as error:
        raise ConfigError(f"trusted_proxies: {error}; write 10.0.0.1 or 10.0.0.0/8") from None


def _listed(option: str, texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise ConfigError(f"{option} is {texts!r}; it must be a list, such as [{texts!r}]")
    return tuple(texts)


def _identify(options: Options) -> Callable[[Request], str | None] | None:
    """How the visitor of a request is told."""
    visitor = options.get("visitor")
    if visitor is None or callable(visitor):
        return visitor
    if visitor == "plain-address":
        return lambda request: request.address
    if visitor != "address":
        raise ConfigError(f"visitor is {visitor!r}; it must be 'address', 'plain-address' or a function of the request")
    secret = options.get("visitor_key")
    if not secret:
        raise ConfigError(
            "visitor='address' needs a visitor_key, a secret text that is the same for all processes; or write "
            "'plain-address', if addresses may be stored as they are"
        )
    key = sha256(secret.encode()).digest()

    def from_address(request: Request) -> str | None:
        address = parse_address(request.address or "")
        return None if address is None else hashed(household(address), key)

    return from_address
