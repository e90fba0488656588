"""Receipts: one a visit, that only the cluster's secret yields, and that a commitment does not betray."""

from hashlib import sha256

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core.receipts import JOINT, RECEIPT_LENGTH, commitment, is_receipt, opens, receipts

SECRETS = st.binary(max_size=40)
ENTRIES = st.integers(1, 20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@law(SECRETS, TEXT, st.integers(0, 99), st.integers(1, 2**63 - 1), ENTRIES, ENTRIES)
def test_the_receipts_of_the_first_entries_do_not_depend_on_how_many_more_there_are(
    secret: bytes, producer: str, partition: int, sequence: int, few: int, more: int
) -> None:
    text = receipts(secret, producer, partition, sequence, few + more)
    assert text.startswith(receipts(secret, producer, partition, sequence, few))
    assert len(text) == RECEIPT_LENGTH * (few + more)
    each = [text[at : at + RECEIPT_LENGTH] for at in range(0, len(text), RECEIPT_LENGTH)]
    assert len(set(each)) == few + more
    assert all(is_receipt(one) for one in each)


@law(st.lists(st.tuples(SECRETS, TEXT.filter(lambda text: "\0" not in text), st.integers(0, 99), st.integers(1, 99))))
def test_no_two_places_and_no_two_secrets_have_a_receipt_in_common(
    places: list[tuple[bytes, str, int, int]],
) -> None:
    found = [receipts(*one, 1) for one in set(places)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("key", "is_one"), [(None, False), ("", False), ("k" * 21, False), ("k" * 22, True)])
def test_a_key_is_a_receipt_from_22_characters_on(key: str | None, is_one: bool) -> None:
    assert is_receipt(key) is is_one


def test_a_commitment_is_the_sha_256_of_the_text() -> None:
    assert commitment("ü.1") == sha256("ü.1".encode()).digest()


# --- what opens a commitment ---


@law(TEXT, TEXT)
def test_a_receipt_opens_its_own_commitment_and_no_other(one: str, two: str) -> None:
    assert opens(one, commitment(one))
    if JOINT not in one:
        assert opens(one, commitment(two)) == (one == two)


@law(st.text("abc", min_size=1), st.text("abc", min_size=1))
def test_a_joint_receipt_opens_what_either_of_its_parts_opens(one: str, two: str) -> None:
    joint = one + JOINT + two
    assert all(opens(joint, commitment(text)) for text in (one, two, joint))
    assert not opens(one, commitment(joint))
    assert not opens(joint, commitment(two + JOINT + one)) or one == two


def test_only_two_guesses_can_be_joined_in_one() -> None:
    guesses = [f"guess{at}" for at in range(5)]
    assert [opens(JOINT.join(guesses), commitment(guess)) for guess in guesses] == [True, True, False, False, False]


def test_a_key_that_holds_the_joint_opens_its_own_commitment() -> None:
    assert opens("example.org.2026-05-01.7", commitment("example.org.2026-05-01.7"))
