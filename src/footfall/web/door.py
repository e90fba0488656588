"""Decides ahead of every request who asks, whether they may, and how often; knows the settings, and no handler.

The hot path and the application ask the same door, so that they cannot differ.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from math import ceil, inf
from typing import NamedTuple

from footfall.addresses import Proxies, hashed, household, parse_address
from footfall.config import Config
from footfall.errors import ForbiddenError, RateLimitedError, TooLargeError, UnauthorizedError
from footfall.web.buckets import Buckets, Limit
from footfall.web.cors import Cors
from footfall.web.tokens import TOKENS_MAX, Scope, Token, Tokens, bearer, covers

ADDRESSES_MAX = 100_000  # buckets of addresses: 15 MB
SHOWN_COUNTERS_MAX = 5

Headers = Iterable[tuple[bytes, bytes]]  # names in lower case

ANYONE = Token("", b"", frozenset(Scope))  # who asks a node that has no tokens


class Sender(NamedTuple):
    """Where a request comes from.

    Attributes:
        client: Tells clients apart; None where that does not matter, or is not known.
        visitor: Who visits where no visitor is named, if that is the client.
    """

    client: str | None
    visitor: str | None


NOBODY = Sender(None, None)


class Door:
    """The door of one node.

    Args:
        config: The node's settings.
        tokens: Who may do what; None: anyone, all.
        visitors_key: Keys the hashes that stand for addresses.
        clock: A monotonic clock, in seconds.

    Attributes:
        tokens: The tokens now.
        public_reads: Whether counters and milestones may be read without one.
        public_writes: Counters that anyone may visit, and claim for, with those below them.
        cors: Which pages may read answers.
        limiting: Whether there may be a limit on anyone.
        warning: What a person should know of the tokens; empty: nothing.
        certificate_warning: The same of the certificate.
        watchers: Called when there are other tokens.
        proxies: Whose word for a client's address is taken.
    """

    def __init__(
        self,
        config: Config,
        tokens: Tokens | None = None,
        visitors_key: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tokens = tokens
        self.public_reads = config.public_reads
        self.public_writes = config.public_writes
        self.cors = Cors(config.cors_origins)
        self.limiting = bool(config.rate_per_address or tokens is not None)
        self.warning = self.certificate_warning = ""
        self.watchers: list[Callable[[], None]] = []
        self.proxies = Proxies(config.trusted_proxies)
        self._visitors_key = visitors_key
        self._from_address, self._hash = config.visitor_from_address, config.hash_visitors
        self._tells_apart = bool(config.rate_per_address or config.visitor_from_address)
        self._burst_s = config.rate_burst_s
        self._per_address = self._limit(config.rate_per_address)
        self._per_token = self._limit(config.rate_per_token)
        self._address_buckets = Buckets(ADDRESSES_MAX)
        self._token_buckets = Buckets(TOKENS_MAX)
        self._clock = clock

    def replace(self, tokens: Tokens) -> None:
        """Let other tokens hold from now on."""
        self.tokens = tokens
        for watcher in self.watchers:
            watcher()

    @property
    def warnings(self) -> list[str]:
        """What a person should know of it. Anyone may see that: it names no file."""
        return [one for one in (self.warning, self.certificate_warning) if one]

    def warn_of_certificate(self, warning: str) -> None:
        """What a person should know of the certificate; empty: nothing."""
        self.certificate_warning = warning

    # Who

    def identify(self, headers: Headers) -> Token | None:
        """The token that a request shows; None if it shows none. Raises UnauthorizedError for one that is not known."""
        if self.tokens is None:
            return ANYONE
        shown = [value for name, value in headers if name == b"authorization"]
        if not shown:
            return None
        secret = bearer(shown[0])
        if len(shown) > 1 or secret is None:
            raise UnauthorizedError("the Authorization header is not one of the form: Bearer SECRET")
        token = self.tokens.find(secret)
        if token is None:
            raise UnauthorizedError("this node does not know the token; it was mistyped, or is not in force any more")
        return token

    def sender(self, peer: str | None, forwarded: Sequence[bytes] = ()) -> Sender:
        """Where a request comes from: ``peer`` is the other end of the connection, ``forwarded`` what proxies say."""
        if not self._tells_apart or peer is None:
            return NOBODY
        address = self.proxies.client(parse_address(peer), forwarded)
        if address is None:
            return NOBODY
        client = household(address)
        if not self._from_address:
            return Sender(client, None)
        return Sender(client, hashed(client, self._visitors_key) if self._hash else client)

    # Whether

    def check(self, token: Token | None, scope: Scope, public: bool = False) -> None:
        """See that a token is good for something.

        Args:
            token: What ``identify`` returned.
            scope: What for.
            public: Whether it is what may be public.

        Raises:
            UnauthorizedError: There is no token.
            ForbiddenError: It is not good for that.
        """
        if public and self.public_reads and scope is Scope.READ:
            return
        if token is None:
            raise UnauthorizedError(
                "this needs a token: send the header Authorization: Bearer SECRET (commands: --token or FOOTFALL_TOKEN)"
            )
        if scope not in token.scopes:
            scopes = ", ".join(sorted(token.scopes))
            raise ForbiddenError(f"the token {token.name!r} is good for {scopes}, and this needs {scope}")

    def check_counter(
        self, token: Token | None, counter: str | None, index: int | None = None, public: bool = False
    ) -> None:
        """See that a token is good for a counter, or for all if it is None. Raises ForbiddenError, with ``index``."""
        if token is None or not token.counters or (public and self.public_reads):
            return
        if counter is None or not token.covers(counter):
            what = "what is about all counters" if counter is None else counter[:200]
            names = ", ".join(token.counters[:SHOWN_COUNTERS_MAX])
            more = " and others" if len(token.counters) > SHOWN_COUNTERS_MAX else ""
            raise ForbiddenError(
                f"the token {token.name!r} is good for {names}{more} and what is below, not for {what}", index
            )

    def sees_nodes(self, token: Token | None) -> bool:
        """Whether a token is good for what is about the nodes, which is never public, as ``/v1/nodes`` is not."""
        return token is not None and Scope.READ in token.scopes and not token.counters

    def open_to_all(self, counter: str) -> bool:
        """Whether anyone may visit a counter, whatever token he shows, if any."""
        return bool(self.public_writes) and covers(self.public_writes, counter)

    def check_visit(self, token: Token | None, counter: str, index: int | None = None) -> None:
        """See that a counter may be visited. Raises UnauthorizedError, and ForbiddenError, with ``index``."""
        if not self.open_to_all(counter):
            self.check(token, Scope.WRITE)
            self.check_counter(token, counter, index)

    def may_define(self, token: Token | None, counter: str) -> bool:
        """Whether a visit that was let in may define its counter.

        Counters are for ever, so anyone's visit defines only those that the settings name, and none below them.
        """
        writes = token is not None and Scope.WRITE in token.scopes and token.covers(counter)
        return writes or counter in self.public_writes

    def admit(self, headers: Headers, scope: Scope, counter: str | None, public: bool = False) -> Token | None:
        """The token of a request that may go on.

        Args:
            headers: The request's.
            scope: What it needs.
            counter: What it is about; None for all counters.
            public: Whether it reads, visits or claims, which the settings may let anyone do.

        Raises:
            UnauthorizedError: As ``identify`` and ``check``.
            ForbiddenError: As ``check`` and ``check_counter``.
        """
        token = self.identify(headers)
        if public and scope is Scope.WRITE and counter is not None:
            self.check_visit(token, counter)
        else:
            self.check(token, scope, public)
            self.check_counter(token, counter, public=public)
        return token

    # How often

    def charge(self, client: str | None, token: Token | None, visits: int) -> None:
        """Take visits from the buckets of a client and of a token: from both, or from none.

        Raises:
            RateLimitedError: They come too fast.
            TooLargeError: They are more than may ever come at once.
        """
        limits = self._limits(client, token)
        if not limits:
            return
        now_s = self._clock()
        for buckets, key, limit in limits:
            wait_s = buckets.wait_s(key, visits, limit, now_s)
            if wait_s == inf:
                raise TooLargeError(
                    f"{visits} visits in one request; this client may send {int(limit.at_once)} at once and "
                    f"{limit.per_s:g} a second: send fewer in a request"
                )
            if wait_s:
                what = "this address" if buckets is self._address_buckets else f"the token {key!r}"
                wait_s = ceil(wait_s)
                raise RateLimitedError(f"{what} may send {limit.per_s:g} visits a second; wait {wait_s} s", wait_s)
        for buckets, key, limit in limits:
            buckets.take(key, visits, limit, now_s)

    def give_back(self, client: str | None, token: Token | None, visits: int) -> None:
        """Undo a ``charge`` of just now."""
        for buckets, key, limit in self._limits(client, token):
            buckets.give_back(key, visits, limit)

    def _limits(self, client: str | None, token: Token | None) -> list[tuple[Buckets, str, Limit]]:
        found = []
        if client is not None and self._per_address is not None:
            found.append((self._address_buckets, client, self._per_address))
        if token is not None and token is not ANYONE:
            limit = self._per_token if token.rate is None else self._limit(token.rate)
            if limit is not None:
                found.append((self._token_buckets, token.name, limit))
        return found

    def _limit(self, per_s: float) -> Limit | None:
        return Limit(per_s, self._burst_s) if per_s else None
