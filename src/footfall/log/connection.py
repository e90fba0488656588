"""The connection to NATS: how it is established, kept and ended; knows nothing of what goes over it."""

import asyncio
import contextlib
import logging
import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client

from footfall.errors import ConnectError, EngineTooOldError
from footfall.log.access import Access, tls_context
from footfall.log.client import LogClient

EOF_OVER_TLS = "returning true from eof_received()"  # a warning at every end of a connection that started in clear

logger = logging.getLogger(__name__)
logging.getLogger("asyncio").addFilter(lambda record: not str(record.msg).startswith(EOF_OVER_TLS))

SERVER_OLDEST = (2, 12, 12)  # earlier 2.12 lost and desynchronised messages
CONNECT_TIMEOUT_S = 5.0
TELL_S = 1.0  # whoever waits for so long wants to know for what
TELLING = re.compile("authorization|authentication|certificate|TLS", re.IGNORECASE)


async def establish(
    client: LogClient,
    urls: Sequence[str],
    access: Access,
    name: str,
    reconnected: Callable[[], None],
    disconnected: Callable[[], None],
) -> None:
    """Connect, and stay connected until ``close``.

    Args:
        client: A new one.
        urls: Of the servers, as nats://[user:password@]host:port, or tls://.
        access: What is needed beside the URLs.
        name: Of the connection, for the server's own reports.
        reconnected: Called when the connection is back.
        disconnected: Called when it is lost.

    Raises:
        ConfigError: The access cannot be had: a file is missing, or is not what it should be.
        ConnectError: No server takes the connection in 5 s.
        EngineTooOldError: The server is too old to be trusted with a log.
    """
    failure = ""  # the client's last, or the one that tells most: it tries again, and says nothing but that time is up
    give_up_s = time.monotonic() + CONNECT_TIMEOUT_S

    async def is_back() -> None:
        logger.warning("connected to the log again")
        reconnected()

    async def is_lost() -> None:
        disconnected()
        if not client.is_closed:
            logger.warning("the connection to the log was lost")

    async def failed(error: Exception) -> None:
        nonlocal failure
        if not TELLING.search(failure):  # when a server refuses, the broken connection is reported as well, or instead
            failure = _said(error)
        if time.monotonic() > give_up_s:
            _try_no_more(client)
        if client.heard(_said(error)):
            logger.warning("the log's server refuses: %s", _said(error))
        else:
            logger.debug("nats: %s", _said(error))

    context = tls_context(access, urls)
    telling = asyncio.get_running_loop().call_later(
        TELL_S, logger.info, "trying to reach a nats-server at %s", shown(urls)
    )
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect(
                list(urls),
                name=name,
                allow_reconnect=True,
                max_reconnect_attempts=-1,  # the default gives up after 60
                reconnect_time_wait=0.1,  # type: ignore[arg-type]  # it only sleeps for as long
                connect_timeout=2,
                ping_interval=2,
                max_outstanding_pings=2,
                pending_size=0,  # nothing is sent later than its time-out by a client that had no connection
                reconnected_cb=is_back,
                disconnected_cb=is_lost,
                error_cb=failed,
                tls=context,
                signature_cb=client.signature,
                user_jwt_cb=client.jwt,
                inbox_prefix=access.inbox,
            )
    except (nats.errors.Error, TimeoutError, OSError, ValueError) as error:
        await close(client)
        raise ConnectError(
            f"cannot connect to a nats-server at {shown(urls)}: {with_advice(failure or _said(error))}"
        ) from None
    except BaseException:
        await close(client)
        raise
    finally:
        telling.cancel()
    give_up_s = math.inf
    await _check_version(client)


_ADVICE = (  # by what is said of a certificate
    ("certificate required", "it asks for a certificate of ours: name one with --nats-cert and --nats-key"),
    (
        "alert certificate expired",
        "it says so of ours: renew what --nats-cert names, or set that machine's clock right",
    ),
    ("alert unknown ca", "it does not know who signed ours: name another with --nats-cert and --nats-key"),
    ("certificate has expired", "renew the server's, or set this machine's clock right"),
    ("certificate is not yet valid", "set this machine's clock right, or give the server another"),
    ("hostname mismatch", "name the server as its certificate does, or give it one for this name"),
    ("certificate verify failed", "name who signed the server's with --nats-ca"),
)


def with_advice(why: str) -> str:
    """Why there is no connection, and what to do about it."""
    for sign, advice in _ADVICE:
        if sign in why.lower():
            said = re.sub(r"\[SSL: \w+\] |certificate verify failed: | \(_ssl\.c:\d+\)", "", why).rstrip(".")
            return f"{said}: {advice}"
    said = re.sub(r"^\[Errno -?\d+\] ", "", why)
    return f"{said}; is it running, and is the credential right?"


async def close(client: Client) -> None:
    """End the connection, whatever state it is in."""
    _try_no_more(client)
    with contextlib.suppress(Exception):
        await client.close()


def _try_no_more(client: Client) -> None:
    """Let the client drop its servers when they fail again.

    Python 3.11's ``wait_for`` swallows a cancellation that comes together with a refused connection. The client's loop
    of attempts then goes on for ever, closed or not, and so does whoever waits for it: ``asyncio.run`` at its end.
    """
    client.options["max_reconnect_attempts"] = 1


async def _check_version(client: Client) -> None:
    version = str(client.connected_server_version)
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < SERVER_OLDEST:
        await close(client)
        oldest = ".".join(map(str, SERVER_OLDEST))
        raise EngineTooOldError(f"nats-server {version} can lose acknowledged messages; use {oldest} or newer")


def is_clustered(client: Client) -> bool:
    """Whether the server is one of several."""
    return bool(client._server_info.get("cluster"))  # noqa: SLF001  # the client does not show it in another way


def shown(urls: Iterable[str]) -> str:
    """The URLs without their passwords."""
    return ", ".join(map(_without_password, urls))


def _without_password(url: str) -> str:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "that URL"


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
