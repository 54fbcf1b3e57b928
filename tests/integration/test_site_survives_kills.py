"""Recorded data at full speed while processes are killed: every value is there exactly once."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.replay.conversion import Converter
from deploy.replay.mapping import read_mapping
from deploy.replay.recordings import open_recording, read_lines
from deploy.replay.tables import read_table
from tests.support.recorded_data import recorded_file
from tests.support.running_site import RunningSite, running_site, wait_for

pytestmark = pytest.mark.slow

METHANE = "coalmine-methane"
SENSORS = "/api/v1/safety/environmental/sensors"
Reading = tuple[str, str, int, float]  # asset, metric, ms, value

STORED = """
SELECT asset_id, metric, (extract(epoch FROM ts) * 1000)::bigint, coalesce(v, i)
FROM sample JOIN series USING (site_id, series_id)
WHERE asset_id LIKE 'longwall-%'
"""


def readings_of(file: Path) -> Counter[Reading]:
    """Return every value of the file as the mapping reads it, read without MQTT."""
    mapping = read_mapping(METHANE)
    converter = Converter(mapping, "kaduna")
    found: Counter[Reading] = Counter()
    with open_recording(file, ()) as members:
        lines = read_lines(members[0], "utf-8")
        for row in read_table(lines, members[0].name, members[0].stem, mapping.file):
            for message in converter.convert(row, members[0].stem):
                asset = message.topic.split("/")[4]
                for metric, value in message.content["metrics"].items():
                    found[(asset, metric, message.ts_ms, float(value))] += 1
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RunningSite]:
    with running_site(tmp_path / "state", "--no-sim") as found:
        yield found


def stored(site: RunningSite) -> Counter[Reading]:
    return Counter((a, m, int(t), float(v)) for a, m, t, v in site.rows(STORED))


def assert_all_arrive_once(site: RunningSite, expected: Counter[Reading]) -> None:
    def complete() -> bool:
        try:
            return site.rows(f"SELECT count(*) FROM ({STORED}) AS s")[0][0] >= expected.total()
        except psycopg.OperationalError:  # the server may be the one that was killed
            return False

    wait_for(complete, f"{expected.total()} values at central", timeout_s=120.0, every_s=0.5)
    found = stored(site)
    assert found == expected, list(((found - expected) + (expected - found)).items())[:5]


def test_the_methane_file_arrives_value_for_value(site: RunningSite) -> None:
    file = recorded_file(f"{METHANE}/methane-train.arff")
    done = site.replay(file, METHANE)
    text, _ = done.communicate(timeout=120)
    summary = json.loads(text.splitlines()[-1])
    expected = readings_of(file)
    assert (done.returncode, summary["messages_refused"]) == (0, 0)
    assert summary["values"] == expected.total() == 106_944  # 13,368 rows of 8 columns
    assert_all_arrive_once(site, expected)


@pytest.mark.parametrize(
    "victim",
    [
        ("headframe-edge", "run"),
        ("headframe-central", "run"),
        ("headframe-central", "worker"),
        ("postgres",),
        ("nats-server",),
    ],
    ids=" ".join,
)
def test_nothing_is_lost_or_doubled_when_one_is_killed(
    site: RunningSite, victim: tuple[str, ...]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 -- shown where the test fails
    chance = random.Random(seed)
    file = recorded_file(f"{METHANE}/methane-train.arff")
    replay = site.replay(file, METHANE)
    wait_for(lambda: site.get(SENSORS, server="edge")["items"], "the first readings")
    for _ in range(2):
        time.sleep(chance.uniform(0.5, 2.0))  # the moment is the point
        site.child(*victim).kill()
    text, _ = replay.communicate(timeout=180)
    assert json.loads(text.splitlines()[-1])["messages_refused"] == 0
    assert_all_arrive_once(site, readings_of(file))


def test_the_edge_goes_on_without_central_and_everything_arrives_later(site: RunningSite) -> None:
    file = recorded_file(f"{METHANE}/methane-train.arff")
    central = site.child("headframe-central", "run")
    central.suspend()  # half open: nobody says goodbye
    replay = site.replay(file, METHANE)
    replay.communicate(timeout=120)
    sensors = site.get(SENSORS, server="edge")["items"]
    assert {"longwall-mm116", "longwall-mm31"} <= {item["id"] for item in sensors}
    central.resume()
    assert_all_arrive_once(site, readings_of(file))
