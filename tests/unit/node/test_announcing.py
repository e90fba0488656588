"""Winners are told at once on the bus, and to the webhook until it takes them: signed, and by one node at a time."""

import asyncio
import base64
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256

import pytest
from node_cluster import Cluster, until, visits
from node_line import Line, controls, soon
from node_raffle import WINNER, N, Raffle

from footfall.core.control import Announced, Control
from footfall.core.table import Table
from footfall.errors import ConfigError, LogUnavailableError
from footfall.node import announcing, webhook
from footfall.node.announcing import ATTEMPTS_AT_ONCE_MAX, BACKOFF_MAX_S, GIVE_UP_S, WINNERS_SUBJECT, Announcing
from footfall.node.exact import Write
from footfall.node.waiting import Reached

URL = "https://example.org/hook?token=1234"
KEY = b"the key"


class Receiver:
    """The webhook: answers with one status after the other, and the last for ever; None: not at all."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses = list(statuses)
        self.taken: list[tuple[str, bytes, dict[str, str]]] = []
        self.at_s: list[float] = []

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.taken.append((url, body, headers))
        self.at_s.append(asyncio.get_running_loop().time())
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status is None:
            await asyncio.sleep(10_000)
        assert status is not None
        return status

    @property
    def pauses_s(self) -> list[float]:
        return [after - before for before, after in zip(self.at_s, self.at_s[1:], strict=False)]


class Announcer:
    """What one node tells, of a log written by hand."""

    def __init__(self, raffle: Raffle, receiver: Receiver, url: str = URL) -> None:
        self.raffle = raffle
        self.away = False
        self.told = Announcing(
            raffle.line,
            raffle.storage.created,
            Table(2),
            raffle.members,
            raffle.definitions,
            Reached(1 << 40),
            self.write,
            url,
            KEY,
            receiver.post,
        )

    async def write(self, build: Callable[[str, int], Announced]) -> int:
        await asyncio.sleep(0)
        if self.away:
            raise LogUnavailableError("the log is away")
        return self.raffle.write(build)

    async def look_for(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.25)):
            self.told.look()
            await asyncio.sleep(0.25)


def announced(raffle: Raffle) -> int:
    """How many messages say that the webhook is done."""
    return sum(isinstance(message, Announced) for message in controls(raffle.storage))


@pytest.fixture
async def raffle() -> Raffle:
    raffle = Raffle()
    await raffle.whole()
    return raffle


def check_signature(body: bytes, headers: dict[str, str], key: bytes = KEY) -> None:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_the_webhook_is_told_once_signed_and_the_log_says_so(raffle: Raffle) -> None:
    receiver = Receiver(204)
    one = Announcer(raffle, receiver)
    await one.look_for(60)
    ((url, body, headers),) = receiver.taken
    assert url == URL
    check_signature(body, headers)
    assert headers["content-type"] == "application/json"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 100
    said = json.loads(body)
    assert said["type"] == "milestone.reached"
    assert said["timestamp"] == said["data"]["winner"]["time"]
    assert (said["data"]["counter"], said["data"]["n"], said["data"]["state"]) == ("a", N, "reached")
    assert said["data"]["winner"]["visitor"] == WINNER
    assert set(said["data"]) == {"counter", "n", "state", "value", "winner"}
    assert announced(raffle) == 1
    assert raffle.standing.announced
    assert (one.told.attempts, one.told.failures) == (1, 0)


async def test_what_is_not_taken_is_sent_again_after_pauses_that_double_up_to_a_bound(raffle: Raffle) -> None:
    receiver = Receiver(*[500] * 10, 200)
    one = Announcer(raffle, receiver)
    await one.look_for(900)
    assert [round(pause_s / 0.25) * 0.25 for pause_s in receiver.pauses_s] == pytest.approx(
        [min(2.0**k, BACKOFF_MAX_S) for k in range(10)], abs=0.5
    )
    assert len({headers["webhook-id"] for _, _, headers in receiver.taken}) == 1
    for _, body, headers in receiver.taken:
        check_signature(body, headers)
    assert (one.told.attempts, one.told.failures) == (11, 10)
    assert announced(raffle) == 1


@pytest.mark.parametrize("status", [100, 199, 301, 302, 307, 400, 404, 410, 429, 500, 503])
async def test_only_2xx_is_taken(raffle: Raffle, status: int) -> None:
    receiver = Receiver(status, 299)
    await Announcer(raffle, receiver).look_for(20)
    assert len(receiver.taken) == 2
    assert announced(raffle) == 1


async def test_an_answer_that_does_not_come_is_waited_for_ten_seconds(raffle: Raffle) -> None:
    receiver = Receiver(None, 200)
    await Announcer(raffle, receiver).look_for(30)
    assert receiver.pauses_s == [pytest.approx(11.0, abs=0.5)]
    assert announced(raffle) == 1


async def test_what_goes_wrong_is_logged_without_the_url(raffle: Raffle, caplog: pytest.LogCaptureFixture) -> None:
    async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
        raise OSError(f"no route to {url}")

    receiver = Receiver(200)
    one = Announcer(raffle, receiver)
    one.told._post = post
    await one.look_for(5)
    assert one.told.failures == 3
    assert "OSError" in caplog.text
    assert "1234" not in caplog.text


async def test_after_three_days_it_is_given_up_once_and_for_all(
    raffle: Raffle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver(500)
    one = Announcer(raffle, receiver)
    await one.look_for(3)
    assert receiver.taken
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + GIVE_UP_S)
    attempts = len(receiver.taken)
    await one.look_for(600)
    assert len(receiver.taken) == attempts
    assert announced(raffle) == 1
    assert one.told.given_up == 1
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1


async def test_while_the_log_is_away_the_webhook_is_not_told_again(raffle: Raffle) -> None:
    receiver = Receiver(200)
    one = Announcer(raffle, receiver)
    one.away = True
    await one.look_for(30)
    assert len(receiver.taken) == 1
    assert announced(raffle) == 0
    one.away = False
    await one.look_for(5)
    assert len(receiver.taken) == 1
    assert announced(raffle) == 1


async def test_without_a_webhook_nothing_is_sent_and_nothing_written(raffle: Raffle) -> None:
    receiver = Receiver(200)
    one = Announcer(raffle, receiver, "")
    before = raffle.storage.last
    await one.look_for(10)
    assert not receiver.taken
    assert raffle.storage.last == before


async def test_only_the_first_node_speaks_and_another_takes_over(raffle: Raffle) -> None:
    """Both may speak to it; the id tells the receiver that it is the same."""
    receiver = Receiver(500)
    one, two = Announcer(raffle, receiver), Announcer(raffle, receiver)
    first = one
    for each in (one, two):
        each.told._members = type("Turns", (), {"is_first": lambda self, task, each=each: first is each})()
    await asyncio.gather(one.look_for(10), two.look_for(10))
    assert one.told.attempts > 1
    assert two.told.attempts == 0
    first = two
    receiver.statuses = [200]
    before = one.told.attempts
    await asyncio.gather(one.look_for(60), two.look_for(60))
    assert one.told.attempts == before
    assert two.told.attempts == 1
    assert len({headers["webhook-id"] for _, _, headers in receiver.taken}) == 1
    assert announced(raffle) == 1


async def test_what_nobody_foresaw_does_not_end_the_node(
    raffle: Raffle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver(200)
    one = Announcer(raffle, receiver)
    with monkeypatch.context() as patch:
        patch.setattr(webhook, "headers", lambda *arguments: 1 / 0)
        await one.look_for(10)
    assert "cannot be told" in caplog.text
    await one.look_for(BACKOFF_MAX_S)
    assert announced(raffle) == 1


async def test_stopping_ends_what_is_under_way(raffle: Raffle) -> None:
    one = Announcer(raffle, Receiver(None))
    one.told.look()
    await soon()
    await one.told.stop()
    assert announced(raffle) == 0
    assert ATTEMPTS_AT_ONCE_MAX < 100


# --- signatures ------------------------------------------------------------------------------------------------------


def test_a_signature_is_the_one_that_the_specifications_own_example_gives() -> None:
    """The example of the Standard Webhooks reference libraries."""
    key = webhook.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b"")
    headers = webhook.headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"


def test_the_key_is_base64_or_the_text_itself_or_derived_from_the_clusters_secret() -> None:
    assert webhook.key_of("whsec_" + base64.b64encode(b"abc").decode(), b"secret") == b"abc"
    assert webhook.key_of("plain text", b"secret") == b"plain text"
    derived = webhook.key_of("", b"secret")
    assert len(derived) == 32
    assert derived != webhook.key_of("", b"another")
    assert b"secret" not in derived


@pytest.mark.parametrize("wrong", ["whsec_", "whsec_?", "whsec_abc", "whsec_é"])
def test_what_is_no_base64_after_its_prefix_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="whsec_") as caught:
        webhook.key_of(wrong, b"secret")
    assert wrong == "whsec_" or wrong not in str(caught.value)


def test_an_id_names_one_milestone_of_one_log() -> None:
    ids = {
        webhook.event_id(created, counter, n, since)
        for created in ("1", "2")
        for counter in ("a", "b")
        for n in (1, 2)
        for since in (3, 4)
    }
    assert len(ids) == 16


# --- whole nodes -----------------------------------------------------------------------------------------------------


def later(write: Write, seconds: float) -> Write:
    """A producer whose acknowledgements are late."""

    async def written(build: Callable[[str, int], Control]) -> int:
        sequence = await write(build)
        await asyncio.sleep(seconds)
        return sequence

    return written


@pytest.mark.parametrize("acknowledged_late", [False, True])
async def test_a_winner_is_told_on_the_bus_at_once_and_once(cluster: Cluster, acknowledged_late: bool) -> None:
    """Also where the judge is ended before he hears that what he wrote is stored: the log tells his node so."""
    heard: list[dict[str, object]] = []
    listener = Line(cluster.storage)

    async def hear(data: bytes) -> None:
        heard.append(json.loads(data))

    await listener.subscribe(WINNERS_SUBJECT, hear)
    for name in ("n1", "n4"):
        await cluster.start(name)
    for judging in (each.counting.judging for each in cluster.nodes.values()):
        judging._write = later(judging._write, 1.0 if acknowledged_late else 0.0)
    node = cluster.nodes["n4"]
    await node.milestones.add("a", 5)
    await node.add(visits("a", 7))
    await until(lambda: heard)
    winner = node.milestones.find("a", 5).winner
    assert winner is not None
    (said,) = heard
    assert (said["counter"], said["n"], said["state"]) == ("a", 5, "reached")
    assert said["winner"]["receipt_sha256"] == winner.receipt_sha256.hex()  # type: ignore[index]
    await asyncio.sleep(20)
    assert len(heard) == 1
    await listener.close()


@pytest.mark.parametrize("dies", [False, True])
async def test_nodes_tell_the_webhook_of_a_winner_though_one_of_them_dies(
    cluster: Cluster, dies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver(500)
    posts: list[str] = []

    def by(node: str) -> Callable[..., Awaitable[int]]:
        async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
            posts.append(node)
            return await receiver.post(url, body, headers)

        return post

    monkeypatch.setattr(announcing, "GIVE_UP_S", 1e12)  # the memory log's clock is the machine's
    cluster.settings["webhook"] = URL
    for name in ("n1", "n4", "n7"):
        node = await cluster.start(name)
        node.counting.announcing._post = by(name)
    await cluster.nodes["n1"].milestones.add("a", 5)
    await cluster.nodes["n1"].add(visits("a", 7))
    await until(lambda: len(posts) >= 2)
    (speaker,) = set(posts)
    if dies:
        await cluster.kill(speaker)
        await until(lambda: len(set(posts)) == 2)
    receiver.statuses = [200]
    await until(lambda: all(one.milestones.find("a", 5).announced for one in cluster.nodes.values()), 400)
    told = len(posts)
    await asyncio.sleep(30)
    assert len(posts) == told
    assert len(set(posts)) == (2 if dies else 1)
    assert len({headers["webhook-id"] for _, _, headers in receiver.taken}) == 1
    for _, body, headers in receiver.taken:
        check_signature(body, headers, webhook.key_of("", b"the cluster's"))
