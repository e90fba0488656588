"""Compressed logs: what is in them is counted once, whether it was counted before they were compressed or not."""

import gzip
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_http import FakeHttp
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import ingest, lines

from footfall.cli import packed
from footfall.cli.packed import DamagedError, PackedReader, Unpacker, packing
from footfall.cli.pipes import PipeReader
from footfall.cli.sources import open_file
from footfall.errors import InputError
from packing import zstd

Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {"gzip": gzip.compress, "zstd": zstd.compress}
SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"abcd"  # a zstd frame that holds no data


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


@pytest.fixture(params=["gzip", "zstd"])
def pack(request: pytest.FixtureRequest) -> Pack:
    return PACKS[request.param]


def visitors(first: int, last: int) -> list[str]:
    return lines(first, last).split()


# --- the same source ---


def test_a_log_that_was_compressed_after_it_was_rotated_is_still_the_same_source(
    http: FakeHttp, tmp_path: Path, pack: Pack
) -> None:
    log = tmp_path / "access.log"
    log.write_text(lines(0, 3_000))
    assert ingest(http, log).visits == 3_000
    rotated = tmp_path / "access.log.1.gz"
    rotated.write_bytes(pack(lines(0, 3_100).encode()))
    summary = ingest(http, rotated)
    assert (summary.visits, summary.begin) == (100, len(lines(0, 3_000)))
    assert ingest(http, rotated).lines == 0
    assert http.visitors == visitors(0, 3_100)


def test_a_log_that_was_counted_compressed_is_the_same_source_when_it_is_unpacked_or_packed_otherwise(
    http: FakeHttp, tmp_path: Path
) -> None:
    text = lines(0, 3_000).encode()
    for name, content in [
        ("a", gzip.compress(text)),
        ("b", text),
        ("c", zstd.compress(text)),
        ("d", gzip.compress(text, 1)),
    ]:
        (tmp_path / name).write_bytes(content)
        ingest(http, tmp_path / name)
    assert http.visitors == visitors(0, 3_000)


def test_content_tells_how_a_file_is_packed_and_its_name_does_not(http: FakeHttp, tmp_path: Path, pack: Pack) -> None:
    plain, odd = tmp_path / "access.log.gz", tmp_path / "access.log"
    plain.write_text("alice\n")
    odd.write_bytes(pack(b"bob\n"))
    ingest(http, plain)
    ingest(http, odd)
    assert http.visitors == ["alice", "bob"]


def test_members_and_frames_that_follow_each_other_are_one_log(http: FakeHttp, tmp_path: Path, pack: Pack) -> None:
    log = tmp_path / "log"
    parts = [lines(0, 1_000), "", lines(1_000, 1_001)[:4], lines(1_000, 1_001)[4:], lines(1_001, 9_000)]
    log.write_bytes(b"".join(pack(part.encode()) for part in parts))
    ingest(http, log)
    assert http.visitors == visitors(0, 9_000)


def test_frames_that_hold_nothing_and_zeros_between_members_are_passed_over(http: FakeHttp, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(SKIPPABLE + zstd.compress(b"alice\n") + SKIPPABLE + zstd.compress(b"bob\n"))
    ingest(http, log)
    log.write_bytes(gzip.compress(b"carol\n") + bytes(600) + gzip.compress(b"dave\n") + bytes(3))
    ingest(http, log)
    assert http.visitors == ["alice", "bob", "carol", "dave"]


# --- what is damaged ---


def test_of_a_file_that_ends_too_early_what_is_whole_is_counted_and_the_rest_later(
    http: FakeHttp, tmp_path: Path, pack: Pack
) -> None:
    log = tmp_path / "log"
    expected = [f"{number * 2_654_435_761 % 2**32:x}" for number in range(60_000)]
    whole = pack("".join(f"{visitor}\n" for visitor in expected).encode())
    log.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(
        DamagedError, match="ends in the middle of its compressed data: what came before that is counted"
    ):
        ingest(http, log)
    assert 0 < len(http.visitors) < 60_000
    log.write_bytes(whole)
    ingest(http, log)
    assert http.visitors == expected


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (b"garbage", "goes on after its compressed data"),
        (b"gar", "in the middle"),
        (b"\x1f\x8b\xff\xff" * 9, "unpacked as gzip"),
    ],
)
def test_garbage_after_a_member_is_told_and_what_came_before_is_counted(
    http: FakeHttp, tmp_path: Path, end: bytes, why: str
) -> None:
    log = tmp_path / "log"
    log.write_bytes(gzip.compress(b"alice\nbob\n") + end)
    with pytest.raises(DamagedError, match=why):
        ingest(http, log)
    assert http.visitors == ["alice", "bob"]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 255))
