"""The judge names the N-th visit, from whichever cut below N it begins: against a model that counts them off."""

import struct
from collections.abc import Iterator
from hashlib import sha256

import pytest
from core_histories import NAMES, PARTITIONS, histories, raffles
from core_judges import CREATED, at_cut, beginning, judged, judged_whole, played, winners
from core_laws import law
from core_logs import Folds, Message, StoredMessage, stored
from core_patches import patched
from core_raffle import FOR_EVER, Raffle
from hypothesis import strategies as st

from footfall.core import partition
from footfall.core.position import Position, at

LOGS = raffles()


@pytest.fixture(autouse=True, scope="module")
def long_lives() -> Iterator[None]:
    with patched(partition, PRODUCER_EPOCHS=FOR_EVER):
        yield


def model_of(log: list[Message]) -> Raffle:
    model = Raffle(PARTITIONS)
    for message in log:
        model.take(message)
    return model


def expected(model: Raffle, counter: str) -> dict[int, object]:
    return {n: visit for (name, n), visit in model.winners.items() if name == counter}


def digest_of(messages: list[StoredMessage]) -> bytes:
    """The proof's digest as the page describes it."""
    whole = b""
    for message in messages:
        subject = message.subject.encode()
        whole += struct.pack(">QH", message.sequence, len(subject)) + subject
        whole += struct.pack(">I", len(message.data)) + message.data
    return sha256(whole).digest()


# --- laws ---


@law(LOGS, st.data(), examples=60)
def test_the_winner_is_the_visit_that_is_found_by_counting_off(log: list[Message], data: st.DataObject) -> None:
    log = played(log, NAMES, PARTITIONS, data)
    model = model_of(log)
    for name in NAMES:
        assert winners(judged_whole(name, log, PARTITIONS)) == expected(model, name)


@law(histories(), examples=40)
def test_a_winner_is_found_though_others_tell_what_is_not_true(log: list[Message]) -> None:
    """Rumours close milestones and void them; of those that stay open the winner is the same."""
    model = model_of(log)
    for name in NAMES:
        found = winners(judged_whole(name, log, PARTITIONS))
        assert found.items() <= expected(model, name).items()
        still_open = {n for (one, n), wish in model.wishes.found.items() if one == name and wish["winner"] is None}
        assert {n for n in expected(model, name) if n in still_open} <= set(found)


@law(LOGS, st.data(), examples=60)
def test_from_every_cut_below_n_the_winner_is_the_same(log: list[Message], data: st.DataObject) -> None:
    log = played(log, NAMES, PARTITIONS, data)
    name = data.draw(st.sampled_from(NAMES))
    whole, messages = winners(judged_whole(name, log, PARTITIONS)), stored(log)
    folds = Folds(PARTITIONS)
    for message, last in zip(log, messages, strict=True):
        epoch = folds.definitions.epoch
        folds.take(message)
        if folds.definitions.epoch == epoch or data.draw(st.booleans()):
            continue
        judge = at_cut(name, folds, last)
        begin, value = at(CREATED, last), folds.value(name)
        assert (judge.value, judge.sequence, judge.entries) == (value, last.sequence, folds.entries(name))
        crossings = judged(judge, messages[last.sequence :])
        below = {n for n in whole if n > value}  # an import may have passed N, and a visit after it was the N-th
        assert winners(crossings) == {n: whole[n] for n in below if whole[n].sequence > last.sequence}
        for crossing in crossings:
            proof, between = crossing.proof, messages[last.sequence : crossing.sequence]
            assert (proof.cut, proof.epoch, proof.value) == (begin, folds.definitions.epoch, value)
            assert (proof.messages, proof.digest) == (len(between), digest_of(between))


@law(LOGS, examples=30)
def test_two_judges_agree_in_every_word(log: list[Message]) -> None:
    for name in NAMES:
        assert judged_whole(name, log, PARTITIONS) == judged_whole(name, log, PARTITIONS)


@law(LOGS, examples=40)
def test_the_judge_knows_the_count_at_every_message_and_where_milestones_were_set(log: list[Message]) -> None:
    model = model_of(log)
    for name in NAMES:
        judge = beginning(name, PARTITIONS)
        for message in stored(log):
            judge.fold(message)
            assert judge.value == sum(judge.entries) == model.values[message.sequence].get(name, 0)
            assert max(judge.reached) == message.sequence
        for (counter, _), wish in model.wishes.found.items():
            if counter == name:
                assert judge.sums[wish["since"]] == min(model.values[wish["since"]][name], 2**63 - 1)


@law(LOGS, st.data(), examples=40)
def test_a_proof_may_begin_at_any_cut_that_was_passed_below_n(log: list[Message], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    judge, messages = beginning(name, PARTITIONS), stored(log)
    begins = {0: (Position(CREATED), 0)}
    folds = Folds(PARTITIONS)
    for message, last in zip(log, messages, strict=True):
        epoch = folds.definitions.epoch
        folds.take(message)
        for crossing in judge.fold(last):
            begin, value = begins[judge.epochs[0]]
            assert (crossing.proof.cut, crossing.proof.epoch, crossing.proof.value) == (begin, judge.epochs[0], value)
            assert value < crossing.n
            assert crossing.proof.digest == digest_of(messages[begin.sequence : last.sequence])
        if folds.definitions.epoch != epoch:
            begins[epoch + 1] = (at(CREATED, last), judge.value)
        assert judge.epochs == sorted(judge.epochs)
        assert len(judge.epochs) <= 4
        if data.draw(st.booleans()):
            judge.rebase(data.draw(st.sampled_from([*judge.epochs, 999])))
