"""Refuses a request that is repeated so late that nodes may have forgotten its keys: it could count twice. Pure."""

import re
from collections.abc import Sequence

from footfall.core.keys import remembered_s
from footfall.errors import InvalidRequestError, KeysForgottenError

HEADER = b"idempotency-key-age"
STORING_S_MAX = 15.0  # until a request that was taken is in the log: a flush is given up after ten

_SECONDS = re.compile(rb"[0-9]{1,9}\Z")


def check_age(values: Sequence[bytes], epoch_s: float) -> None:
    """See that a request comes before its keys are forgotten.

    Args:
        values: Of its header: how many seconds ago it was sent for the first time. None if it is no repeat.
        epoch_s: How long epochs last.

    Raises:
        InvalidRequestError: That is no number of seconds.
        KeysForgottenError: It comes too late.
    """
    if not values:
        return
    if len(values) > 1 or _SECONDS.match(values[0]) is None:
        said = b", ".join(values)[:60].decode("latin-1")
        raise InvalidRequestError(f"the Idempotency-Key-Age is {said!r}; send one whole number of seconds")
    limit_s = max(0.0, remembered_s(epoch_s) - STORING_S_MAX)
    if int(values[0]) > limit_s:
        raise KeysForgottenError(
            f"this was sent for the first time {int(values[0])} s ago, and keys are known for {limit_s:g} s: it may "
            "have been counted then, and is not counted now"
        )
