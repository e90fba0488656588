"""Who a request comes from: the client's address behind proxies, and the visitor that stands for it. Pure."""

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HASH_BYTES = 16
HOUSEHOLD_BITS = 64  # of an IPv6 address: what a provider gives one customer, who may use any address of it

_WITH_PORT = re.compile(r"(?:([0-9.]{7,15})|\[([0-9A-Fa-f:.]{2,45})\]):[0-9]{1,5}\Z")  # as Azure's gateways write it


def parse_address(text: str) -> Address | None:
    """An address; None for what is none. IPv4 in the clothes of IPv6 is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


class Proxies:
    """The proxies whose word for a client's address is taken.

    Args:
        networks: Addresses and networks, as ``ipaddress`` reads them.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[Network] = [ip_network(network) for network in networks]

    def __contains__(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def client(self, peer: Address | None, forwarded: Sequence[bytes]) -> Address | None:
        """The address of the client of a request.

        Args:
            peer: Where the connection comes from.
            forwarded: The values of the X-Forwarded-For headers, in order. Each proxy adds whom it heard from at the
                end, so what stands left of the first address that is no proxy's was written by anyone.

        Returns:
            The rightmost address that is no proxy's; the leftmost, if all are. The peer, if it is no proxy itself, or
            if what it sends cannot be read.
        """
        if peer not in self or not forwarded:
            return peer
        client = peer
        for part in reversed(b",".join(forwarded).split(b",")):
            text = part.strip().decode("latin-1")
            with_port = _WITH_PORT.match(text)
            address = parse_address((with_port[1] or with_port[2]) if with_port else text)
            if address is None:
                return peer
            client = address
            if address not in self:
                break
        return client


def household(address: Address) -> str:
    """What of an address tells one client from another: all of IPv4, and the network of IPv6."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address.packed, HOUSEHOLD_BITS), strict=False))


def hashed(client: str, key: bytes) -> str:
    """A visitor that stands for a client: only who has the key can tell which (IPv4 has but 2**32 addresses to try)."""
    return blake2b(client.encode(), digest_size=HASH_BYTES, key=key).hexdigest()
