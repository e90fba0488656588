"""Whether a cut holds every message of the log up to it: each partition counts those that it folds, and all add up."""

from collections.abc import Iterable, Mapping

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


def uncounted(manifests: Iterable[Manifest], fetched: Mapping[str, bytes]) -> int | None:
    """How many messages of the log up to a cut are in no part of it: each should be in one.

    Args:
        manifests: All parts of the cut.
        fetched: The blobs of their ``meta`` that are not inline, by key.

    Returns:
        0 if all were counted; None if the cut, or the one that it goes on from, is of before they were counted.

    Raises:
        CheckpointError: If a blob is missing, torn or flipped.
    """
    sinces, messages, sequence = set(), 0, 0
    for manifest in manifests:
        meta = joined(manifest, manifest.meta, fetched)
        try:
            tally = _decode_definitions(meta) if manifest.part == DEFINITIONS else _decode_partition(meta)
        except UNREADABLE as error:
            raise CheckpointError(f"part {manifest.part} of cut {manifest.epoch} cannot be read: {error}") from None
        sequence = manifest.position.sequence
        sinces.add(tally.messages_since)
        messages += tally.messages
    since = sinces.pop()
    return None if sinces or since == UNKNOWN else sequence - since - messages
