"""Whether a cut holds every message of the log up to it: each partition counts those that it folds, and all add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from footfall.core.batch import UNREADABLE
from footfall.core.cut import DEFINITIONS, UNKNOWN, Manifest, joined
from footfall.errors import CheckpointError


class _PartitionTally(msgspec.Struct, array_like=True):
    """How many messages a state has folded: what is large beside that is passed over."""

    sequence: int
    counters: int
    producers: msgspec.Raw
    sources: msgspec.Raw
    tally: msgspec.Raw
    alarmed: msgspec.Raw = msgspec.Raw()
    messages_since: int = UNKNOWN
    messages: int = 0


class _DefinitionsTally(msgspec.Struct, array_like=True):
    """The same of the definitions."""

    sequence: int
    producers: msgspec.Raw
    milestones: msgspec.Raw = msgspec.Raw()
    imports: msgspec.Raw = msgspec.Raw()
    messages_since: int = UNKNOWN
    messages: int = 0


_decode_partition = msgspec.msgpack.Decoder(_PartitionTally).decode
_decode_definitions = msgspec.msgpack.Decoder(_DefinitionsTally).decode


class Tally(NamedTuple):
    """How many messages the parts of a cut have folded.

    Attributes:
        sequence: Where the cut stands in the log.
        parts: For each part, above which sequence its messages are counted, and how many there were.
    """

    sequence: int
    parts: Mapping[str, tuple[int, int]]

    def lacks(self) -> int | None:
        """How many messages of the log up to the cut are in no part of it: each should be in one.

        0 if all were counted; None if parts count since different messages, or not at all: the cut is of before they
        did, or goes on from such a one.
        """
        since, *others = {since for since, _ in self.parts.values()}
        if others or since == UNKNOWN:
            return None
        return self.sequence - since - sum(messages for _, messages in self.parts.values())

    def lacks_above(self, earlier: Tally) -> int | None:
        """How many messages between an earlier cut and this one are in no part of this one.

        None if a part does not go on from where it stood in the earlier one: it was counted by a version that does not
        count messages, or by one that went on from its cuts.
        """
        more = 0
        for part, (since, messages) in self.parts.items():
            since_then, messages_then = earlier.parts[part]
            if since == UNKNOWN or since != (earlier.sequence if since_then == UNKNOWN else since_then):
                return None
            more += messages - messages_then
        return self.sequence - earlier.sequence - more


def tally(manifests: Iterable[Manifest], fetched: Mapping[str, bytes]) -> Tally:
    """How many messages the parts of a cut have folded.

    Args:
        manifests: All parts of the cut.
        fetched: The blobs of their ``meta`` that are not inline, by key.

    Raises:
        CheckpointError: If a blob is missing, torn or flipped.
    """
    parts, sequence = {}, 0
    for manifest in manifests:
        meta = joined(manifest, manifest.meta, fetched)
        try:
            told = _decode_definitions(meta) if manifest.part == DEFINITIONS else _decode_partition(meta)
        except UNREADABLE as error:
            raise CheckpointError(f"part {manifest.part} of cut {manifest.epoch} cannot be read: {error}") from None
        sequence = manifest.position.sequence
        parts[manifest.part] = told.messages_since, told.messages
    return Tally(sequence, parts)


def nothing(partitions: int) -> Tally:
    """Of the log's beginning."""
    return Tally(0, dict.fromkeys((DEFINITIONS, *map(str, range(partitions))), (0, 0)))
