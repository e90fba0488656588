"""The signature of what the webhook is told, after the Standard Webhooks specification 1.0; pure functions."""

import base64
import hmac
from hashlib import sha256

from footfall.errors import ConfigError

PREFIX = "whsec_"
AGENT = "footfall"


def key_of(configured: str, secret: bytes) -> bytes:
    """The key that signs.

    Args:
        configured: ``whsec_`` and base64, or any other text, which then is the key itself; empty if there is none.
        secret: The cluster's, from which a key is derived then.

    Raises:
        ConfigError: After ``whsec_`` there is no base64.
    """
    if not configured:
        return hmac.digest(secret, b"footfall webhook", "sha256")
    if not configured.startswith(PREFIX):
        return configured.encode()
    try:
        key = base64.b64decode(configured.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ConfigError(f"the webhook's secret begins with {PREFIX}, and base64 does not follow")
    return key


def event_id(created: str, counter: str, n: int, since: int) -> str:
    """Names a milestone of a log: the same in every attempt of every node, so that receivers know repeats."""
    return "msg_" + sha256(f"{created}\0{counter}\0{n}\0{since}".encode()).hexdigest()[:32]


def headers(key: bytes, event: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """All headers of a request; ``timestamp_s``: when it is made, in Unix time."""
    signed = b".".join((event.encode(), str(timestamp_s).encode(), body))
    return {
        "content-type": "application/json",
        "user-agent": AGENT,
        "webhook-id": event,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode(),
    }
