"""Bearer tokens: reads what a file says of them, and finds the one that is presented; pure, and knows no request."""

import enum
import re
import tomllib
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

from footfall.core.names import check_name
from footfall.errors import ConfigError, InvalidNameError

SECRET_CHARACTERS_MIN = 22  # 128 bits in base64
SECRET_CHARACTERS_MAX = 256
EXAMPLE = "replace-by"  # so begin secrets in the documentation
TOKENS_MAX = 10_000  # 5 MB
COUNTERS_MAX = 100  # of one token: each request is compared with all of them
RATE_MAX = 1e9

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_SECRET = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")  # RFC 6750: what can be sent behind "Bearer"
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_FIELDS = ("secret", "sha256", "scopes", "counters", "rate")


class Scope(enum.StrEnum):
    """What a token is good for; none of them includes another."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Token(msgspec.Struct, frozen=True):
    """Who may do what.

    Attributes:
        name: For messages; it is no secret.
        digest: SHA-256 of the secret.
        scopes: What it is good for.
        counters: It is good for these and for those below them; all, if there are none.
        rate: Visits a second; 0 for no limit, None for the one that the settings say.
    """

    name: str
    digest: bytes
    scopes: frozenset[Scope]
    counters: tuple[str, ...] = ()
    rate: float | None = None

    def covers(self, counter: str) -> bool:
        """Whether it is good for a counter."""
        return not self.counters or covers(self.counters, counter)


def covers(counters: Iterable[str], counter: str) -> bool:
    """Whether a counter is one of these, or below one."""
    return any(counter == one or counter.startswith(one + ".") for one in counters)


class Tokens:
    """All tokens of a node.

    A presented secret is looked up by its SHA-256. How long that takes can tell something of the digest of what was
    presented, which its sender can work out himself. To learn the digest of a real secret from it, he would need
    secrets whose digests begin as he likes: preimages of SHA-256. The secrets themselves are never compared.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {token.digest: token for token in tokens}

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, secret: bytes) -> Token | None:
        """The token whose secret this is."""
        return self._by_digest.get(sha256(secret).digest())


def bearer(authorization: bytes) -> bytes | None:
    """The secret in the value of an Authorization header (RFC 6750); None if there is none."""
    scheme, _, secret = authorization.strip().partition(b" ")
    return secret.strip() or None if scheme.lower() == b"bearer" else None


def parse_tokens(text: str, where: str) -> Tokens:
    """The tokens of a file: a TOML table for each, named as it is.

    Args:
        text: The file.
        where: What it is called in messages.

    Raises:
        ConfigError: Names the token and the field. It shows no secret.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where} cannot be read as TOML: {error}") from None
    if not 1 <= len(tables) <= TOKENS_MAX:
        raise ConfigError(f"{where} has {len(tables)} tokens; there must be from 1 to {TOKENS_MAX}")
    found: dict[bytes, Token] = {}
    for name, table in tables.items():
        try:
            token = _token(name, table)
        except ValueError as error:
            raise ConfigError(f"{where}: token {name[:64]!r}: {error}") from None
        other = found.setdefault(token.digest, token)
        if other is not token:
            raise ConfigError(f"{where}: token {name!r}: secret: it is that of {other.name!r} too; make another")
    return Tokens(found.values())


def _token(name: str, table: Any) -> Token:
    """A token. Raises ValueError, which names the field."""
    if _NAME.match(name) is None:
        raise ValueError("name: write 1 to 64 letters, digits, '_', '-' and '.'")
    if not isinstance(table, dict):
        raise ValueError("it is no table; write [NAME], and below it secret = ... and scopes = [...]")
    if unknown := [field for field in table if field not in _FIELDS]:
        raise ValueError(f"{unknown[0][:60]}: there is no such field; there are {', '.join(_FIELDS)}")
    return Token(
        name, _digest(table), _scopes(table.get("scopes")), _counters(table.get("counters")), _rate(table.get("rate"))
    )


def _digest(table: dict[str, Any]) -> bytes:
    secret, digest = table.get("secret"), table.get("sha256")
    if (secret is None) == (digest is None):
        raise ValueError("secret: write either secret, or sha256, which is its SHA-256 in hex")
    if digest is not None:
        if not isinstance(digest, str) or _DIGEST.match(digest) is None:
            raise ValueError("sha256: write 64 digits of hex, in lower case")
        return bytes.fromhex(digest)
    if not isinstance(secret, str) or _SECRET.match(secret) is None:
        raise ValueError("secret: write letters, digits and '-', '.', '_', '~', '+', '/', with '=' at the end alone")
    if secret.startswith(EXAMPLE):
        raise ValueError(
            "secret: it is the one of an example, which everyone knows; make another: openssl rand -base64 32"
        )
    if not SECRET_CHARACTERS_MIN <= len(secret) <= SECRET_CHARACTERS_MAX:
        raise ValueError(
            f"secret: it has {len(secret)} characters; write from {SECRET_CHARACTERS_MIN} to {SECRET_CHARACTERS_MAX}, "
            "at random (openssl rand -base64 32)"
        )
    return sha256(secret.encode()).digest()


def _scopes(value: Any) -> frozenset[Scope]:
    if not isinstance(value, list) or not value or any(scope not in tuple(Scope) for scope in value):
        raise ValueError(f"scopes: write a list of {', '.join(Scope)}, such as ['write']")
    return frozenset(map(Scope, value))


def _counters(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not 1 <= len(value) <= COUNTERS_MAX or not all(isinstance(n, str) for n in value):
        raise ValueError(f"counters: write a list of 1 to {COUNTERS_MAX} names, or leave it out: then it is all")
    try:
        return tuple(map(check_name, value))
    except InvalidNameError as error:
        raise ValueError(f"counters: {error}") from None


def _rate(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (value == 0 or 0.001 <= value <= RATE_MAX):
        raise ValueError(f"rate: write visits a second, from 0.001 to {RATE_MAX:.0f}, or 0 for no limit")
    return float(value)
