"""Bugs for what the core does with milestones: the simulation must notice every one of them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from footfall.core import cut
from footfall.core.judge import Crossing, Judge
from footfall.core.milestones import Milestones
from footfall.core.receipts import RECEIPT_LENGTH, receipts


def judges_repeats(patch: pytest.MonkeyPatch) -> None:
    """A judge counts a batch again that comes again."""
    init = Judge.__init__

    def careless(self: Judge, counter: str, begin: Any, epoch: int, definitions: Any, partitions: Any) -> None:
        for partition in partitions:
            partition._is_next = lambda batch, alarms: True
        init(self, counter, begin, epoch, definitions, partitions)

    patch.setattr(Judge, "__init__", careless)


def takes_the_first_entry(patch: pytest.MonkeyPatch) -> None:
    """The winner is the first entry of the section that crosses N."""
    patch.setattr("footfall.core.judge._entry", lambda gain, ordinal: 0)


def ignores_times(patch: pytest.MonkeyPatch) -> None:
    """To the judge each entry is one visit."""
    patch.setattr("footfall.core.judge._entry", lambda gain, ordinal: min(ordinal, gain.section.entries) - 1)


def takes_known_visitors(patch: pytest.MonkeyPatch) -> None:
    """A visitor who came before may win."""
    from footfall.core import judge

    entry = judge._entry

    def any_visitor(gain: Any, ordinal: int) -> int:
        return ordinal - 1 if gain.fresh is not None else entry(gain, ordinal)

    patch.setattr(judge, "_entry", any_visitor)


def crosses_beyond_n(patch: pytest.MonkeyPatch) -> None:
    """A milestone is reached by the visit after the N-th."""
    crossing = Judge._crossing

    def beyond(self: Judge, n: int, ordinal: int, partition: Any, batch: Any) -> Crossing:
        added = sum(gain.added for gain in partition.gains)
        return crossing(self, n, min(ordinal + 1, added), partition, batch)

    patch.setattr(Judge, "_crossing", beyond)


def misses_the_last(patch: pytest.MonkeyPatch) -> None:
    """The last visit of a batch crosses nothing."""
    fold_batch = Judge._fold_batch

    def short(self: Judge, number: int, message: Any) -> list[Crossing]:
        return [crossing for crossing in fold_batch(self, number, message) if crossing.n != self.value]

    patch.setattr(Judge, "_fold_batch", short)


def forgets_imports_past_n(patch: pytest.MonkeyPatch) -> None:
    """An import that goes past N leaves the milestone without a winner."""
    fold_control = Judge._fold_control

    def fold(self: Judge, sequence: int, message: Any) -> None:
        fold_control(self, sequence, message)
        self._overdue.clear()

    patch.setattr(Judge, "_fold_control", fold)


def commits_to_the_first_receipt(patch: pytest.MonkeyPatch) -> None:
    """The judge works out the receipt of the batch's first entry, whichever won."""

    def receipt(self: Crossing, secret: bytes) -> str:
        return receipts(secret, self.producer, self.partition, self.number, 1)[-RECEIPT_LENGTH:]

    patch.setattr(Crossing, "receipt", receipt)


def answers_keys_with_places(patch: pytest.MonkeyPatch) -> None:
    """The receipt of a visit with a long key is of its retry's place, which did not count, and not the key."""
    patch.setattr("footfall.core.outbox.is_receipt", lambda key: False)


def takes_any_receipt(patch: pytest.MonkeyPatch) -> None:
    """Any receipt claims."""
    patch.setattr("footfall.core.receipts.compare_digest", lambda one, other: True)


def takes_the_last_claim(patch: pytest.MonkeyPatch) -> None:
    """The last claim holds, not the first."""
    fold = Milestones.fold

    def last(self: Milestones, sequence: int, message: Any) -> Any:
        standing = self.find(message.counter, message.n)
        if getattr(message, "claim", None) and standing is not None and not standing.open:
            self._standings[message.counter, message.n] = msgspec.structs.replace(standing, claim=None)
        return fold(self, sequence, message)

    patch.setattr(Milestones, "fold", last)


def ignores_the_verdict(patch: pytest.MonkeyPatch) -> None:
    """A milestone that was passed when it was set stands."""
    decide = Milestones._decide

    def stands(self: Milestones, standing: Any, message: Any) -> Any:
        return decide(self, standing, msgspec.structs.replace(message, value=min(message.value, standing.n - 1)))

    patch.setattr(Milestones, "_decide", stands)


def sets_again(patch: pytest.MonkeyPatch) -> None:
    """Setting an open milestone again moves it to where it was set last."""
    fold = Milestones.fold

    def moved(self: Milestones, sequence: int, message: Any) -> Any:
        standing = self.find(message.counter, message.n)
        if isinstance(message, msgspec.Struct) and hasattr(message, "reader") and standing and standing.undecided:
            del self._standings[message.counter, message.n]
        return fold(self, sequence, message)

    patch.setattr(Milestones, "fold", moved)


def imports_behind_milestones(patch: pytest.MonkeyPatch) -> None:
    """An import counts though a milestone was set after its writer looked."""
    patch.setattr(Milestones, "since", lambda self, name, sequence: False)


def cuts_without_milestones(patch: pytest.MonkeyPatch) -> None:
    """Who starts from a cut knows none of the milestones that were set before it."""
    restore = cut.restore_definitions

    def forgetful(manifest: Any, fetched: Any) -> Any:
        definitions = restore(manifest, fetched)
        definitions.milestones = Milestones()
        return definitions

    patch.setattr(cut, "restore_definitions", forgetful)


def proves_too_little(patch: pytest.MonkeyPatch) -> None:
    """A proof that is begun at a later cut goes on with the count of the first."""
    from footfall.core.judge import _Span

    init = _Span.__init__
    patch.setattr(_Span, "__init__", lambda self, begin, epoch, value: init(self, begin, epoch, value and 0))


def drops_cuts_that_are_needed(patch: pytest.MonkeyPatch) -> None:
    """Cuts and the log are dropped while a milestone needs them."""
    patch.setattr("simulation.judging.Judging.holds", lambda self, newest: False)


JUDGE_BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    bug.__name__: bug
    for bug in (
        judges_repeats,
        takes_the_first_entry,
        ignores_times,
        takes_known_visitors,
        crosses_beyond_n,
        misses_the_last,
        forgets_imports_past_n,
        commits_to_the_first_receipt,
        answers_keys_with_places,
        takes_any_receipt,
        takes_the_last_claim,
        ignores_the_verdict,
        sets_again,
        imports_behind_milestones,
        cuts_without_milestones,
        proves_too_little,
        drops_cuts_that_are_needed,
    )
}
