"""The real edge as a process of its own, for tests: started, asked, killed, and read afterwards."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

from edge.config import LogConfig
from edge.log.journal import Journal
from edge.log.quarantine import open_quarantine_reader
from edge.log.records import TELEMETRY_LANE, QuarantineEntry
from shared.clock import SystemClock
from shared.codec.body import decode_body
from shared.domain.samples import Value, ValueType
from tests.support.ports import free_port

SITE, EDGE_ID = "kaduna", "edge-1"
WAIT_TIMEOUT_S = 60.0  # many things may run on the machine that tests
_clock = SystemClock()


@dataclass(frozen=True)
class Stored:
    """One sample as it stands in the log."""

    series: str  # kind/id/metric
    ts_ms: int
    value: Value
    quality: int


@dataclass
class EdgeProcess:
    """One edge node; ``start`` and ``kill`` it as often as the story needs."""

    folder: Path
    mqtt_port: int
    extra: dict[str, str] = field(default_factory=dict[str, str])
    api_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def log_text(self) -> str:
        return (self.folder / "edge.log").read_text()

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HEADFRAME_SITE": SITE,
            "HEADFRAME_EDGE_ID": EDGE_ID,
            "HEADFRAME_STATE_DIR": str(self.state_dir),
            "HEADFRAME_MQTT__PORT": str(self.mqtt_port),
            "HEADFRAME_API__PORT": str(self.api_port),
            "HEADFRAME_API__RATE_LIMIT_ANONYMOUS_PER_MINUTE": "0",
            **self.extra,
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``headframe-edge`` with ``arguments`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "edge", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=WAIT_TIMEOUT_S,
            check=False,
        )

    def start(self, *, until_ready: bool = True) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "edge.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run"],
                env=self.environment(),
                stdout=log,
                stderr=log,
            )
        if until_ready:
            self.wait_until(lambda: self.ready() == {"log": "ok", "broker": "ok"}, "ready")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> tuple[int, float]:
        """Ask it to stop; return its exit code and how many seconds that took."""
        assert self.process is not None
        started_s = _clock.monotonic_s()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(WAIT_TIMEOUT_S)
        self.process = None
        return code, _clock.monotonic_s() - started_s

    def ready(self) -> dict[str, str]:
        """Return the readiness checks, only the failed ones if any; empty if nothing answers."""
        body = self._get("/readyz")
        if not body:
            return {}
        answer = json.loads(body)
        if answer["data"] is not None:
            return answer["data"]["checks"]
        return {mistake["field"]: mistake["message"] for mistake in answer.get("errors", [])}

    def metric(self, name: str, label: str = "") -> float:
        """Return ``headframe_edge_{name}``, of the sample with ``label``; 0 if there is none."""
        for line in self._get("/metrics").splitlines():
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] == f"headframe_edge_{name}" and label in head:
                return float(value)
        return 0.0

    def wait_until(self, condition: Any, what: str) -> None:
        deadline_s = _clock.monotonic_s() + WAIT_TIMEOUT_S
        while not condition():
            assert self.process is None or self.process.poll() is None, self.log_text
            assert _clock.monotonic_s() < deadline_s, f"{what}: {self.ready()}\n{self.log_text}"
            sleep(0.1)

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.api_port}{path}", timeout=5
            ) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def quarantined(self) -> list[QuarantineEntry]:
        reader = open_quarantine_reader(self.state_dir)
        try:
            return reader.list_entries(1_000)
        finally:
            reader.close()

    async def stored(self) -> list[Stored]:
        """Return all samples in the log of an edge that does not run."""
        journal = Journal.open(self.state_dir, SITE, EDGE_ID, LogConfig(), _clock)
        try:
            lane = journal.state().lanes[TELEMETRY_LANE]
            names = {ix: series.name for ix, series in journal.series}
            found: list[Stored] = []
            first = lane.first_retained
            while first <= lane.last_seq:
                batches = await journal.read(TELEMETRY_LANE, first, lane.last_seq, 4_000_000)
                for batch in batches:
                    found.extend(_rows(batch.body, names))
                first = batches[-1].seq + 1
            return found
        finally:
            await journal.close()


def _rows(body: bytes, names: dict[int, Any]) -> list[Stored]:
    columns = decode_body(body)
    values: dict[int, list[Value]] = {
        ValueType.NUMBER: columns.number.tolist(),
        ValueType.INTEGER: columns.integer.tolist(),
        ValueType.FLAG: columns.flag.tolist(),
        ValueType.TEXT: list(columns.text),
    }
    ts_ms, quality = columns.ts_ms.tolist(), columns.quality.tolist()
    found: list[Stored] = []
    for series_ix, value_type, count in zip(
        columns.series_ix.tolist(), columns.value_type.tolist(), columns.count.tolist(), strict=True
    ):
        name = names[series_ix]
        series = f"{name.kind}/{name.asset_id}/{name.metric}"
        for _ in range(count):
            at = len(found)
            found.append(Stored(series, ts_ms[at], values[value_type].pop(0), quality[at]))
    return found
