"""The secret that keys receipts, kept in the data directory: one for all nodes that share it."""

import asyncio
import secrets
from hashlib import sha256
from pathlib import Path

from footfall import durable
from footfall.config import Config
from footfall.errors import ConfigError
from footfall.log.protocol import Log

SECRET_BYTES = 32
SECRET_FILE = "secret"  # noqa: S105 - the file's name
RECEIPTS_LOST = (
    "a new secret was made in the data directory, though the log is older: receipts from before cannot claim, and "
    "addresses from before are other visitors; stop, and put the original back, or set FOOTFALL_SECRET"
)


def fingerprint(secret: bytes) -> str:
    """Tells two secrets apart, and tells nothing else of them."""
    return sha256(b"footfall fingerprint\0" + secret).hexdigest()[:16]


def visitors_key(secret: bytes) -> bytes:
    """Keys the hashes that stand for visitors' addresses: one for all nodes, as long as their secret is the same."""
    return sha256(b"footfall visitors\0" + secret).digest()


async def secret_for(config: Config, log: Log) -> tuple[bytes, str]:
    """The secret of the settings, or of the data directory; and a warning if that had to be made for an older log.

    Raises:
        ConfigError: As ``kept_secret``.
        LogUnavailableError: The log cannot be asked.
    """
    if config.secret:
        return config.secret.encode(), ""
    directory = Path(config.data)
    warning = ""
    if (await log.state()).last_sequence and await asyncio.to_thread(existing_secret, directory) is None:
        warning = RECEIPTS_LOST
    return await asyncio.to_thread(kept_secret, directory), warning


def kept_secret(directory: Path) -> bytes:
    """The directory's secret; made by whoever comes first.

    Raises:
        ConfigError: If the file is not what this function writes.
    """
    path = directory / SECRET_FILE
    directory.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        durable.create(path, secrets.token_hex(SECRET_BYTES).encode())
    return _read(path)


def existing_secret(directory: Path) -> bytes | None:
    """The directory's secret, or None if it has none. Raises as ``kept_secret``."""
    path = directory / SECRET_FILE
    return _read(path) if path.exists() else None


def _read(path: Path) -> bytes:
    secret = path.read_bytes()
    if len(secret) != 2 * SECRET_BYTES:
        raise ConfigError(f"{path} has {len(secret)} bytes instead of {2 * SECRET_BYTES}; put back the original")
    return secret
