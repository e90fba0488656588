"""What a log counts, found naively: docs/log-format.md followed word by word with dicts and sets.

It reads the raw messages and shares no code with the core.
"""

from collections import Counter, defaultdict
from typing import Any

import msgspec
import xxhash
from core_logs import Message

WINDOW_EPOCHS = 60
ENTRY_MAX = 2**63 - 1


def path_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


class RefusedError(Exception):
    """A section that is not counted; its only argument is the alarm's kind."""


class Wishes:
    """Milestones as dicts; of each kind of message the first holds."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], dict[str, Any]] = {}

    def open_after(self, counter: str, sequence: int) -> bool:
        """Whether a milestone without a winner was set on the counter after a sequence."""
        return any(
            one == counter and wish["winner"] is None and wish["since"] > sequence
            for (one, _), wish in self.found.items()
        )

    def take(self, sequence: int, tag: str, counter: str, n: int, *rest: Any) -> str | None:
        """Take a message; returns the alarm's kind if there is one."""
        wish = self.found.get((counter, n))
        if tag == "milestone/1":
            if not 1 <= n <= ENTRY_MAX:
                return "malformed"
            if wish is None:
                nothing = {"value": -1, "winner": None, "proof": None, "reached": 0, "announced": False, "claim": None}
                self.found[counter, n] = {"since": sequence, **nothing}
        elif wish is None:
            return None
        elif tag == "verdict/1":
            return self._verdict(wish, counter, n, *rest)
        elif tag == "reached/1" and wish["winner"] is None:
            wish |= {"winner": rest[0], "proof": rest[1], "reached": sequence}
        elif tag == "reached/1" and wish["winner"] != rest[0]:
            return "winner"
        elif tag == "announced/1" and wish["winner"]:
            wish["announced"] = True
        elif tag == "claimed/1" and wish["winner"] and wish["claim"] is None:
            wish["claim"] = rest[0]
        return None

    def _verdict(self, wish: dict[str, Any], counter: str, n: int, since: int, value: int) -> str | None:
        if since != wish["since"]:
            return None
        if value < 0:
            return "malformed"
        if value == wish["value"]:
            return None
        if wish["value"] >= 0 or (value >= n and wish["winner"]):
            return "verdict"
        if value < n:
            wish["value"] = value
        else:
            del self.found[counter, n]
        return None


