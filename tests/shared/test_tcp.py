"""Socket options for a long, lossy link."""

import socket
from collections.abc import Iterator

import pytest

from shared.tcp import TcpTuning, tune

NOTSENT_LOWAT = 25
TUNING = TcpTuning(congestion="reno", unsent_max_bytes=16_384, silence_timeout_s=45.0)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def option(connection: socket.socket, number: int) -> int:
    return connection.getsockopt(socket.IPPROTO_TCP, number)


def test_what_a_listener_is_told_passes_on_to_what_it_accepts(listener: socket.socket) -> None:
    assert tune(listener, TUNING) == "reno"  # every kernel has it and permits it
    with socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert option(accepted, NOTSENT_LOWAT) == 16_384
            assert option(accepted, socket.TCP_USER_TIMEOUT) == 45_000
            assert option(accepted, socket.TCP_NODELAY) != 0
            control = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    assert control.rstrip(b"\0") == b"reno"


def test_a_control_the_kernel_does_not_have_leaves_the_one_in_use(listener: socket.socket) -> None:
    before = tune(listener, TUNING)
    unknown = TcpTuning(congestion="nosuch", unsent_max_bytes=4_096, silence_timeout_s=1.0)
    assert tune(listener, unknown) == before
    assert option(listener, NOTSENT_LOWAT) == 4_096  # the others are set all the same


def test_no_socket_is_no_trouble() -> None:
    assert tune(None, TUNING) is None
