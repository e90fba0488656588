"""A backup as bytes: what its objects hold, how they are named, and how damage is seen. Described in docs/recovery.md.

A backup is a manifest and numbered parts. A part is a line that says the format, and then records: the key of
something that the store held, and its bytes. The manifest is written last, so that what has none is no backup.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import msgspec

from footfall.core.batch import UNREADABLE
from footfall.core.position import Position
from footfall.errors import BackupDamagedError, FormatError
from footfall.log.protocol import MESSAGE_BYTES_MAX

FORMAT = "footfall backup 1"
MANIFEST = "manifest.json"
PART_BYTES_MAX = 8 << 20  # one is in memory at a time, and goes over a slow line in less than an object store's 30 s
RECORD_BYTES_MAX = MESSAGE_BYTES_MAX + 1_000
LENGTH_BYTES = 4
LEFTOVER_AGE = timedelta(days=1)  # after which one without a manifest is not being made any more

_HEADER = FORMAT.encode() + b"\n"
_NAME = re.compile(r"(\d{8}T\d{6}Z)-(\d{1,20})-([0-9TZ]{1,40})-([0-9a-f]{8})\Z")
_TIME = "%Y%m%dT%H%M%SZ"


class Record(NamedTuple):
    """What the store held under a key."""

    key: str
    data: bytes


class Part(msgspec.Struct, frozen=True):
    """One object of a backup, beside the manifest."""

    name: str
    bytes: int
    sha256: str


class Barrier(msgspec.Struct, frozen=True):
    """The message that the cut stands at, as the log held it: a restored log begins with it."""

    subject: str
    data: bytes


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest.

    Attributes:
        format: ``footfall backup 1``.
        name: The backup's.
        made: When, in UTC.
        log: The creation time of the log, which names it.
        sequence: Where the cut stands: what came later is not in the backup.
        epoch: Names the cut.
        partitions: P.
        ancestors: The logs that the log went on from: see ``Log.ancestors``.
        barrier: The message at the sequence.
        counters: How many.
        visits: The sum of all counters of ``visits`` that have none above them.
        visitors: The same of ``visitors``.
        milestones: How many, whatever their state.
        proofs: How many winners' proofs are in it.
        unproven: The winners whose proof is not, and why.
        states: SHA-256 of each part's state, to compare with what is decoded.
        parts: The other objects.
    """

    format: str
    name: str
    made: str
    log: str
    sequence: int
    epoch: int
    partitions: int
    ancestors: dict[str, int]
    barrier: Barrier
    counters: int
    visits: int
    visitors: int
    milestones: int
    proofs: int
    unproven: list[str]
    states: dict[str, str]
    parts: list[Part]

    @property
    def bytes(self) -> int:
        """Its size."""
        return sum(part.bytes for part in self.parts)

    @property
    def lineage(self) -> set[str]:
        """The log, and those that it went on from."""
        return {self.log, *self.ancestors}


class Name(NamedTuple):
    """What a backup's name says of it."""

    made: datetime
    sequence: int
    log: str  # as ``log_label`` has it


def log_label(created: str) -> str:
    """A log's creation time as a part of a name."""
    return re.sub(r"[^0-9TZ]", "", created)[:40] or "0"


def name_of(made: datetime, position: Position, token: str) -> str:
    """The name of a backup; names sort by time.

    Args:
        made: When it is made, in UTC.
        position: Of the cut.
        token: Eight hexadecimal digits, so that two made in the same second have two names.
    """
    return f"{made.strftime(_TIME)}-{position.sequence}-{log_label(position.created)}-{token}"


def parse_name(text: str) -> Name | None:
    """What a name says; None if it is not a backup's."""
    found = _NAME.match(text)
    if found is None:
        return None
    try:
        made = datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Name(made, int(found[2]), found[3])


def part_name(number: int) -> str:
    """The name of a part, from 0."""
    return f"part-{number:05d}"


def encode(backup: Backup) -> bytes:
    """The manifest's bytes: one line of JSON, and a line with the SHA-256 of that one."""
    line = msgspec.json.encode(backup) + b"\n"
    return line + sha256(line).hexdigest().encode() + b"\n"


def decode(name: str, data: bytes) -> Backup:
    """The manifest of these bytes.

    Args:
        name: Of the backup, as it was found.
        data: The object's bytes.

    Raises:
        BackupDamagedError: They are not what was written.
        FormatError: A newer version wrote them.
    """
    line, end, digest = data.partition(b"\n")
    if digest.strip() != sha256(line + end).hexdigest().encode():
        raise BackupDamagedError(f"backup {name} is damaged: {MANIFEST} is torn or was changed")
    try:
        told = msgspec.json.decode(line, type=_Told)
        if told.format != FORMAT:
            raise FormatError(f"backup {name} is {told.format[:40]!r}, and this version reads {FORMAT!r}")
        backup = msgspec.json.decode(line, type=Backup)
    except UNREADABLE as error:
        raise BackupDamagedError(f"backup {name} is damaged: {MANIFEST} cannot be read: {error}") from None
    if backup.name != name:
        raise BackupDamagedError(f"backup {name} is damaged: {MANIFEST} is that of {backup.name[:100]}")
    return backup


class _Told(msgspec.Struct):
    format: str


class Packer:
    """Gathers records into parts."""

    def __init__(self) -> None:
        self._buffer = bytearray(_HEADER)

    def add(self, record: Record) -> bytes | None:
        """Take a record; returns a part, if one is full."""
        data = msgspec.msgpack.encode(record)
        assert len(data) <= RECORD_BYTES_MAX
        full = self.rest() if len(self._buffer) + LENGTH_BYTES + len(data) > PART_BYTES_MAX else None
        self._buffer += len(data).to_bytes(LENGTH_BYTES) + data
        return full

    def rest(self) -> bytes:
        """What has been gathered; it begins anew."""
        data, self._buffer = bytes(self._buffer), bytearray(_HEADER)
        return data


def pack(records: Iterable[Record]) -> Iterator[bytes]:
    """The parts that hold these records, in order."""
    packer = Packer()
    for record in records:
        if (full := packer.add(record)) is not None:
            yield full
    yield packer.rest()


def unpack(what: str, data: bytes) -> Iterator[Record]:
    """The records of a part; ``what`` names it. Raises BackupDamagedError."""
    if not data.startswith(_HEADER):
        raise BackupDamagedError(f"{what} is damaged: it does not begin with {FORMAT!r}")
    at = len(_HEADER)
    while at < len(data):
        begin = at + LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin])
        if begin > len(data) or at > len(data) or at - begin > RECORD_BYTES_MAX:
            raise BackupDamagedError(f"{what} is damaged: it ends amid a record")
        try:
            yield msgspec.msgpack.decode(data[begin:at], type=Record)
        except UNREADABLE as error:
            raise BackupDamagedError(f"{what} is damaged: a record cannot be read: {error}") from None


def check_part(backup: Backup, part: Part, data: bytes | None) -> bytes:
    """The bytes of a part, if they are what the manifest says. Raises BackupDamagedError."""
    what = f"backup {backup.name} is damaged: {part.name}"
    if data is None:
        raise BackupDamagedError(f"{what} is missing")
    if len(data) != part.bytes:
        raise BackupDamagedError(f"{what} has {len(data)} bytes instead of {part.bytes}")
    if sha256(data).hexdigest() != part.sha256:
        raise BackupDamagedError(f"{what} was changed")
    return data
