"""NKEYS: who we are to NATS by a key, not by a password. The key signs what the server asks, and never leaves here.

The format is that of https://github.com/nats-io/nkeys: base32 of a prefix, the key, and a checksum. It is read here
because what reads it for the NATS client has no built package; Ed25519 itself is the library's.
"""

import base64
import binascii
import importlib
import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from footfall.errors import ConfigError

SEED, USER = 18 << 3, 20 << 3  # the prefixes: as S and U they begin the text
SEED_BYTES = 2 + 32 + 2
MARKS = (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")


class Identity(NamedTuple):
    """Who we are.

    Attributes:
        public: The public key, as the server's configuration names it.
        jwt: What an account's owner says of this key; empty if the server itself knows it.
        sign: Signs what the server asks.
    """

    public: str
    jwt: bytes
    sign: Callable[[str], bytes]


def from_creds(path: str) -> Identity:
    """The user of a .creds file. Raises ConfigError."""
    jwt, seed = (_after(_lines(path), mark) for mark in MARKS)
    if not jwt or not seed:
        raise ConfigError(f"{path} is not the .creds file of a user: it must hold a JWT and a seed")
    return _identity(path, seed, jwt)


def from_seed(path: str) -> Identity:
    """The user of a seed. Raises ConfigError."""
    return _identity(path, b"".join(_lines(path)[:1]).strip(), b"")


def public_key(key: Any) -> str:
    """The public key of a private one, in NKEYS' text."""
    raw = bytes([USER]) + key.public_key().public_bytes_raw()
    return base64.b32encode(raw + _checksum(raw)).rstrip(b"=").decode()


def _identity(path: str, seed: bytes, jwt: bytes) -> Identity:
    if importlib.util.find_spec("cryptography") is None:
        raise ConfigError("NKEYs and .creds files need the library cryptography: pip install 'footfall[nkeys]'")
    private: Any = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey
    key = private.from_private_bytes(_decoded(path, seed))
    return Identity(public_key(key), jwt, lambda asked: base64.b64encode(key.sign(asked.encode())))


def _decoded(path: str, seed: bytes) -> bytes:
    """The 32 bytes in a user's seed; it is never shown."""
    wrong = ConfigError(f"{path} does not hold the seed of a user's NKEY: that begins with SU, and has 58 characters")
    try:
        raw = base64.b32decode(seed + b"=" * (-len(seed) % 8))
    except binascii.Error:
        raise wrong from None
    # The kind's five bits come after the seed's: the prefixes share two bytes.
    if (
        len(raw) != SEED_BYTES
        or raw[0] != SEED | USER >> 5
        or raw[1] != (USER & 31) << 3
        or _checksum(raw[:-2]) != raw[-2:]
    ):
        raise wrong
    return raw[2:-2]


def _checksum(data: bytes) -> bytes:
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")


def _lines(path: str) -> list[bytes]:
    try:
        return Path(path).read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _after(lines: list[bytes], mark: bytes) -> bytes:
    return next((after.strip() for line, after in itertools.pairwise(lines) if mark in line), b"")
