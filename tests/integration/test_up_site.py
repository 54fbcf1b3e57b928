"""The life of a whole site: start, kills, leftovers, restart, stop."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.site.leftovers import find_leftovers
from deploy.site.state_dir import StateDir
from tests.support.eventually import gone
from tests.support.ports import free_port
from tests.support.running_site import (
    PROGRAMS,
    RunningSite,
    end_site,
    running_site,
    start_site,
    wait_for,
)

pytestmark = pytest.mark.slow

STOP_LIMIT_S = 10.0  # the promise
CHILDREN = {
    "postgres": ("postgres", "-D"),
    "broker": ("nats-server",),
    "central": ("headframe-central", "run"),
    "worker": ("headframe-central", "worker"),
    "edge": ("headframe-edge", "run"),
    "sim": ("headframe", "sim"),
}


def left_over(site: RunningSite) -> list[str]:
    return [leftover.name for leftover in find_leftovers(StateDir(site.state))]


def samples_at_central(site: RunningSite) -> int:
    return int(site.rows("SELECT count(*) FROM sample")[0][0])


def all_ended(pids: list[int]) -> Callable[[], bool]:
    return lambda: all(gone(pid) for pid in pids)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    with running_site(tmp_path_factory.mktemp("site") / "state") as found:
        yield found


def test_ready_tells_every_address(site: RunningSite) -> None:
    ready = site.ready
    assert ready["central"].startswith("http://127.0.0.1:")
    assert ready["dashboard"] == f"{ready['central']}/"
    assert ready["mqtt"].startswith("127.0.0.1:")
    assert ready["credentials"] == str(site.state / "credentials.json")
    assert ready["pid"] == site.process.pid


def test_every_role_can_sign_in_at_both_servers(site: RunningSite) -> None:
    roles = set(json.loads(site.credentials.read_text())) - {"mqtt"}
    assert len(roles) == 8
    for role in roles:
        for server in ("central", "edge"):
            assert site.token(role, server)


def test_the_simulated_mine_reaches_central(site: RunningSite) -> None:
    wait_for(lambda: samples_at_central(site) > 100, "simulated samples at central")


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_comes_back(site: RunningSite, name: str) -> None:
    before = site.child(*CHILDREN[name])
    before.kill()

    def successor() -> bool:
        try:
            return site.child(*CHILDREN[name]).pid != before.pid
        except (AssertionError, psutil.Error):
            return False

    wait_for(successor, f"{name} again")
    wait_for(lambda: flows(site), "readings at central again", timeout_s=60)


def flows(site: RunningSite) -> bool:
    """Tell whether a new reading arrives at central."""
    try:
        before = samples_at_central(site)
        wait_for(lambda: samples_at_central(site) > before, "more samples", timeout_s=5)
    except Exception:  # noqa: BLE001  # whatever is not back yet
        return False
    return True


def test_a_second_site_over_the_same_state_is_refused(site: RunningSite) -> None:
    told = up("--state", str(site.state))
    assert (told.returncode, "a site is already running here" in told.stderr) == (2, True)


def up(*options: str) -> "subprocess.CompletedProcess[str]":
    """Run `up` where it is expected to end by itself."""
    return subprocess.run(
        [str(PROGRAMS / "headframe"), "up", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@pytest.mark.parametrize("option", ["--central-port", "--edge-port", "--mqtt-port", "--sync-port"])
def test_a_busy_port_is_named_and_nothing_is_left(
    site: RunningSite, folder: Path, option: str
) -> None:
    busy = site.ready["mqtt"].rpartition(":")[2]
    wanted = {name: str(free_port()) for name in ("--central-port", "--edge-port", "--mqtt-port")}
    options = [word for pair in (wanted | {option: busy}).items() for word in pair]
    told = up("--state", str(folder), *options)
    assert told.returncode == 2
    assert told.stderr.startswith(f"up: {option} {busy}: port {busy} on 127.0.0.1 is in use")
    assert told.stderr.count("\n") == 1
    assert find_leftovers(StateDir(folder)) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_in_order_and_in_time(
    folder: Path, number: signal.Signals
) -> None:
    site = start_site(folder)
    pids = [child.pid for child in site.children()]
    try:
        site.process.send_signal(number)
        assert site.process.wait(STOP_LIMIT_S) == 0
        assert all_ended(pids)()
        assert not (folder / "postgres" / "data" / "postmaster.pid").exists()
    finally:
        end_site(site)


def test_a_restart_goes_on_with_the_same_data_and_accounts(folder: Path) -> None:
    with running_site(folder) as site:
        wait_for(lambda: samples_at_central(site) > 200, "samples")
        accounts = site.credentials.read_bytes()
    with running_site(folder, "--no-sim") as site:
        assert samples_at_central(site) > 200
        assert site.credentials.read_bytes() == accounts
        assert site.get("/api/v1/assets/vehicles")["items"]


def test_children_of_a_killed_supervisor_end_or_are_cleared_by_the_next_start(
    folder: Path,
) -> None:
    site = start_site(folder)
    children = site.children()
    frozen = [site.child(*CHILDREN["edge"]), site.child(*CHILDREN["broker"])]
    for child in frozen:
        child.suspend()  # these cannot follow the kernel's request to end
    try:
        site.process.kill()
        site.process.wait()
        others = [child.pid for child in children if child not in frozen]
        wait_for(all_ended(others), "the end of what is not frozen")
        assert set(left_over(site)) == {"edge", "broker"}
        with running_site(folder) as again:
            assert all_ended([child.pid for child in children])()
            assert flows(again)
    finally:
        end_site(site)


def test_a_power_cut_over_the_whole_tree_is_survived(folder: Path) -> None:
    site = start_site(folder)
    try:
        wait_for(lambda: samples_at_central(site) > 100, "samples")
        before = samples_at_central(site)
        site.cut_power()
    finally:
        end_site(site)
    with running_site(folder, "--no-sim") as again:
        assert samples_at_central(again) >= before
        assert left_over(again) != []


def test_a_second_signal_forces_the_end(folder: Path) -> None:
    site = start_site(folder)
    try:
        site.child(*CHILDREN["edge"]).suspend()
        site.process.send_signal(signal.SIGINT)
        site.process.send_signal(signal.SIGINT)
        assert site.process.wait(STOP_LIMIT_S) == 0
    finally:
        end_site(site)


def test_json_is_one_object_per_line(folder: Path) -> None:
    central, edge, mqtt = (str(free_port()) for _ in range(3))
    process = subprocess.Popen(
        [str(PROGRAMS / "headframe"), "up", "--state", str(folder), "--json", "--no-sim",
         "--central-port", central, "--edge-port", edge, "--mqtt-port", mqtt],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    events: list[dict[str, object]] = []
    try:
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "ready":
                process.send_signal(signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()
    (ready,) = (event for event in events if event["event"] == "ready")
    assert ready["central"] == f"http://127.0.0.1:{central}"
    ended = [event["name"] for event in events if event.get("phase") == "stopped"]
    assert ended[0] == "edge"
    assert ended[-2:] == ["broker", "postgres"]


def test_a_child_that_cannot_start_ends_the_site_with_its_reason(folder: Path) -> None:
    environment = {**os.environ, "HEADFRAME_SYNC__CERT_FILE": "/no/such/file"}
    told = subprocess.run(
        [sys.executable, str(PROGRAMS / "headframe"), "up", "--state", str(folder)],
        capture_output=True, text=True, check=False, timeout=120, env=environment,
    )  # fmt: skip
    assert told.returncode == 1
    assert "central did not start" in told.stderr
    assert "/no/such/file" in told.stderr
    assert find_leftovers(StateDir(folder)) == []
