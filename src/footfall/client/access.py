"""Where nodes are, and what is shown to them: URLs, token and certificates, checked before anything is sent."""

import os
import re
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from footfall.certificates import client_context
from footfall.errors import ConfigError

URL = "http://127.0.0.1:8080"
URLS_MAX = 64


def check_url(url: str) -> str:
    """The URL without a slash at its end. Raises ConfigError unless a node can be at it."""
    if url.startswith(("nats://", "tls://")):
        raise ConfigError(
            "the URL is of a server of the log, and should be a node's, such as "
            f"{URL}: footfall.Edge is the client that writes to the log"
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:
        usable = False
    if not usable or any(mark in url for mark in "?# \t\n"):
        raise ConfigError(f"{shown(url)!r} is not the URL of a node: write something like {URL}")
    return url.rstrip("/")


def _is_host(name: str) -> bool:
    """Whether a connection to it can be tried at all. Raises ValueError if not."""
    import httpx  # whoever only wants this module's constants must not wait for it

    try:
        name.encode("idna")
        return bool(httpx.URL(scheme="http", host=name).host)
    except httpx.InvalidURL:
        return False


def shown(url: str) -> str:
    """The URL as messages name it, though it be none: without the name and password that a proxy asks for."""
    return re.sub("//.*@", "//", url)


def check_urls(url: str | Sequence[str] | None) -> tuple[str, ...]:
    """The URLs of nodes; from FOOTFALL_URL if none is given. Raises ConfigError unless a node can be at each.

    Args:
        url: One, several in a list, or several with commas between them, as in the variable.
    """
    given = os.environ.get("FOOTFALL_URL") or URL if url is None else url
    urls = given.split(",") if isinstance(given, str) else list(given)
    if not 1 <= len(urls) <= URLS_MAX:
        raise ConfigError(f"{len(urls)} URLs of nodes are given; give 1 to {URLS_MAX}")
    return tuple(dict.fromkeys(check_url(one.strip()) for one in urls))


def authorization(token: str | None) -> dict[str, str]:
    """The headers that show a token. Raises ConfigError if it cannot be one; its message does not show it."""
    if token is None:
        return {}
    if not (token and token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError("the token is empty, or has characters that no token has")
    return {"authorization": f"Bearer {token}"}


def check_ca(url: str, ca: str | None) -> None:
    """Raises ConfigError if certificates are given for a node that has none."""
    if ca is None or url.startswith("https:") or ca == os.environ.get("FOOTFALL_CA"):  # which is for all nodes
        return
    raise ConfigError(f"certificates are for https://, and the node is named {url}: leave out {ca}")


def verification(url: str, ca: str | None) -> ssl.SSLContext | bool:
    """How the node's certificate is checked; whether it has one, where none needs to be read for that (35 ms)."""
    check_ca(url, ca)
    return client_context(ca or "") if url.startswith("https:") else False
