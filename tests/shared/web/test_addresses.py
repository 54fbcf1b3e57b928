"""Which requests are counted together, and who is near."""

from ipaddress import ip_network

import pytest

from shared.web.addresses import LOOPBACK, client_key, is_within


def test_an_ipv4_address_stands_for_itself_however_it_is_written() -> None:
    assert client_key("203.0.113.9") == client_key("::ffff:203.0.113.9") == "203.0.113.9"


def test_all_addresses_of_one_ipv6_network_are_one_client() -> None:
    assert client_key("2001:db8:1:2::1") == client_key("2001:db8:1:2:ffff::7")
    assert client_key("2001:db8:1:2::1") != client_key("2001:db8:1:3::1")


@pytest.mark.parametrize("address", [None, "", "somewhere", "/run/socket"])
def test_a_peer_without_an_address_is_one_unknown(address: str | None) -> None:
    assert client_key(address) == "unknown"
    assert not is_within(address, LOOPBACK)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_loopback(address: str) -> None:
    assert is_within(address, LOOPBACK)


def test_only_addresses_of_a_network_are_within_it() -> None:
    networks = (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))
    within = {a: is_within(a, networks) for a in ("10.1.2.3", "10.2.0.1", "2001:db8::7", "::1")}
    assert list(within.values()) == [True, False, True, False]


def test_a_scope_is_no_part_of_the_address() -> None:
    assert is_within("fe80::1%eth0", (ip_network("fe80::/10"),))
