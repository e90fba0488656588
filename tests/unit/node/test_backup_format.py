"""A backup's bytes: what was written is read, and nothing else is."""

from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.core.position import Position
from footfall.errors import BackupDamagedError, FormatError
from footfall.node import backup_format
from footfall.node.backup_format import Backup, Barrier, Part, Record, check_part, decode, encode, pack, unpack

MADE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
LOG = "2026-01-01T00:00:00.123456789Z"
NAME = backup_format.name_of(MADE, Position(LOG, 42, b"x"), "0badcafe")
BACKUP = Backup(
    format=backup_format.FORMAT, name=NAME, made="2026-03-04T05:06:07Z", log=LOG, sequence=42, epoch=3, partitions=2,
    ancestors={"2025-01-01T00:00:00Z": 7}, barrier=Barrier("footfall.control", b"\x00\xff"), counters=2, visits=9,
    visitors=4, milestones=1, proofs=1, unproven=["the 3rd of b: gone"], states={"definitions": "ab", "0": "cd"},
    parts=[Part("part-00000", 3, sha256(b"abc").hexdigest())],
)  # fmt: skip

record_lists = st.lists(st.builds(Record, st.text(max_size=20), st.binary(max_size=200)), max_size=20)


def test_a_name_tells_when_it_was_made_of_which_log_and_how_far() -> None:
    assert NAME == "20260304T050607Z-42-20260101T000000123456789Z-0badcafe"
    assert backup_format.parse_name(NAME) == (MADE, 42, backup_format.log_label(LOG))


@pytest.mark.parametrize(
    "text", ["", "x", "lost+found", NAME[:-1], NAME + "0", NAME + "\n", NAME.replace("0304", "9304"), "../" + NAME]
)
def test_what_is_not_named_as_a_backup_is_none(text: str) -> None:
    assert backup_format.parse_name(text) is None


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert decode(NAME, encode(BACKUP)) == BACKUP
    assert (BACKUP.bytes, BACKUP.lineage) == (3, {LOG, "2025-01-01T00:00:00Z"})


def test_the_first_line_of_a_manifest_can_be_checked_by_hand() -> None:
    line, digest = encode(BACKUP).splitlines(keepends=True)
    assert digest.decode().strip() == sha256(line).hexdigest()


@given(st.data())
def test_a_manifest_with_any_bit_flipped_is_refused(data: st.DataObject) -> None:
    whole = bytearray(encode(BACKUP))
    at = data.draw(st.integers(0, len(whole) - 2))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BackupDamagedError):
        decode(NAME, bytes(whole))


@given(st.integers(0, len(encode(BACKUP)) - 2))
def test_a_torn_manifest_is_refused(length: int) -> None:
    with pytest.raises(BackupDamagedError, match="torn or was changed"):
        decode(NAME, encode(BACKUP)[:length])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_manifest(data: bytes) -> None:
    signed = data + b"\n" + sha256(data + b"\n").hexdigest().encode()
    for one in (data, signed):
        with pytest.raises((BackupDamagedError, FormatError)):
            decode(NAME, one)


def test_a_newer_version_is_named() -> None:
    newer = msgspec.structs.replace(BACKUP, format="footfall backup 2")
    with pytest.raises(FormatError, match="'footfall backup 2', and this version reads 'footfall backup 1'"):
        decode(NAME, encode(newer))


def test_the_manifest_of_another_backup_is_refused() -> None:
    with pytest.raises(BackupDamagedError, match="is that of"):
        decode(NAME.replace("-42-", "-43-"), encode(BACKUP))


@given(record_lists, st.integers(40, 400))
def test_records_are_read_from_parts_as_they_were_packed(records: list[Record], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup_format, "PART_BYTES_MAX", size)
        parts = list(pack(records))
    assert [record for part in parts for record in unpack("p", part)] == records
    assert all(len(part) <= size or len(list(unpack("p", part))) == 1 for part in parts)


@given(record_lists.filter(bool), st.data())
def test_a_torn_part_is_refused_or_holds_fewer_records(records: list[Record], data: st.DataObject) -> None:
    (part,) = pack(records)
    torn = part[: data.draw(st.integers(0, len(part) - 1))]
    try:
        read = list(unpack("p", torn))
    except BackupDamagedError:
        return
    assert read == records[: len(read)] != records  # cut off between two: the manifest's digest tells


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_part(data: bytes) -> None:
    with pytest.raises(BackupDamagedError):
        list(unpack("p", data))
    header = next(pack([]))
    if data:
        with pytest.raises(BackupDamagedError):
            list(unpack("p", header + b"\x00\x00\x00\x05" + data[:4] + b"\xc1" * (5 - len(data[:4]))))


@pytest.mark.parametrize(
    ("data", "said"), [(None, "is missing"), (b"ab", "has 2 bytes instead of 3"), (b"abd", "was changed")]
)
def test_a_part_that_is_not_what_the_manifest_says_is_refused(data: bytes | None, said: str) -> None:
    with pytest.raises(BackupDamagedError, match=f"backup {NAME} is damaged: part-00000 {said}"):
        check_part(BACKUP, BACKUP.parts[0], data)
    assert check_part(BACKUP, BACKUP.parts[0], b"abc") == b"abc"
