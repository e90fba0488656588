"""Damages bytes as disks, networks and strangers do, from a seed; and runs a decoder over very many of them."""

import os
import random
import resource
import time
from collections.abc import Callable, Sequence

INPUTS = int(os.environ.get("FOOTFALL_FUZZ", "100000"))  # over all decoders together
SEED = int(os.environ.get("FOOTFALL_FUZZ_SEED", "20240229"))
HANG_S = 1.0  # of processor time, for one input
GROWTH_BYTES_MAX = 200 << 20  # of memory, over all inputs of one decoder
LENGTH_MAX = 20_000

EDGES = (
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\xc0", b"\xc1", b"\xcb\x7f\xf8" + bytes(6), b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + bytes(7), b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff", b"\xd9\xff", b"\xa1\xff", b"\xed\xa0\x80", b"\\ud800", b"-1", b"1e999", b"9" * 400,
    b"0", b"null", b"true", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\r\n", b"\0", b" ", b"\\", b"%", b"/", b".",
)  # fmt: skip
BOMBS = (b"\x91", b"\x81\xa1a", b"[", b'{"a":', b'"', b"\\", b"(", b"\xdc\x00\x01", b"\xde\x00\x01\xa1a")


def _position(random: random.Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def mutated(random: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus, damaged once or a few times; now and then bytes that never were anything."""
    if random.random() < 0.05:
        return random.randbytes(random.choice((0, 1, 8, 60, 600)))
    data = random.choice(corpus)
    for _ in range(random.choice((1, 1, 1, 1, 1, 2, 8))):
        at, to = sorted((_position(random, data), _position(random, data)))
        match random.choice((0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 6, 7)):
            case 0 if data:
                index = random.randrange(len(data))
                data = data[:index] + bytes([data[index] ^ 1 << random.randrange(8)]) + data[index + 1 :]
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + data[to:]
            case 3:
                data = data[:to] + data[at:]
            case 4:
                data = data[:at] + random.choice(EDGES) + data[at:]
            case 5:
                edge = random.choice(EDGES)
                data = data[:at] + edge + data[at + len(edge) :]
            case 6:
                other = random.choice(corpus)
                data = data[:at] + other[_position(random, other) :]
            case _:
                data = data[:at] + random.choice(BOMBS) * random.choice((3, 40, 1_500)) + data[at:]
    return data[:LENGTH_MAX]


def bombard(
    take: Callable[[bytes], object], corpus: Sequence[bytes], allowed: tuple[type[Exception], ...], inputs: int
) -> int:
    """Give damaged bytes to ``take``, which returns or raises what is allowed, soon and without growing.

    Returns:
        How many of them it took for good: a corpus that is refused altogether tests nothing.
    """
    source = random.Random(SEED)
    good = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(inputs):
        data = source.choice(corpus) if number < len(corpus) else mutated(source, corpus)
        began_s = time.process_time()
        try:
            take(data)
            good += 1
        except allowed:
            pass
        except BaseException:
            print(f"input {number} of seed {SEED}: {data[:2000]!r}")  # noqa: T201 - pytest shows it with the failure
            raise
        taken_s = time.process_time() - began_s
        assert taken_s < HANG_S, f"input {number} of seed {SEED} took {taken_s:.1f} s: {data[:2000]!r}"
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < GROWTH_BYTES_MAX, f"{grown} bytes more after {inputs} inputs"
    return good
