"""Busy ports are named with their options."""

import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from deploy.errors import SiteUsageError
from deploy.site.ports import PortClaim, check_free, remembered_port, why_unusable
from deploy.site.state_dir import open_state_dir


@pytest.fixture
def busy_port() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_busy_port_is_named_with_its_option(busy_port: int) -> None:
    with pytest.raises(SiteUsageError, match=rf"--edge-port {busy_port}: port {busy_port} on 127"):
        check_free([PortClaim("--edge-port", "127.0.0.1", busy_port)])


def test_two_options_cannot_have_the_same_port() -> None:
    claims = [PortClaim("--a", "127.0.0.1", 47_001), PortClaim("--b", "127.0.0.1", 47_001)]
    with pytest.raises(SiteUsageError, match="--b 47001: the same port as --a"):
        check_free(claims)


def test_a_host_of_another_machine_is_refused() -> None:
    reason = why_unusable("192.0.2.1", 47_001)  # RFC 5737: never assigned
    assert reason == "--host 192.0.2.1: not an address of this machine"


def test_a_host_that_does_not_exist_is_refused() -> None:
    assert why_unusable("no.such.host.invalid", 47_001) == (
        "--host no.such.host.invalid: no such address"
    )


def test_a_chosen_port_is_kept(tmp_path: Path) -> None:
    state = open_state_dir(tmp_path)
    assert remembered_port(state, "sync") == remembered_port(state, "sync")


def test_a_kept_port_that_is_busy_is_replaced(tmp_path: Path, busy_port: int) -> None:
    state = open_state_dir(tmp_path)
    (state.root / "ports.json").write_text(f'{{"sync": {busy_port}, "broker-monitor": 1}}')
    assert remembered_port(state, "sync") != busy_port
    assert '"broker-monitor": 1' in (state.root / "ports.json").read_text()
