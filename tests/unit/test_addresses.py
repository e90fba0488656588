"""Whose address a request is counted under, and what is stored of it."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.addresses import Proxies, hashed, household, parse_address

PROXIES = Proxies(["10.0.0.0/8", "192.0.2.1", "2001:db8:ffff::/48"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", [b"198.51.100.1"], "203.0.113.7"),  # not from a proxy: anyone's word
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", [b"203.0.113.7"], "203.0.113.7"),
        ("192.0.2.1", [b"198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # the left one is what the client claims
        ("192.0.2.2", [b"203.0.113.7"], "192.0.2.2"),
        ("10.1.2.3", [b"198.51.100.1,203.0.113.7 ,10.9.9.9,\t192.0.2.1"], "203.0.113.7"),
        ("10.1.2.3", [b"198.51.100.1", b"203.0.113.7", b"10.9.9.9"], "203.0.113.7"),  # headers in order
        ("10.1.2.3", [b"10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("10.1.2.3", [b"2001:db8::7"], "2001:db8::7"),
        ("10.1.2.3", [b"203.0.113.7:4711"], "203.0.113.7"),
        ("10.1.2.3", [b"[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.1.2.3", [b"::ffff:203.0.113.7"], "203.0.113.7"),
        ("::ffff:10.1.2.3", [b"203.0.113.7"], "203.0.113.7"),
        ("2001:db8:ffff::1", [b"203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", [b""], "10.1.2.3"),
        ("10.1.2.3", [b"unknown"], "10.1.2.3"),
        ("10.1.2.3", [b"203.0.113.7, "], "10.1.2.3"),
        ("10.1.2.3", [b"203.0.113.7, _hidden"], "10.1.2.3"),
        ("10.1.2.3", [b"junk, 203.0.113.7"], "203.0.113.7"),  # what is left of the client is the client's
        ("10.1.2.3", [b"203.0.113.256"], "10.1.2.3"),
        ("10.1.2.3", [b"\xff\xfe"], "10.1.2.3"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxys(peer: str, forwarded: list[bytes], client: str) -> None:
    assert str(PROXIES.client(parse_address(peer), forwarded)) == client


@given(forwarded=st.lists(st.binary(max_size=40) | st.text("0123456789.,: []a", max_size=40).map(str.encode)))
def test_any_bytes_give_an_address(forwarded: list[bytes]) -> None:
    peer = parse_address("10.1.2.3")
    assert PROXIES.client(peer, forwarded) is not None
    assert Proxies([]).client(peer, forwarded) == peer


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_network_of_ipv6_is_one_client(text: str, client: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert household(address) == client


def test_who_has_no_key_cannot_tell_whose_hash_it_is() -> None:
    one, other = hashed("203.0.113.7", b"k" * 32), hashed("203.0.113.7", b"l" * 32)
    assert one == blake2b(b"203.0.113.7", digest_size=16, key=b"k" * 32).hexdigest()
    assert len(one) == 32
    assert one != other
    assert hashed("203.0.113.8", b"k" * 32) != one
