"""How a log's servers are reached: over TLS or not, and as whom; knows nothing of what is asked of them."""

import ssl
from collections.abc import Iterable

import msgspec

from footfall.certificates import client_context
from footfall.config import Config
from footfall.errors import ConfigError
from footfall.log.nkeys import Identity, from_creds, from_seed

API = "$JS.API"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Files and names that a connection needs besides its URLs; empty: not used.

    Attributes:
        ca: The authorities that servers' certificates are checked with, instead of the system's.
        cert: Our own certificate, if the servers ask for one.
        key: Its private key.
        creds: User and key as an account server issues them: a .creds file.
        nkey: Our seed, if the servers know us by its public key.
        api: Where JetStream's API is: an account that only imports some of it has it under another name.
        inbox: Below which subject answers come, for a user who may listen there alone.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    creds: str = ""
    nkey: str = ""
    api: str = API
    inbox: str = "_INBOX"


def access_of(config: Config) -> Access:
    """How a node reaches its log."""
    return Access(
        ca=config.nats_ca,
        cert=config.nats_cert,
        key=config.nats_key,
        creds=config.nats_creds,
        nkey=config.nats_nkey,
    )


def tls_context(access: Access, urls: Iterable[str]) -> ssl.SSLContext | None:
    """What TLS is spoken with; None if it is not.

    Raises:
        ConfigError: Certificates are given, and not every URL asks for TLS; or they cannot be used.
    """
    urls = list(urls)
    secure = [url.startswith("tls://") for url in urls]
    if any(secure) and not all(secure):
        raise ConfigError("some servers are named tls:// and some nats://: name all of them tls://")
    if any(secure):
        return client_context(access.ca, access.cert, access.key)
    if access.ca or access.cert:
        raise ConfigError("certificates for NATS are given, and the servers are named nats://: write tls://HOST:PORT")
    return None


def identity(access: Access) -> Identity | None:
    """Who we are by a key; None if the URLs say it. Raises ConfigError if a file of it cannot be used."""
    if access.creds:
        return from_creds(access.creds)
    return from_seed(access.nkey) if access.nkey else None
