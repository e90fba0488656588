"""A repeated request is refused when nodes may have forgotten its keys, and not before."""

import pytest

from footfall.client.policy import UNSURE_S_MAX
from footfall.config import Config
from footfall.core.keys import KeyWindow, remembered_s
from footfall.errors import InvalidRequestError, KeysForgottenError
from footfall.web.repeats import STORING_S_MAX, check_age


def test_a_key_is_remembered_for_so_long_wherever_in_an_epoch_it_came() -> None:
    for came in (0, 1, 7):
        window = KeyWindow()
        for epoch in range(1, came + 1):
            window.tick(epoch)
        assert window.first(b"k" * 16)
        for ticks in range(1, round(remembered_s(1.0)) + 1):
            window.tick(came + ticks)
            assert not window.first(b"k" * 16)
        window.tick(came + ticks + 1)
        assert window.first(b"k" * 16)


@pytest.mark.parametrize(("epoch_s", "limit_s"), [(10.0, 575), (1.0, 44), (0.5, 14), (0.01, 0)])
def test_a_repeat_is_taken_as_long_as_keys_are_remembered_when_it_is_in_the_log(epoch_s: float, limit_s: int) -> None:
    check_age([], epoch_s)
    check_age([b"0"], epoch_s)
    check_age([str(limit_s).encode()], epoch_s)
    with pytest.raises(KeysForgottenError, match=f"{limit_s + 1} s ago"):
        check_age([str(limit_s + 1).encode()], epoch_s)
    assert limit_s + STORING_S_MAX <= remembered_s(epoch_s) or not limit_s


def test_with_the_usual_interval_the_client_gives_up_before_nodes_refuse() -> None:
    check_age([str(round(UNSURE_S_MAX)).encode()], Config().cut_interval_s)


@pytest.mark.parametrize("values", [[b"1", b"2"], [b""], [b"1.5"], [b"-1"], [b"1" * 10], [b"\xb2"]])
def test_what_is_no_number_of_seconds_is_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidRequestError, match="send one whole number of seconds"):
        check_age(values, 10.0)
