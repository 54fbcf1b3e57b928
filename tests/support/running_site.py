"""A whole site in a folder of its own: started, asked, struck and stopped as its users would."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
PROGRAMS = Path(sys.executable).parent


@dataclass
class RunningSite:
    """The supervisor process and the ways into the site."""

    state: Path
    process: subprocess.Popen[str]
    ready: dict[str, Any]
    options: list[str]
    _tokens: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def mqtt(self) -> str:
        return str(self.ready["mqtt"])

    @property
    def credentials(self) -> Path:
        return Path(self.ready["credentials"])

    def login(self, role: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.credentials.read_text(encoding="utf-8"))[role]
        return found

    def token(self, role: str = "admin", server: str = "central") -> str:
        key = f"{server}/{role}"
        if key not in self._tokens:
            body = {"grant_type": "password", **self.login(role)}
            status, answer = self.request("POST", server, "/api/v1/auth/token", body=body)
            assert status == 200, answer
            self._tokens[key] = answer["access_token"]
        return self._tokens[key]

    def get(self, path: str, role: str = "admin", server: str = "central") -> Any:
        """Return the data of a successful GET."""
        status, answer = self.request("GET", server, path, token=self.token(role, server))
        assert status == 200, answer
        return answer["data"]

    def request(
        self,
        method: str,
        server: str,
        path: str,
        *,
        body: object = None,
        token: str | None = None,
    ) -> tuple[int, Any]:
        """Return status and parsed body of any answer."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.ready[server]}{path}", data=data, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    @contextmanager
    def database(self) -> Generator[psycopg.Connection]:
        """Hand out a connection with the application's rights."""
        config = tomllib.loads((self.state / "central" / "config.toml").read_text())["database"]
        password_file = config.get("password_file")
        password = Path(password_file).read_text().strip() if password_file else None
        with psycopg.connect(config["url"], password=password) as connection:
            yield connection

    def rows(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Return what ``statement`` finds in central's database."""
        with self.database() as connection:
            return connection.execute(statement, values or None).fetchall()

    def publish(self, topic: str, payload: bytes | str) -> None:
        """Publish one message at QoS 1 with the stock client."""
        host, port = self.mqtt.rsplit(":", 1)
        login = self.login("mqtt")
        text = payload.encode() if isinstance(payload, str) else payload
        subprocess.run(
            ["mosquitto_pub", "-h", host, "-p", port, "-u", login["username"], "-P",
             login["password"], "-q", "1", "-t", topic, "-s"],
            input=text, check=True, timeout=30, capture_output=True,
        )  # fmt: skip

    def replay(self, file: Path, mapping: str, *more: str) -> subprocess.Popen[str]:
        """Start a replay at full speed; its last line is a JSON summary."""
        return subprocess.Popen(
            [str(PROGRAMS / "headframe"), "replay", str(file), "--mapping", mapping, "--mqtt",
             self.mqtt, "--credentials", str(self.credentials), "--speed", "max", "--json", *more],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def edge_command(self, *arguments: str) -> str:
        """Return what `headframe-edge …` prints for this site's edge."""
        program = [str(PROGRAMS / "headframe-edge"), *arguments]
        config = ["--config", str(self.state / "edge" / "config.toml")]
        done = subprocess.run(
            [*program, *config], capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """Return the oldest process of the site whose command line holds all ``words``."""
        found = [c for c in self.children() if all(w in " ".join(c.cmdline()) for w in words)]
        assert found, f"no child with {words}: {[' '.join(c.cmdline()) for c in self.children()]}"
        return min(found, key=lambda child: child.create_time())

    def cut_power(self) -> None:
        """Kill the whole tree, all of it standing still first, so that none sees another die."""
        still = dict[int, psutil.Process]()
        while fresh := [one for one in self._tree() if one.pid not in still]:
            for process in fresh:
                with suppress(psutil.NoSuchProcess):  # a server's worker that was done just now
                    process.suspend()
                still[process.pid] = process
        for process in still.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def _tree(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *self.children()]

    def stop(self) -> float:
        """Stop with SIGTERM; return the seconds it took."""
        began = time.monotonic()  # noqa: TID251 -- the test's own stop watch
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_TIMEOUT_S)
        return time.monotonic() - began  # noqa: TID251 -- the test's own stop watch


def start_site(state: Path, *more: str) -> RunningSite:
    """Start a site over ``state`` and return it when it is READY."""
    ports = state.parent / f"{state.name}.ports.json"
    if not ports.exists():
        ports.write_text(json.dumps([free_port() for _ in range(4)]))
    central, edge, control, mqtt = json.loads(ports.read_text())
    options = ["--state", str(state), "--central-port", str(central), "--edge-port", str(edge),
               "--control-port", str(control), "--mqtt-port", str(mqtt),
               "--rate-limit", "off", *more]  # fmt: skip
    log = (state.parent / f"{state.name}.log").open("ab")
    process = subprocess.Popen(
        [str(PROGRAMS / "headframe"), "up", *options],
        stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    log.close()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("READY "):
            return RunningSite(state, process, json.loads(line.removeprefix("READY ")), options)
    process.wait(START_TIMEOUT_S)
    text = (state.parent / f"{state.name}.log").read_text(errors="replace")[-4_000:]
    raise AssertionError(f"up ended with {process.returncode} before READY:\n{text}")


@contextmanager
def running_site(state: Path, *more: str) -> Generator[RunningSite]:
    """A site that is stopped at the end, and killed with all it started if it does not stop."""
    site = start_site(state, *more)
    try:
        yield site
    finally:
        end_site(site)


def end_site(site: RunningSite) -> None:
    """Stop the site whatever state it is in; leave no process behind."""
    if site.process.poll() is None:
        left = site.children()
        site.process.send_signal(signal.SIGTERM)
        try:
            site.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            for process in [*left, psutil.Process(site.process.pid)]:
                if process.is_running():
                    process.kill()
            site.process.wait(10)
            raise
    if site.process.stdout is not None:
        site.process.stdout.close()


def wait_for(
    found: Callable[[], Any], what: str, timeout_s: float = 30.0, every_s: float = 0.2
) -> Any:
    """Return the first true answer of ``found``; fail with ``what`` after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s  # noqa: TID251 -- real processes, real time
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:  # noqa: TID251 -- real processes, real time
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(every_s)
