"""What systemd is told, on a real socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.notify import Notifier
from tests.support.clocks import HandClock

PID = 4711


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(0)
        yield listener


def heard(supervisor: socket.socket) -> list[str]:
    messages: list[str] = []
    while True:
        try:
            messages.append(supervisor.recv(4096).decode())
        except BlockingIOError:
            return messages


def notifier(supervisor: socket.socket, clock: HandClock, **extra: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": supervisor.getsockname(), **extra}, clock, PID)


def test_says_ready_status_and_stopping(supervisor: socket.socket) -> None:
    told = notifier(supervisor, HandClock())
    told.ready("reading")
    told.status("backlog 3")
    told.stopping("flushing")
    assert heard(supervisor) == [
        "READY=1\nSTATUS=reading",
        "STATUS=backlog 3",
        "STOPPING=1\nSTATUS=flushing",
    ]
    told.close()


def test_beats_three_times_in_an_interval_however_often_the_loop_turns(
    supervisor: socket.socket,
) -> None:
    clock = HandClock()
    told = notifier(supervisor, clock, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(PID))
    for _ in range(300):  # 30 s in steps of 0.1 s
        told.beat()
        clock.advance_s(0.1)
    assert heard(supervisor) == ["WATCHDOG=1"] * 3
    told.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"},
    ],
)
def test_beats_only_when_this_process_is_watched(
    supervisor: socket.socket, environment: dict[str, str]
) -> None:
    told = notifier(supervisor, HandClock(), **environment)
    told.beat()
    assert heard(supervisor) == []
    told.close()


def test_reaches_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel chooses an abstract name
        name = listener.getsockname()
        assert isinstance(name, bytes)
        told = Notifier({"NOTIFY_SOCKET": "@" + name[1:].decode()}, HandClock(), PID)
        told.status("here")
        assert listener.recv(100) == b"STATUS=here"
        told.close()


def test_works_without_a_supervisor_and_with_one_that_is_gone(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        told = Notifier(environment, HandClock(), PID)
        told.ready("x")
        told.beat()
        told.close()
