"""Connects to NATS, and to the log on it: finds the streams, makes them where there may be none, or refuses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from footfall.config import Config
from footfall.core.position import Position
from footfall.errors import ConnectError, LogRewoundError, LogUnavailableError
from footfall.log import connection, restoring
from footfall.log.access import Access, access_of
from footfall.log.api import Api, said
from footfall.log.client import LogClient
from footfall.log.jetstream import JetStreamLog
from footfall.log.streams import CUTS, STREAM, check_partitions, cuts_config, log_config, partitions_of
from footfall.ordinals import counted

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 20.0  # of a cluster that elects its leaders
RETRY_S = 0.2
NO_PEERS = 10005  # a cluster that comes up may not have seen enough of its servers yet
OVERLAP = 10065  # another stream takes what is published here
CLUSTER_REPLICAS = 3
FROM_URLS = Access()  # nothing but what the URLs say


async def connect(config: Config, urls: Sequence[str], *, name: str, known: Sequence[Position] = ()) -> JetStreamLog:
    """Connect to NATS, and to the log on it; the log is made if there is none.

    Args:
        config: For a log that is made: partitions, replicas, size. For one that exists: what it must be.
        urls: Of the servers, as nats://[user:password@]host:port.
        name: Of the connection, for the server's own reports.
        known: Places in the log that were acknowledged before: with any, one that is not there is not made.

    Raises:
        ConnectError: No server answers in 5 s, or none has JetStream.
        EngineTooOldError: The server is too old to be trusted with a log.
        LogRewoundError: There is no log, though there was one, or what came before it is gone; nothing was made.
        PartitionsMismatchError, FormatError: The log is another one than was asked for.
    """

    async def opened(log: JetStreamLog, clustered: bool) -> None:
        info = await log.api.info(STREAM)
        if not info:
            await _check_there_was_none(log.api, known)
            info = await _made(log.api, config, _replicas(config, clustered))
        check_partitions(info, config.partitions)
        if not await log.api.info(CUTS):
            await _make_cuts_again(log.api, info)
        await log.use(info, config.partitions)

    return await _connected(urls, access_of(config), name, opened)


async def connect_existing(
    urls: Sequence[str], *, name: str, access: Access = FROM_URLS, known: Sequence[Position] = ()
) -> JetStreamLog:
    """Connect to NATS, and to the log that is on it, whatever it is like; nothing is made.

    Raises:
        ConnectError: No server answers in 5 s, or none has JetStream, or there is no log, and never was one.
        EngineTooOldError, FormatError, LogRewoundError: As ``connect``.
    """

    async def opened(log: JetStreamLog, clustered: bool) -> None:
        info = await log.api.info(STREAM)
        if not info:
            await _check_there_was_none(log.api, known)
            raise ConnectError("there is no log yet: footfall serve makes one")
        await log.use(info, partitions_of(info))

    return await _connected(urls, access, name, opened)


async def connect_to_publish(urls: Sequence[str], partitions: int, *, name: str, access: Access) -> JetStreamLog:
    """Connect to NATS as one who may publish visits, and do nothing else: nothing is asked of the log.

    Args:
        urls: Of the servers, as nats://[user:password@]host:port.
        partitions: That the log has.
        name: Of the connection, for the server's own reports.
        access: What is needed beside the URLs.

    Raises:
        ConfigError: The access cannot be had.
        ConnectError: No server answers in 5 s.
        EngineTooOldError: The server is too old to be trusted with a log.
    """

    async def opened(log: JetStreamLog, clustered: bool) -> None:
        log.partitions = partitions

    return await _connected(urls, access, name, opened)


async def connect_restored(
    config: Config, urls: Sequence[str], restored: restoring.Restored, *, name: str, access: Access = FROM_URLS
) -> JetStreamLog:
    """Connect to NATS, and make a log there that goes on from a backup; ``finish_restoring`` makes it usable.

    Raises:
        LogExistsError: There is a log already.
        ConnectError, EngineTooOldError: As ``connect``.
    """

    async def opened(log: JetStreamLog, clustered: bool) -> None:
        await restoring.make_streams(log.api, config, _replicas(config, clustered), restored)
        await log.use(await _seen(log.api), config.partitions)

    return await _connected(urls, access, name, opened)


async def finish_restoring(log: JetStreamLog) -> None:
    """All of the backup is in the log and in the store: nodes may start on it. Raises LogUnavailableError."""
    await restoring.finish(log.api)


async def _check_there_was_none(api: Api, known: Sequence[Position]) -> None:
    """Refuse to begin anew what was counted: whoever reads 0 then would believe it. Raises LogRewoundError."""
    lost = "it was removed or lost. Nothing was made in its place: bring its data back, or restore a backup"
    if known:
        last = max(known, key=lambda position: position.sequence)
        raise LogRewoundError(
            f"there is no log, and sequence {last.sequence} of one made at {last.created} had been reached: {lost}"
        )
    cuts = await api.info(CUTS)
    if cuts and cuts["state"]["messages"]:
        raise LogRewoundError(f"there is no log, and stream {CUTS} holds cuts of one: {lost}")


async def _make_cuts_again(api: Api, info: dict[str, Any]) -> None:
    """Make the store anew where someone has removed it: all can be counted again, if all is in the log.

    Raises:
        LogRewoundError: Not all is.
        LogUnavailableError: It cannot be made now.
    """
    if (first := info["state"]["first_seq"]) > 1:
        raise LogRewoundError(
            f"stream {CUTS} is gone, and the log begins at sequence {first}: what came before was only in cuts; "
            "bring its data back, or restore a backup"
        )
    await api.ask(f"STREAM.CREATE.{CUTS}", cuts_config(info["config"]["num_replicas"]))
    logger.warning("stream %s was gone, and is made anew: the log is counted from its beginning", CUTS)


async def _made(api: Api, config: Config, replicas: int) -> dict[str, Any]:
    """Make the streams; what the log's is like."""
    for stream, body in ((CUTS, cuts_config(replicas)), (STREAM, log_config(config, replicas))):
        answer = await api.call(f"STREAM.CREATE.{stream}", body)  # the same again is no error
        if "error" in answer and not await api.info(stream):
            code = answer["error"].get("err_code")
            more = (
                "take footfall.> out of that one, or use another account"
                if code == OVERLAP
                else f"the log may take {config.log_bytes_max} bytes on {counted(replicas, 'server')}"
            )
            raise (LogUnavailableError if code == NO_PEERS else ConnectError)(
                f"stream {stream} cannot be made: {said(answer)}; {more}"
            )
    return await _seen(api)


