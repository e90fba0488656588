"""Makes the streams of a log that goes on from a backup, so that nobody takes it for whole before it is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from footfall.config import Config
from footfall.errors import LogExistsError, LogUnavailableError
from footfall.log.api import Api
from footfall.log.streams import CUTS, RESTORING, STREAM, ancestors_metadata, cuts_config, log_config


class Restored(NamedTuple):
    """What a log goes on from.

    Attributes:
        backup: The name of the backup.
        sequence: The first sequence of the new log: that of the backup's barrier.
        ancestors: The logs that it goes on from: see ``Log.ancestors``.
    """

    backup: str
    sequence: int
    ancestors: Mapping[str, int]


async def make_streams(api: Api, config: Config, replicas: int, restored: Restored) -> None:
    """Make both streams, the log marked as being restored. What a restore that did not end has left goes first.

    Raises:
        LogExistsError: There is a log, or there are the cuts of one.
        LogUnavailableError: It cannot be done now.
    """
    await _check_nothing_there(api)
    for stream in (CUTS, STREAM):  # the log last: as long as it is there, its mark tells whose the cuts are
        if await api.info(stream):
            await api.ask(f"STREAM.DELETE.{stream}", {})
    await api.ask(f"STREAM.CREATE.{STREAM}", _log_config(config, replicas, restored))
    await api.ask(f"STREAM.CREATE.{CUTS}", cuts_config(replicas))


async def finish(api: Api) -> None:
    """Take the mark away: the log is whole, and nodes may start on it. Raises LogUnavailableError."""
    config = (await api.info(STREAM))["config"]
    config["metadata"].pop(RESTORING, None)
    await api.ask(f"STREAM.UPDATE.{STREAM}", config)
    if RESTORING in (await api.info(STREAM))["config"]["metadata"]:
        raise LogUnavailableError("the log is restored, and is still marked as if it were not: restore it again")


async def _check_nothing_there(api: Api) -> None:
    info = await api.info(STREAM)
    if info:
        if RESTORING in (info["config"].get("metadata") or {}):
            return
        state = info["state"]
        raise LogExistsError(
            f"there is a log already, made at {info['created']}, which ends at sequence {state['last_seq']}: "
            "nothing was changed. Restore into a new --data directory, or a cluster without streams; "
            f"if that log is of no use any more, move its data away, or remove its streams {STREAM} and {CUTS}"
        )
    cuts = await api.info(CUTS)
    if cuts and cuts["state"]["messages"]:
        raise LogExistsError(
            f"there is no log, but there are cuts of one in stream {CUTS}: nothing was changed. "
            "Move the data away, or remove that stream, and restore again"
        )


def _log_config(config: Config, replicas: int, restored: Restored) -> dict[str, Any]:
    made = log_config(config, replicas)
    told = {**ancestors_metadata(restored.ancestors), RESTORING: restored.backup}
    return {**made, "first_seq": restored.sequence, "metadata": {**made["metadata"], **told}}