class Model:
    """The counts, and the alarms as (sequence, kind)."""

    def __init__(self, partitions: int, producer_epochs: int) -> None:
        self.partitions = partitions
        self.producer_epochs = producer_epochs
        self.sequence = self.epoch = 0
        self.units: dict[str, str] = {}
        self.counts: dict[tuple[str, int], int] = defaultdict(int)
        self.seen: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.wishes = Wishes()
        self.imported: dict[str, tuple[str, int, str, int]] = {}
        self.positions: dict[str, int] = defaultdict(int)
        self.alarms: list[tuple[int, str]] = []
        self.tallies: list[Counter[str]] = [Counter() for _ in range(partitions)]
        self._last: dict[tuple[str, int | None], int] = defaultdict(int)
        self._keys: dict[tuple[str, str], int] = {}  # (leaf, key) → epoch in which it counted

    def take(self, message: Message) -> None:
        self.sequence += 1
        if message.partition is None:
            self._control(msgspec.msgpack.decode(message.data))
        else:
            self._batch(message.partition, message.data)

    def _alarm(self, partition: int | None, kind: str) -> None:
        self.alarms.append((self.sequence, kind))
        if partition is not None:
            self.tallies[partition][kind] += 1

    def _control(self, raw: list[Any]) -> None:
        tag, producer, sequence, *rest = raw
        if tag == "barrier/1" and rest[0] == self.epoch + 1:
            self.epoch = rest[0]
        if not self._comes_next(None, producer, sequence):
            return
        if tag == "define/1":
            for name, unit in rest[0]:
                for ancestor in path_of(name)[:-1]:
                    self.units.setdefault(ancestor, "visits")
                self.units.setdefault(name, unit)
        elif tag != "barrier/1" and rest[0] not in self.units:
            self._alarm(None, "undefined")
        elif tag == "import/1":
            self._import(*rest)
        elif tag != "barrier/1" and (kind := self.wishes.take(self.sequence, tag, *rest)):
            self._alarm(None, kind)

    def _import(self, counter: str, value: int, source: str, note: str, after: int) -> None:
        if not 1 <= value <= ENTRY_MAX:
            self._alarm(None, "malformed")
            return
        if source in self.imported or any(self.wishes.open_after(one, after) for one in path_of(counter)):
            return
        self.imported[source] = (counter, value, note, self.sequence)
        partition = self._home(source)
        path = [one for one in path_of(counter) if self.units[one] == self.units[counter]]
        if any(self.counts[one, partition] + value > ENTRY_MAX for one in path):
            self.tallies[partition]["overflow"] += 1
            return
        for one in path:
            self.counts[one, partition] += value

    def _comes_next(self, partition: int | None, producer: str, sequence: int) -> bool:
        last = self._last[producer, partition]
        if sequence <= last:
            return False
        if sequence != last + 1:
            self._alarm(partition, "gap")
        self._last[producer, partition] = sequence
        return True

    def _batch(self, partition: int, data: bytes) -> None:
        try:
            tag, producer, born, sequence, sections, chunk = msgspec.msgpack.decode(data)
            assert tag == "batch/1"
        except (msgspec.DecodeError, ValueError, TypeError, AssertionError):
            self._alarm(partition, "malformed")
            return
        if born > self.epoch or born <= self.epoch - self.producer_epochs:
            self._alarm(partition, "expired")
        elif not self._comes_next(partition, producer, sequence):
            self.tallies[partition]["repeat"] += 1
        elif chunk is None or self._fits(partition, *chunk):
            for section in sections:
                try:
                    self._section(partition, *section)
                except RefusedError as refused:
                    self._alarm(partition, refused.args[0])

    def _fits(self, partition: int, source: str, start: int, end: int) -> bool:
        if self._home(source) != partition:
            self._alarm(partition, "misrouted")
            return False
        if start != self.positions[source] or end <= start:
            self.tallies[partition]["chunk"] += 1
            return False
        self.positions[source] = end
        return True

    def _section(
        self, p: int, leaf: str, unit: str, entries: int, visitors: bytes | None, keys: bytes | None, times: int
    ) -> None:
        if leaf not in self.units:
            raise RefusedError("undefined")
        path = [counter for counter in path_of(leaf) if self.units[counter] == unit]
        if unit == "visitors":
            named = set(self._texts(p, visitors, entries))
            if not named:
                raise RefusedError("malformed")
            if any(self.counts[counter, p] + entries > ENTRY_MAX for counter in path):
                raise RefusedError("overflow")
            for counter in path:
                self.counts[counter, p] += len(named - self.seen[counter, p])
                self.seen[counter, p] |= named
            return
        if entries < 1 or times < 1:
            raise RefusedError("malformed")
        if keys is not None:
            entries = self._fresh_keys(p, leaf, self._texts(p, keys, entries))
        if any(self.counts[counter, p] + entries * times > ENTRY_MAX for counter in path):
            raise RefusedError("overflow")
        for counter in path:
            self.counts[counter, p] += entries * times

    def _fresh_keys(self, partition: int, leaf: str, keys: list[str]) -> int:
        fresh = 0
        for key in keys:
            counted = self._keys.get((leaf, key))
            if counted is not None and self.epoch - counted < WINDOW_EPOCHS:
                self.tallies[partition]["key"] += 1
            else:
                self._keys[leaf, key] = self.epoch
                fresh += 1
        return fresh

    def _texts(self, partition: int, packed: bytes | None, entries: int) -> list[str]:
        try:
            texts: list[str] = msgspec.msgpack.decode(packed or b"", type=list[str])
        except msgspec.DecodeError:
            raise RefusedError("malformed") from None
        if len(texts) != entries:
            raise RefusedError("malformed")
        if any(self._home(text) != partition for text in texts):
            raise RefusedError("misrouted")
        return texts

    def _home(self, text: str) -> int:
        return xxhash.xxh3_64_intdigest(text.encode()) % self.partitions