async def _seen(api: Api) -> dict[str, Any]:
    """Nodes of a cluster make it at the same moment, and it is acknowledged before all servers see it."""
    info = await api.info(STREAM)
    if not info:
        raise LogUnavailableError(f"stream {STREAM} was made just now, and is not seen yet")
    return info


async def _connected(
    urls: Sequence[str], access: Access, name: str, opened: Callable[[JetStreamLog, bool], Awaitable[None]]
) -> JetStreamLog:
    client = LogClient(access)
    log = JetStreamLog(client)
    await connection.establish(client, urls, access, name, log.reconnected, log.disconnected)
    why: object = "it does not answer"
    try:
        await log.listen()
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            while True:
                try:
                    await opened(log, connection.is_clustered(client))
                    return log
                except LogUnavailableError as error:  # a cluster that has just come up has no leader yet
                    if client.denied:
                        raise ConnectError(
                            f"the nats-server at {connection.shown(urls)} does not let this user do what it must: "
                            f"{client.denied}"
                        ) from None
                    why = error
                    await asyncio.sleep(RETRY_S)
    except TimeoutError:
        await connection.close(client)
        raise ConnectError(
            f"the nats-server at {connection.shown(urls)} has no JetStream ready: {why}; enable it, or wait for it"
        ) from None
    except BaseException:
        await connection.close(client)
        raise


def _replicas(config: Config, clustered: bool) -> int:
    return config.replicas or (CLUSTER_REPLICAS if clustered else 1)
