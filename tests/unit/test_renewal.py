"""A person is told of a certificate that no client takes, of one that ends soon, and of a renewed one that is none."""

import asyncio
import logging
from pathlib import Path

import pytest

from footfall.certificates import Life, life_of, server_context
from footfall.web.renewal import UNUSABLE, Renewal, remark
from pki import DAY, Authority, Pair

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def life(pair: Pair) -> Life | str:
    return life_of(server_context(pair.cert, pair.key), pair.cert)


def test_the_life_of_a_certificate_is_read_from_it_whatever_its_name_and_its_authority(authority: Authority) -> None:
    found = life(authority.issue("good", "example.org", begins=-2 * DAY, ends=8 * DAY))
    assert isinstance(found, Life)
    assert found.end_s - found.begin_s == pytest.approx(10 * DAY_S, abs=2)


def test_one_that_no_client_takes_says_why(authority: Authority) -> None:
    assert life(authority.issue("old", begins=-9 * DAY, ends=-DAY)) == "certificate has expired"
    assert life(authority.issue("young", begins=DAY, ends=9 * DAY)) == "certificate is not yet valid"


@pytest.mark.parametrize(
    ("now_s", "said"),
    [
        (50 * DAY_S, ""),
        (89 * DAY_S, ""),
        (91 * DAY_S, "this node's certificate expires at 1970-04-11 00:00 UTC, and was not renewed yet"),
        (101 * DAY_S, "this node's certificate has expired, at 1970-04-11 00:00 UTC: no client takes it"),
    ],
)
def test_the_last_tenth_of_a_life_is_warned_of(now_s: float, said: str) -> None:
    assert remark(Life(0.0, 100 * DAY_S), now_s) == said


async def test_what_nobody_foresaw_does_not_end_the_looking(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = authority.issue("good")
    renewal = Renewal(server_context(*good), *good, check_s=0.01)
    keeping = asyncio.create_task(renewal.keep())
    with monkeypatch.context() as patch:
        patch.setattr(renewal, "_read", lambda: 1 / 0)
        await asyncio.sleep(0.1)
    assert "the certificate cannot be looked at" in caplog.text
    await asyncio.sleep(0.05)
    assert not keeping.done()
    keeping.cancel()


async def test_a_person_is_told_when_something_changes_and_strangers_learn_no_path(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, good = authority.issue("old", begins=-9 * DAY, ends=-DAY), authority.issue("good")
    live = Pair(str(tmp_path / "cert"), str(tmp_path / "key"))
    told: list[str] = []

    def put(cert: str, key: str) -> None:
        Path(live.cert).write_bytes(Path(cert).read_bytes())
        Path(live.key).write_bytes(Path(key).read_bytes())

    async def is_told(warning: str) -> bool:
        for _ in range(500):
            if told[-1] == warning and renewal._seen == renewal._read():
                return True
            await asyncio.sleep(0.01)
        return False

    put(*old)
    with caplog.at_level(logging.WARNING):
        renewal = Renewal(server_context(*live), *live, told.append, check_s=0.01)
    expired = "no client can take this node's certificate now: certificate has expired"
    assert told == [expired]
    assert expired in caplog.text
    keeping = asyncio.create_task(renewal.keep())
    put(*good)
    assert await is_told("")
    put(good.cert, old.key)
    assert await is_told(UNUSABLE)
    assert live.cert in caplog.text
    assert live.cert not in UNUSABLE
    put(*good)
    assert await is_told("")
    keeping.cancel()
