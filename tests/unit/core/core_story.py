"""A log told in words: each message, what the judges count after it, and who has won."""

from collections.abc import Callable

import msgspec
from core_judges import SECRET, Book, at_cut, beginning
from core_logs import Message, StoredMessage, stored

from footfall.core import batch, control
from footfall.core.control import Announced, Barrier, Claimed, Define, Import, Milestone, Reached, Verdict
from footfall.core.judge import Crossing, Judge

WIDTH = 78  # of a message's own words, where the counts beside them begin
INDENT = " " * 14


class Story(Book):
    """A log under construction, followed by judges, who begin at its first message or at its cuts."""

    def __init__(self, partitions: int, counters: tuple[str, ...]) -> None:
        super().__init__(partitions)
        self.lines: list[str] = []
        self.found: dict[tuple[str, int], list[Crossing]] = {}  # by milestone, what each judge found
        self._counters = counters
        self._judges: list[tuple[str, Judge]] = [("the first judge", beginning(name, partitions)) for name in counters]

    def take(self, message: Message) -> list[str]:
        before = list(self.definitions.milestones)
        alarms = super().take(message)
        (last,) = stored([message], self.sequence)
        won = [(who, judge, one) for who, judge in self._judges for one in judge.fold(last)]
        self.lines.append(f"sequence {last.sequence:>3}  {self._words(last):<{WIDTH}}  -> {self._counts()}".rstrip())
        self.lines += [f"{INDENT}ALARM: {alarm}" for alarm in alarms]
        for who, judge, one in won:
            self.found.setdefault((judge.counter, one.n), []).append(one)
            self.lines += _announced(who, judge.counter, one)
        if message.partition is None and isinstance(control.decode(message.data), Reached | Claimed):
            changed = list(self.definitions.milestones) != before
            self.lines.append(
                INDENT + ("the first to say so: it holds" if changed else "not the first: changes nothing")
            )
        return alarms

    def judge_from_here(self, who: str) -> None:
        """Let more judges begin at the cut of the last message."""
        (last,) = stored(self.log[-1:], self.sequence)
        for name in self._counters:
            self._judges.append((who, at_cut(name, self, last)))
        self.lines.append(f"{INDENT}{who} begins here, at the cut of epoch {self.definitions.epoch}")

    def _counts(self) -> str:
        counts = []
        for name in self._counters:
            values = {judge.value for _, judge in self._judges if judge.counter == name}
            assert len(values) == 1, f"judges count {name} differently: {values}"
            counts.append(f"{name} {values.pop()}" + _sought(self, name))
        return ", ".join(counts)

    def _words(self, message: StoredMessage) -> str:
        if message.subject != "footfall.control":
            return _batch_in_words(message)
        decoded = control.decode(message.data)
        return f"{decoded.producer} {WORDS[type(decoded)](decoded)}"


def _sought(story: Story, name: str) -> str:
    wishes = story.definitions.milestones.open_of(name)
    return f" of {wishes[0].n}" if wishes else ""


def _batch_in_words(message: StoredMessage) -> str:
    found = batch.decode(message.data)
    sections = []
    for section in found.sections:
        text = f"{section.leaf} by {', '.join(batch.unpack(section.visitors or b''))}"
        if section.keys is not None:
            text += f" under {', '.join(batch.unpack(section.keys))}"
        sections.append(text)
    partition = message.subject.rpartition(".")[2]
    return f"batch {found.sequence} of {found.producer} in partition {partition}: {'; '.join(sections)}"


def _announced(who: str, counter: str, one: Crossing) -> list[str]:
    proof, winner = one.proof, one.winner(SECRET, 0)
    return [
        f"{INDENT}WINNER, says {who}: {one.visitor} is visit {one.n} of {counter}: "
        f"entry {one.index} of sequence {one.sequence}",
        f"{INDENT}       the receipt's SHA-256 begins {winner.receipt_sha256.hex()[:16]}; "
        f"from {proof.value} at sequence {proof.cut.sequence}, {proof.messages} messages, "
        f"digest {proof.digest.hex()[:16]}",
    ]


WORDS: dict[type[msgspec.Struct], Callable[..., str]] = {
    Define: lambda one: "defines " + ", ".join(f"{name} ({unit})" for name, unit in one.counters),
    Barrier: lambda one: f"writes a barrier, and epoch {one.epoch} begins" if one.epoch else "writes a barrier",
    Milestone: lambda one: f"wants to know visit {one.n} of {one.counter}",
    Verdict: lambda one: (
        f"tells that {one.counter} was {one.value} there: visit {one.n} is "
        + ("still to come" if one.value < one.n else "over")
    ),
    Reached: lambda one: f"tells the winner of {one.n} of {one.counter}: {one.winner.visitor}",
    Announced: lambda one: f"has told the webhook of {one.n} of {one.counter}",
    Claimed: lambda one: f"was shown the receipt for {one.n} of {one.counter}",
    Import: lambda one: f"takes over {one.value} of {one.counter} from {one.source}",
}
