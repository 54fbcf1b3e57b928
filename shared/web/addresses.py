"""Addresses of peers: which are counted together, which belong to a network. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

UNKNOWN_ADDRESS = "unknown"  # a peer without an address: a unix socket, a closed connection
CLIENT_PREFIX_BITS_IPV6 = 64  # one customer of a provider has at least a /64; so does one phone
_ADDRESSES_CACHED = 4096

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@lru_cache(_ADDRESSES_CACHED)
def client_key(address: str | None) -> str:
    """Return what stands for the client at ``address`` when requests are counted.

    IPv4 addresses stand for themselves, also when written as IPv6; of an IPv6 address only the
    first 64 bits count.
    """
    if address is None:
        return UNKNOWN_ADDRESS
    try:
        parsed = ip_address(address.split("%")[0])
    except ValueError:
        return UNKNOWN_ADDRESS
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, CLIENT_PREFIX_BITS_IPV6), strict=False))
    return str(parsed)


def is_within(address: str | None, networks: Sequence[Network]) -> bool:
    """Tell whether ``address`` lies in one of ``networks``; an unknown address never does."""
    if address is None:
        return False
    try:
        parsed = ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