def test_a_flipped_byte_is_noticed_or_does_no_harm(at: int, flip: int) -> None:
    text = lines(0, 500).encode()
    data = bytearray(gzip.compress(text))
    data[at % len(data)] ^= flip
    unpacker = Unpacker("gzip")
    unpacker.feed(bytes(data))
    out = b""
    try:
        while piece := unpacker.take(1_000):
            out += piece
    except DamagedError:
        return
    assert out == text or not unpacker.between


# --- bounds ---


def test_what_unpacks_to_very_much_is_unpacked_piece_by_piece(pack: Pack) -> None:
    bomb = Unpacker("gzip" if pack is gzip.compress else "zstd")
    bomb.feed(pack(bytes(64 << 20)))
    sizes = []
    while piece := bomb.take(10_000):
        sizes.append(len(piece))
    assert max(sizes) <= 10_000
    assert sum(sizes) == 64 << 20


def test_a_line_without_an_end_in_a_small_file_is_refused_in_bounded_memory(
    http: FakeHttp, tmp_path: Path, pack: Pack
) -> None:
    log = tmp_path / "log"
    log.write_bytes(pack(b"x" * (64 << 20)))
    with pytest.raises(InputError, match="longer than 1,048,576 bytes"):
        ingest(http, log)
    log.write_bytes(pack(b"alice\n" + b"x" * (16 << 20) + b"\nbob\n"))
    summary = ingest(http, log)
    assert (http.visitors, summary.bad) == (["alice", "bob"], 1)


def test_no_more_is_kept_than_was_not_released(tmp_path: Path, pack: Pack) -> None:
    log = tmp_path / "log"
    log.write_bytes(pack(lines(0, 300_000).encode()))
    reader = open_file(log)
    assert isinstance(reader, PackedReader)
    assert reader.holds(2_000_000)
    assert reader._window.end - reader._window.start <= packed.READ_BYTES
    reader.close()


def test_a_window_that_is_too_large_is_refused(tmp_path: Path) -> None:
    options = {zstd.CompressionParameter.window_log: packed.WINDOW_LOG_MAX + 1}
    compressor = zstd.ZstdCompressor(options=options)
    unpacker = Unpacker("zstd")
    unpacker.feed(compressor.compress(b"alice\n") + compressor.flush())
    with pytest.raises(DamagedError, match="cannot be unpacked as zstd"):
        unpacker.take(10)


# --- readers ---


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(sorted(PACKS)),
    st.lists(st.binary(max_size=50), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 260), st.integers(0, 80))),
)
def test_bytes_are_those_of_the_log_wherever_they_are_read(
    tmp_path_factory: pytest.TempPathFactory, kind: str, parts: list[bytes], reads: list[tuple[int, int]]
) -> None:
    log = tmp_path_factory.mktemp("packed") / "log"
    log.write_bytes(b"".join(PACKS[kind](part) for part in parts))
    text = b"".join(parts)
    descriptor = log.open("rb")
    reader = PackedReader(log, descriptor.fileno(), kind)
    for offset, size in reads:
        assert reader.read(offset, size) == text[offset : offset + size]
        assert reader.lines_before(offset) == text[:offset].count(b"\n")
        assert reader.holds(offset) == (offset <= len(text))
        reader.release(offset)
    descriptor.close()


@pytest.mark.parametrize("sizes", [[1], [3, 1, 7], [100_000]])
def test_a_compressed_stream_is_unpacked_as_it_comes(pack: Pack, sizes: list[int]) -> None:
    text = lines(0, 200 if 1 in sizes else 20_000).encode()
    data = pack(text)
    read_end, write_end = os.pipe()

    def write() -> None:
        at = 0
        while at < len(data):
            size = sizes[at % len(sizes)]
            at += os.write(write_end, data[at : at + size])
        os.close(write_end)

    writer = threading.Thread(target=write)
    writer.start()
    reader = PipeReader(read_end, threading.Event())
    found = b""
    while piece := reader.read(len(found), 50_000):
        found += piece
        reader.release(len(found) - 1)
    writer.join()
    os.close(read_end)
    assert (found, reader.damage) == (text, "")


def test_a_compressed_stream_that_ends_too_early_is_told(pack: Pack) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, pack(b"alice\n" * 100)[:-6])
    os.close(write_end)
    reader = PipeReader(read_end, threading.Event())
    found = b""
    while piece := reader.read(len(found), 1_000):
        found += piece
    os.close(read_end)
    assert (b"alice\n" * 100).startswith(found)
    assert reader.damage == packed.ENDS_EARLY


def test_a_compressed_file_is_not_followed(http: FakeHttp, tmp_path: Path, pack: Pack) -> None:
    log = tmp_path / "log"
    log.write_bytes(pack(b"alice\n"))
    with pytest.raises(InputError, match="leave --follow out"):
        ingest(http, log, follow=True)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", ""),
        (b"\x1f", ""),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (SKIPPABLE, "zstd"),
        (b"PK\x03\x04", ""),
    ],
)
def test_first_bytes_tell_how_something_is_packed(data: bytes, kind: str) -> None:
    assert packing(data) == kind
