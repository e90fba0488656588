"""What a stream's metadata says of the log, and how it is read."""

from typing import Any

import pytest

from footfall.errors import FormatError, RestoreUnfinishedError
from footfall.log.streams import ANCESTORS, RESTORING, ancestors_metadata, ancestors_of, partitions_of


def info(metadata: dict[str, str] | None) -> dict[str, Any]:
    return {"config": {"metadata": metadata}}


@pytest.mark.parametrize("ancestors", [{}, {"2026-01-01T00:00:00.123Z": 7}, {"one": 1, "two": 2**62}])
def test_the_ancestors_of_a_log_are_read_as_they_were_written(ancestors: dict[str, int]) -> None:
    assert ancestors_of(info(ancestors_metadata(ancestors))) == ancestors


@pytest.mark.parametrize("metadata", [None, {}, {"footfall-format": "1"}])
def test_a_log_that_says_nothing_has_no_ancestors(metadata: dict[str, str] | None) -> None:
    assert ancestors_of(info(metadata)) == {}


@pytest.mark.parametrize("told", ["", "{}", "[1]", '[{"created": "x"}]', '[{"created": "x", "sequence": 1.5}]', "[["])
def test_ancestors_that_cannot_be_read_are_refused(told: str) -> None:
    with pytest.raises(FormatError, match="footfall-ancestors cannot be read"):
        ancestors_of(info({ANCESTORS: told}))


def test_a_log_that_is_being_restored_is_no_log_yet() -> None:
    with pytest.raises(RestoreUnfinishedError, match="backup B is being restored"):
        partitions_of(info({"footfall-format": "1", "footfall-partitions": "4", RESTORING: "B"}))
