"""Real packets between two namespaces: late, lost, cut, and nothing left behind."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.shaper.profiles import link_figures
from bench.shaper.road import Fate
from bench.shaper.shaped import ShapedLink, shaped_link
from shared.clock import SystemClock

pytestmark = pytest.mark.needs_root
FIGURES = link_figures(up_mbit_s=8, down_mbit_s=80, round_trip_ms=100)
SINK = """
import socket, sys
server = socket.create_server((sys.argv[1], 7000))
print("ready", flush=True)
peer, _ = server.accept()
total = 0
while chunk := peer.recv(65536):
    total += len(chunk)
peer.sendall(total.to_bytes(8, "big"))
"""
SOURCE = """
import socket, sys, time
began = time.monotonic()
peer = socket.create_connection((sys.argv[1], 7000), timeout=20)
connected = time.monotonic()
peer.sendall(bytes(int(sys.argv[2])))
peer.shutdown(socket.SHUT_WR)
print(connected - began, int.from_bytes(peer.recv(8), "big"), time.monotonic() - connected)
"""


@pytest.fixture
def link() -> Iterator[ShapedLink]:
    with shaped_link(FIGURES, SystemClock(), seed=3) as shaped:
        yield shaped


def ping(link: ShapedLink, count: int) -> float:
    """Send datagrams that are echoed; return the fraction that came back within 0.5 s."""
    echo = (
        "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
        "s.bind((sys.argv[1],7001))\nprint('ready',flush=True)\n"
        "while True:\n d,a=s.recvfrom(99)\n s.sendto(d,a)\n"
    )
    ask = (
        "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.settimeout(0.5)\n"
        "n=0\nfor i in range(int(sys.argv[2])):\n s.sendto(b'%d'%i,(sys.argv[1],7001))\n try:\n"
        "  s.recv(99); n+=1\n except TimeoutError: pass\nprint(n)\n"
    )
    with python(link.central.command(), echo, link.central.address) as far:
        assert far.stdout is not None
        far.stdout.readline()
        near = python(link.edge.command(), ask, link.central.address, str(count))
        came_back = int(near.communicate(timeout=30)[0])
        far.kill()
    return came_back / count


def python(inside: list[str], source: str, *words: str) -> subprocess.Popen[str]:
    command = [*inside, sys.executable, "-c", source, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def namespaces() -> set[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^hf[ec]\d+-\d+", listed.stdout, re.MULTILINE))


def test_tcp_meets_the_delay_and_the_rate(link: ShapedLink) -> None:
    with python(link.central.command(), SINK, link.central.address) as sink:
        assert sink.stdout is not None
        sink.stdout.readline()
        source = python(link.edge.command(), SOURCE, link.central.address, "1000000")
        connected_s, received, took_s = map(float, source.communicate(timeout=60)[0].split())
    assert received == 1_000_000
    assert connected_s >= 0.1  # one round trip
    assert took_s >= 1.0  # 8 Mbit at 8 Mbit/s
    up, down = link.traffic()
    assert up.arrived_bytes > 1_000_000
    assert up.packets[Fate.PASSED] > 700
    assert 0 < down.arrived_bytes < up.arrived_bytes / 10


def test_a_link_is_cut_half_open_and_mended(link: ShapedLink) -> None:
    assert ping(link, 3) == 1.0
    link.cut()
    assert ping(link, 2) == 0.0
    link.half_open()
    swallowed = link.traffic()[0].packets[Fate.SWALLOWED]
    assert ping(link, 2) == 0.0
    up, down = link.traffic()
    assert up.packets[Fate.SWALLOWED] > swallowed
    assert down.packets[Fate.SWALLOWED] == 0
    link.mend()
    assert ping(link, 3) == 1.0


def test_losses_can_be_turned_up_while_it_carries(link: ShapedLink) -> None:
    worse = link_figures(up_mbit_s=8, down_mbit_s=80, round_trip_ms=100, loss=0.6)
    link.set_figures(worse)
    assert ping(link, 12) < 0.8
    assert link.traffic()[0].packets[Fate.LOST] > 0


def test_nothing_is_left_behind_after_an_error() -> None:
    before = namespaces()

    def stumble() -> None:
        with shaped_link(FIGURES, SystemClock()) as link:
            assert link.edge.namespace in namespaces()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        stumble()
    assert namespaces() <= before
    devices = {entry.name for entry in Path("/sys/class/net").iterdir()}
    assert not any(re.match(r"hf[ec]\d+-", device) for device in devices)


def test_a_half_made_link_is_removed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = namespaces()
    monkeypatch.setattr("bench.shaper.namespaces.CENTRAL_ADDRESS", "no address")
    with pytest.raises(BenchError, match="no address"), shaped_link(FIGURES, SystemClock()):
        pass
    assert namespaces() <= before
