"""The window of idempotency keys, against a dict of when each key counted."""

from itertools import pairwise

import pytest
from core_laws import law
from hypothesis import strategies as st

from footfall.core.keys import WINDOW_EPOCHS, KeyWindow, key_digest, remembered_s, split

KEYS = [key_digest("a", f"k{at}") for at in range(6)]
STEPS = st.lists(st.sampled_from(KEYS) | st.sampled_from([1, 2, 30, 58, 59, 60, 61]), max_size=30)


@law(STEPS)
def test_a_key_is_first_if_none_counted_in_this_epoch_or_the_59_before(steps: list[bytes | int]) -> None:
    window, epoch, counted = KeyWindow(), 0, {}
    for step in steps:
        if isinstance(step, bytes):
            first = step not in counted or epoch - counted[step] >= 60
            assert window.first(step) is first
            if first:
                counted[step] = epoch
        else:
            for _ in range(step):
                epoch += 1
                window.tick(epoch)
        known = {key for key, at in counted.items() if epoch - at < 60}
        assert len(window) == len(known)
        held = [digest for _, digests in window.segments() for digest in split(digests)]
        assert len(held) == len(known)
        assert set(held) == known


@law(STEPS)
def test_segments_are_by_epoch_in_order_none_empty_and_never_more_than_the_window(steps: list[bytes | int]) -> None:
    window, epoch = KeyWindow(), 0
    for step in steps:
        if isinstance(step, bytes):
            window.first(step)
            assert window.segments()[-1][0] == -1 or window.segments()[-1][0] < epoch
        for _ in range(0 if isinstance(step, bytes) else step):
            epoch += 1
            window.tick(epoch)
            epochs = [closed for closed, _ in window.segments()]
            assert all(one < two for one, two in pairwise(epochs))
            assert all(epoch - 60 < closed < epoch for closed in epochs)
        assert all(digests for _, digests in window.segments())


@law(STEPS, STEPS)
def test_a_window_made_of_segments_goes_on_as_the_one_they_came_from(
    before: list[bytes | int], after: list[bytes | int]
) -> None:
    window, epoch = KeyWindow(), 0
    for step in [*before, 1]:
        if isinstance(step, bytes):
            window.first(step)
        else:
            for _ in range(step):
                epoch += 1
                window.tick(epoch)
    other = KeyWindow(window.segments())
    for step in after:
        if isinstance(step, bytes):
            assert other.first(step) is window.first(step)
        else:
            for _ in range(step):
                epoch += 1
                window.tick(epoch)
                other.tick(epoch)
        assert other.segments() == window.segments()


def test_a_closed_epochs_keys_stay_the_same_bytes() -> None:
    window = KeyWindow()
    window.first(KEYS[0])
    window.first(KEYS[1])
    assert window.segments() == ((-1, KEYS[0] + KEYS[1]),)
    window.tick(1)
    closed = window.segments()
    assert closed == ((0, KEYS[0] + KEYS[1]),)
    window.first(KEYS[2])
    window.tick(2)
    assert window.segments() == (*closed, (1, KEYS[2]))
    assert window.segments()[0][1] is closed[0][1]


def test_the_window_is_sixty_epochs() -> None:
    assert WINDOW_EPOCHS == 60


def test_a_key_belongs_to_its_counter() -> None:
    digests = {key_digest(counter, key) for counter in ("a", "a.b", "ab") for key in ("k", "b.k", "bk", "ü")}
    assert len(digests) == 12
    assert {len(digest) for digest in digests} == {16}


@pytest.mark.parametrize(
    ("counter", "key", "digest"),
    [("google.gmail", "k-1", "750e7c938dc76a748c5bb85132524ad5"), ("a", "ü", "d8b131964c6d41bf99912681722f37f2")],
)
def test_the_digest_of_a_key_stays_what_it_is(counter: str, key: str, digest: str) -> None:
    assert key_digest(counter, key).hex() == digest


def test_a_key_that_comes_at_an_epochs_end_is_remembered_for_as_long_as_is_promised() -> None:
    window = KeyWindow()
    assert window.first(KEYS[0])  # the epoch ends now
    for epoch in range(1, int(remembered_s(10.0) / 10.0) + 2):  # the last of these begins when the time is over
        assert not window.first(KEYS[0])
        window.tick(epoch)
    assert window.first(KEYS[0])
