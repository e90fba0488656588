"""What the streams of a log are like: how they are made, and whether one that is there can be used."""

from collections.abc import Mapping
from typing import Any

import msgspec

from footfall.config import Config
from footfall.errors import FormatError, PartitionsMismatchError, RestoreUnfinishedError
from footfall.log.protocol import CONTROL_SUBJECT, VISITS_SUBJECT

STREAM = "FOOTFALL"
CUTS = "FOOTFALL_CUTS"
CUT_SUBJECT = "footfall.cuts."
FORMAT = "1"
RESTORING = "footfall-restoring"  # metadata: the backup that is being restored; gone when that is done
ANCESTORS = "footfall-ancestors"  # metadata: JSON, the logs that a restored one goes on from
DUPLICATE_WINDOW_NS = 100_000_000  # the shortest: the fold knows repeats by itself


def log_config(config: Config, replicas: int) -> dict[str, Any]:
    """Of the stream that is the log."""
    return {
        "name": STREAM,
        # Each by its name: a visit to a partition that does not exist is not acknowledged, as nobody would count it.
        "subjects": [*(VISITS_SUBJECT.format(partition=p) for p in range(config.partitions)), CONTROL_SUBJECT],
        "retention": "limits",
        "discard": "new",  # a full log refuses, it never drops
        "max_bytes": config.log_bytes_max,
        "max_age": 0,
        "max_msgs": -1,
        "storage": "file",
        "num_replicas": replicas,
        "duplicate_window": DUPLICATE_WINDOW_NS,
        "deny_delete": True,
        "metadata": {"footfall-format": FORMAT, "footfall-partitions": str(config.partitions)},
    }


def cuts_config(replicas: int) -> dict[str, Any]:
    """Of the stream that is the store: the last message of a subject is the blob of that key."""
    return {
        "name": CUTS,
        "subjects": [CUT_SUBJECT + ">"],
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": 1,
        "storage": "file",
        "num_replicas": replicas,
        "duplicate_window": DUPLICATE_WINDOW_NS,
    }


def check_partitions(info: dict[str, Any], partitions: int) -> None:
    """See that a log is one that this version reads, with so many partitions.

    Raises:
        FormatError, RestoreUnfinishedError: As ``partitions_of``.
        PartitionsMismatchError: It has another number of partitions.
    """
    if (has := partitions_of(info)) != partitions:
        raise PartitionsMismatchError(
            f"the log has {has} partitions, and this node was started for {partitions}: "
            f"start it with --partitions {has}; the number never changes"
        )


def partitions_of(info: dict[str, Any]) -> int:
    """How many partitions a log has.

    Raises:
        FormatError: It is of another format.
        RestoreUnfinishedError: It is not whole.
    """
    metadata = info["config"].get("metadata") or {}
    if RESTORING in metadata:
        raise RestoreUnfinishedError(
            f"backup {metadata[RESTORING]} is being restored into this log, or that was broken off: "
            "wait for its end, or run footfall restore again"
        )
    if (found := metadata.get("footfall-format")) is None:
        raise FormatError(
            f"stream {STREAM} is none of Footfall's, as its metadata have no footfall-format: nothing was changed. "
            "Use other servers or another account, or give that stream another name"
        )
    if found != FORMAT:
        raise FormatError(
            f"the log is of format {found}, and this version reads {FORMAT}: use the version that made it"
        )
    return int(metadata["footfall-partitions"])


class _Ancestor(msgspec.Struct, forbid_unknown_fields=True):
    """A log that this one goes on from, and up to which of its sequences."""

    created: str
    sequence: int


def ancestors_metadata(ancestors: Mapping[str, int]) -> dict[str, str]:
    """How a stream says which logs it goes on from."""
    told = [_Ancestor(created, sequence) for created, sequence in ancestors.items()]
    return {ANCESTORS: msgspec.json.encode(told).decode()}


def ancestors_of(info: dict[str, Any]) -> dict[str, int]:
    """Which logs a log goes on from: see ``Log.ancestors``. Raises FormatError if what it says cannot be read."""
    told = (info["config"].get("metadata") or {}).get(ANCESTORS, "[]")
    try:
        return {one.created: one.sequence for one in msgspec.json.decode(told, type=list[_Ancestor])}
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FormatError(f"the log's metadata {ANCESTORS} cannot be read ({error}): {told[:200]!r}") from None
