"""How often, and who, as the door decides it: over a clock that a test sets."""

import pytest

from footfall.addresses import hashed
from footfall.config import Config
from footfall.errors import RateLimitedError, TooLargeError
from footfall.web.door import ANYONE, NOBODY, Door, Sender
from footfall.web.problems import problem
from footfall.web.tokens import Tokens, parse_tokens

SECRET = "0123456789012345678901"
TOKENS = f"""
[site]
secret = "site-{SECRET}"
scopes = ["write"]
[fast]
secret = "fast-{SECRET}"
scopes = ["write"]
rate = 100
[free]
secret = "free-{SECRET}"
scopes = ["write"]
rate = 0
"""


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens() -> Tokens:
    return parse_tokens(TOKENS, "test")


def header(name: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {name}-{SECRET}".encode())]


def test_an_address_may_send_so_many_a_second_and_so_many_at_once(clock: Clock) -> None:
    door = Door(Config(rate_per_address=2, rate_burst_s=5), clock=clock)
    door.charge("a", ANYONE, 10)
    with pytest.raises(RateLimitedError, match="this address may send 2 visits a second; wait 2 s") as refusal:
        door.charge("a", ANYONE, 3)
    assert problem(refusal.value).headers["retry-after"] == "2"  # 1.5 s, in whole seconds
    door.charge("b", ANYONE, 10)
    clock.now_s += 1.5
    door.charge("a", ANYONE, 3)
    with pytest.raises(RateLimitedError):
        door.charge("a", ANYONE, 1)
    with pytest.raises(TooLargeError, match="11 visits in one request; this client may send 10 at once and 2 a second"):
        door.charge("c", ANYONE, 11)


def test_tokens_have_their_own_rate_or_the_one_of_all_or_none(clock: Clock, tokens: Tokens) -> None:
    door = Door(Config(rate_per_token=1, rate_burst_s=10), tokens, clock=clock)
    for name, most in (("site", 10), ("fast", 1000)):
        token = door.identify(header(name))
        door.charge("a", token, most)
        with pytest.raises(RateLimitedError, match=f"the token '{name}' may send"):
            door.charge("b", token, 1)
    door.charge("a", door.identify(header("free")), 10**12)


def test_a_request_takes_from_both_buckets_or_from_none(clock: Clock, tokens: Tokens) -> None:
    door = Door(Config(rate_per_address=1, rate_per_token=1, rate_burst_s=10), tokens, clock=clock)
    token = door.identify(header("site"))
    door.charge("a", None, 10)
    with pytest.raises(RateLimitedError, match="this address"):
        door.charge("a", token, 10)
    door.charge("b", token, 10)
    with pytest.raises(RateLimitedError, match="the token"):
        door.charge("c", token, 1)
    door.charge("c", None, 10)
    door.give_back("b", token, 10)
    door.charge("b", token, 10)


def test_nobody_is_limited_if_the_settings_set_no_limit(clock: Clock) -> None:
    door = Door(Config(), clock=clock)
    assert not door.limiting
    assert door.sender("203.0.113.7") is NOBODY
    door.charge(None, ANYONE, 10**12)


@pytest.mark.parametrize(
    ("peer", "client"),
    [("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"), ("2001:db8::1", "2001:db8::/64")],
)
def test_the_visitor_is_a_keyed_hash_of_the_client_unless_the_settings_say_otherwise(peer: str, client: str) -> None:
    key = b"k" * 32
    named = Door(Config(visitor_from_address=True, hash_visitors=False), None, key)
    assert named.sender(peer) == Sender(client, client)
    secret = Door(Config(visitor_from_address=True), None, key)
    assert secret.sender(peer) == Sender(client, hashed(client, key))
    limited = Door(Config(rate_per_address=1), None, key)
    assert limited.sender(peer) == Sender(client, None)


def test_what_is_no_address_is_nobody() -> None:
    door = Door(Config(visitor_from_address=True))
    assert door.sender(None) is NOBODY
    assert door.sender("a socket") is NOBODY
