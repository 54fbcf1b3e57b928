"""The simulated mine: plausible, repeatable, and moved by its scenarios."""

import msgspec
import pytest

from deploy.errors import SiteUsageError
from deploy.sim.haulage import PAYLOAD_NOMINAL_T, Phase
from deploy.sim.mine import SENSOR_RATE_MAX_HZ, Mine, Size
from deploy.sim.scenarios import QUIET, Lever, parse_scenario, read_scenario
from deploy.sim.terrain import PLACES, latitude_longitude, route
from edge.ingest.decode import DecodeLimits, decode_payload
from shared.domain.topics import parse_topic

RETURN_AIR = 0.9  # near the end of the airway, behind the face


def mine(seed: int = 7, scenario: str | None = None, size: Size | None = None) -> Mine:
    script = read_scenario(scenario) if scenario else QUIET
    return Mine("kaduna", seed, size or Size(), script)


def test_same_seed_gives_the_same_mine() -> None:
    one, two = mine(seed=3), mine(seed=3)
    one.step(900.0)
    two.step(900.0)
    assert [s.payload() for s in one.sources] == [s.payload() for s in two.sources]


def test_another_seed_gives_another_mine() -> None:
    one, two = mine(seed=3), mine(seed=4)
    assert [s.payload() for s in one.sources] != [s.payload() for s in two.sources]


def test_trucks_haul_ore_in_whole_cycles() -> None:
    site = mine()
    site.step(2 * 3600.0)
    for truck in site.fleet.trucks:
        # A cycle is some ten minutes of driving, loading and queueing: 4 to 12 in two hours.
        assert 4 <= truck.cycles <= 12
        assert truck.hauled_t == pytest.approx(truck.cycles * PAYLOAD_NOMINAL_T, rel=0.15)


def test_a_truck_refuels_before_its_tank_is_empty() -> None:
    site = mine()
    phases: set[Phase] = set()
    for _ in range(600):
        site.step(60.0)
        phases |= {truck.phase for truck in site.fleet.trucks}
        assert all(truck.fuel_l > 0 for truck in site.fleet.trucks)
    assert Phase.REFUELLING in phases


def test_each_loader_serves_one_truck_at_a_time() -> None:
    site = mine()
    for _ in range(300):
        site.step(10.0)
        at_work = [
            t.loader for t in site.fleet.trucks if t.phase in (Phase.LOADING, Phase.SPOTTING)
        ]
        assert len(at_work) == len(set(at_work))


def test_methane_balances_inflow_and_airflow() -> None:
    site = mine()
    site.section.step(1_400.0)
    # 0.14 m3/s of gas in 26 m3/s of air: 0.14 / 26 = 0.54 %, a little more or less by pressure.
    assert site.section.is_cutting or site.section.ch4_pct(RETURN_AIR) < 0.54
    assert 0.1 < site.section.ch4_pct(RETURN_AIR) < 0.75
    assert site.section.ch4_pct(0.1) == pytest.approx(0.0, abs=1e-6)  # fresh air before the face


def test_gas_inflow_passes_the_alarm_limit_and_is_diluted_again() -> None:
    site = mine(scenario="gas-inflow")
    highest = 0.0
    for _ in range(60):
        site.step(10.0)
        highest = max(highest, site.section.ch4_pct(RETURN_AIR))
    site.step(1_200.0)
    assert highest > 1.5
    assert site.section.ch4_pct(RETURN_AIR) < 0.8


def test_satellite_is_cut_for_ten_minutes() -> None:
    script = read_scenario("satellite-cut")
    up = [script.values_at(t)[Lever.SATELLITE_UP] for t in (0.0, 59.0, 61.0, 659.0, 661.0)]
    assert up == [1.0, 1.0, 0.0, 0.0, 1.0]


def test_a_lever_moves_linearly_over_its_time() -> None:
    script = parse_scenario("x", '[[step]]\nat_s=10\nover_s=10\nwhat="fan-share"\nvalue=0.5')
    assert script.values_at(15.0)[Lever.FAN_SHARE] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[[step]]\nat_s="soon"\nwhat="fan-share"\nvalue=1', "step 1: at_s: expected a number"),
        ('[[step]]\nat_s=1\nwhat="weather"\nvalue=1', "step 1: what: expected one of"),
        ("[[step", "not valid TOML"),
    ],
)
def test_a_wrong_script_is_refused_by_step_and_key(text: str, names: str) -> None:
    with pytest.raises(SiteUsageError, match="scenario x") as error:
        parse_scenario("x", text)
    assert names in str(error.value)


def test_unknown_scenario_lists_the_known_ones() -> None:
    with pytest.raises(SiteUsageError, match="gas-inflow, satellite-cut"):
        read_scenario("volcano")


def test_high_rates_add_stations_instead_of_reading_faster() -> None:
    size = Size().for_rate(5_000.0)
    sources = mine(size=size).sources
    assert 5_000.0 / len(sources) <= SENSOR_RATE_MAX_HZ


def test_sumps_never_run_over_their_start_level_for_long() -> None:
    site = mine()
    for _ in range(200):
        site.step(120.0)
        assert all(0.5 < pump.level_m < 3.0 for pump in site.pumps)


def test_workers_stay_plausible_people() -> None:
    site = mine()
    for _ in range(60):
        site.step(60.0)
        for worker in site.workers:
            assert 55 < worker.vitals()["heart_rate_bpm"] < 150
            assert 36.5 < worker.core_temp_c < 38.2


def test_the_shortest_road_is_taken() -> None:
    assert route("crusher", "loader-1") == (
        "crusher",
        "junction",
        "ramp-top",
        "ramp-bend",
        "pit-floor",
        "loader-1",
    )


def test_positions_lie_near_the_origin() -> None:
    for place in PLACES.values():
        lat_deg, lng_deg = latitude_longitude(place.point)
        assert abs(lat_deg - 10.5264) < 0.02
        assert abs(lng_deg - 7.4388) < 0.02


def test_every_message_of_the_mine_is_accepted_by_the_edge() -> None:
    for source in mine(size=Size().for_rate(1_000.0)).sources:
        payload = msgspec.json.encode({"ts": 1_700_000_000_000, "seq": 0, **source.payload()})
        topic = parse_topic(source.topic)
        decoded = decode_payload(topic, payload, DecodeLimits(524_288, 20_000, 512))
        assert not decoded.refused
        assert decoded.samples[0].values
