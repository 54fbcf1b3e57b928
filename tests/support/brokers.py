"""Real MQTT brokers for tests: nats-server and mosquitto, each in its own folder on a free port."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.clock import SystemClock
from tests.support.ports import free_port

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0

_SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"  # on no PATH but root's
_clock = SystemClock()

_NATS_CONFIGURATION = """
server_name: test
host: 127.0.0.1
port: {client_port}
max_payload: 8388608
jetstream {{ store_dir: "{folder}/jetstream", max_mem: 64M, max_file: 2G }}
mqtt {{ host: 127.0.0.1, port: {port}, max_ack_pending: 16384, ack_wait: "5s" }}
"""

_MOSQUITTO_CONFIGURATION = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
message_size_limit 0
user root
"""


def nats_server_program() -> str:
    return str(Path(sys.executable).parent / "nats-server")


@dataclass
class Broker:
    """A running broker; ``stop`` and ``start`` keep its port and its store."""

    command: list[str]
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline_s = _clock.monotonic_s() + START_TIMEOUT_S
        while not _answers(self.port):
            if self.process.poll() is not None or _clock.monotonic_s() > deadline_s:
                raise RuntimeError((self.folder / "broker.log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(STOP_TIMEOUT_S)
            self.process = None


@contextmanager
def run_nats(folder: Path) -> Generator[Broker]:
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = folder / "nats.conf"
    configuration.write_text(
        _NATS_CONFIGURATION.format(client_port=free_port(), port=port, folder=folder)
    )
    broker = Broker([nats_server_program(), "-c", str(configuration)], port, folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def run_mosquitto(folder: Path, more_configuration: str = "") -> Generator[Broker]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SYSTEM_PROGRAMS)
    assert program is not None, "mark the test needs_mosquitto"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(_MOSQUITTO_CONFIGURATION.format(port=port) + more_configuration)
    broker = Broker([program, "-c", str(configuration)], port, folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False
