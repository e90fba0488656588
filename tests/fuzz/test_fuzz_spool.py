"""Files of a spool with damaged bytes, and with rows of any type: what was written is read, or they are refused."""

import random
import sqlite3
from pathlib import Path

import corpora
import msgspec
from corpora import PARTITIONS
from mutating import INPUTS, SEED, bombard, mutated

from footfall.errors import DataVersionError, SpoolDamagedError
from footfall.node.spool_file import Origin, SpoolFile

ORIGIN = Origin("n1", "2026-01-01T00:00:00Z", PARTITIONS)


def _spool(path: Path) -> bytes:
    file = SpoolFile.create(path, ORIGIN)
    file.append([(number % PARTITIONS, data) for number, data in enumerate(corpora.batches() * 3)])
    file.close()
    return path.read_bytes()


def test_damaged_files_of_a_spool_give_what_was_written_or_are_refused(tmp_path: Path) -> None:
    whole_file = _spool(tmp_path / "whole.sqlite")
    written = set(corpora.batches())
    source = random.Random(SEED)
    read = refused = 0
    for number in range(max(60, INPUTS // 500)):
        path = tmp_path / f"{number}.sqlite"
        index = source.randrange(len(whole_file))
        data = bytearray(whole_file)
        data[index : index + source.choice((1, 8, 500))] = source.randbytes(source.choice((1, 8, 500)))
        path.write_bytes(mutated(source, [whole_file]) if number % 3 == 0 else data)
        try:
            file = SpoolFile.open(path)
        except (SpoolDamagedError, DataVersionError):
            refused += 1
            continue
        try:
            rows = file.after(0, 1_000, 1 << 30)
            assert {row.data for row in rows if row.whole} <= written
            read += 1
        except SpoolDamagedError:
            refused += 1
        finally:
            file.close()
    assert read, "nothing could be read"
    assert refused, "nothing was refused"


def test_rows_of_a_spool_of_any_type_and_value(tmp_path: Path) -> None:
    """Whoever can write the file can put anything in it; what is not what was written is marked."""
    path = tmp_path / "strange.sqlite"
    _spool(path)

    def take(data: bytes) -> None:
        with sqlite3.connect(path) as database:
            values = (
                msgspec.msgpack.encode(data),
                data,
                data[:40].decode("latin-1"),
                None,
                len(data),
                float(len(data)),
            )
            chosen = [values[(len(data) + step) % len(values)] for step in range(4)]
            sent = [value if value is not None else data for value in chosen]
            database.execute("UPDATE messages SET partition = ?, kept_s = ?, digest = ?, data = ? WHERE id = 3", sent)
        database.close()
        file = SpoolFile.open(path)
        try:
            rows = file.after(0, 1_000, 1 << 30)
            assert not next(row for row in rows if row.id == 3).whole
        finally:
            file.close()

    bombard(take, corpora.batches(), (SpoolDamagedError,), max(30, INPUTS // 1_000))
