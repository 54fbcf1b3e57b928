"""Units and physical ranges by metric name. Pure tables; the suffix of a name is its unit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """A unit as shown to people and the range that is physically possible, inclusive."""

    unit: str
    low: float
    high: float


# Whole names first: they know more than their suffix does.
QUANTITY_OF_NAME: dict[str, Quantity] = {
    "ch4_pct": Quantity("%", 0.0, 100.0),
    "o2_pct": Quantity("%", 0.0, 100.0),
    "spo2_pct": Quantity("%", 0.0, 100.0),
    "fuel_pct": Quantity("%", 0.0, 100.0),
    "heart_rate_bpm": Quantity("bpm", 0.0, 300.0),
    "core_temp_c": Quantity("°C", 20.0, 45.0),
    "heading_deg": Quantity("°", 0.0, 360.0),
    "lat_deg": Quantity("°", -90.0, 90.0),
    "lng_deg": Quantity("°", -180.0, 180.0),
    "altitude_m": Quantity("m", -5_000.0, 9_000.0),
    "accuracy_m": Quantity("m", 0.0, 100_000.0),
    "speed_mps": Quantity("m/s", 0.0, 120.0),
    "payload_t": Quantity("t", 0.0, 1_000.0),
    "operating_hours": Quantity("h", 0.0, 1e6),
    "rsrp_dbm": Quantity("dBm", -160.0, -20.0),
    "rsrq_db": Quantity("dB", -60.0, 10.0),
    "sinr_db": Quantity("dB", -40.0, 60.0),
    "loss_pct": Quantity("%", 0.0, 100.0),
    "air_velocity_mps": Quantity("m/s", -40.0, 40.0),
}

# Longest suffix wins. Ranges are wide: a flag must mean "no such thing exists", not "unusual".
QUANTITY_OF_SUFFIX: dict[str, Quantity] = {
    "_pct": Quantity("%", -1_000.0, 1_000.0),
    "_ppm": Quantity("ppm", 0.0, 1e6),
    "_ppb": Quantity("ppb", 0.0, 1e9),
    "_mg_m3": Quantity("mg/m³", 0.0, 1e6),
    "_ug_m3": Quantity("µg/m³", 0.0, 1e9),
    "_c": Quantity("°C", -90.0, 2_500.0),
    "_k": Quantity("K", 0.0, 5_000.0),
    "_pa": Quantity("Pa", -1e8, 1e9),
    "_hpa": Quantity("hPa", -1e6, 1e7),
    "_kpa": Quantity("kPa", -1e5, 1e6),
    "_bar": Quantity("bar", -10.0, 10_000.0),
    "_mm_s": Quantity("mm/s", 0.0, 10_000.0),
    "_m_s": Quantity("m/s", -500.0, 500.0),
    "_mps": Quantity("m/s", -500.0, 500.0),
    "_kmh": Quantity("km/h", -1_000.0, 1_000.0),
    "_m3_s": Quantity("m³/s", -10_000.0, 10_000.0),
    "_l_min": Quantity("l/min", -1e6, 1e6),
    "_l_h": Quantity("l/h", -1e6, 1e6),
    "_l": Quantity("l", 0.0, 1e7),
    "_g": Quantity("g", -10_000.0, 10_000.0),
    "_bpm": Quantity("bpm", 0.0, 300.0),
    "_rpm": Quantity("rpm", -1e6, 1e6),
    "_hz": Quantity("Hz", 0.0, 1e12),
    "_a": Quantity("A", -1e6, 1e6),
    "_v": Quantity("V", -1e6, 1e6),
    "_w": Quantity("W", -1e10, 1e10),
    "_kw": Quantity("kW", -1e7, 1e7),
    "_kwh": Quantity("kWh", 0.0, 1e9),
    "_nm": Quantity("N·m", -1e8, 1e8),
    "_kn": Quantity("kN", -1e7, 1e7),
    "_t": Quantity("t", 0.0, 1e6),
    "_kg": Quantity("kg", 0.0, 1e9),
    "_m": Quantity("m", -1e7, 1e7),
    "_mm": Quantity("mm", -1e7, 1e7),
    "_km": Quantity("km", 0.0, 1e6),
    "_deg": Quantity("°", -360.0, 360.0),
    "_db": Quantity("dB", -400.0, 400.0),
    "_dbm": Quantity("dBm", -400.0, 200.0),
    "_mbps": Quantity("Mbit/s", 0.0, 1e6),
    "_ms": Quantity("ms", 0.0, 1e9),
    "_s": Quantity("s", -1e10, 1e10),
    "_h": Quantity("h", 0.0, 1e7),
    "_hours": Quantity("h", 0.0, 1e7),
    "_lux": Quantity("lx", 0.0, 1e7),
    "_dba": Quantity("dB(A)", 0.0, 200.0),
    "_j": Quantity("J", -1e15, 1e15),
}

UNKNOWN_QUANTITY = Quantity("", float("-inf"), float("inf"))
_SUFFIX_WORDS_MAX = 2  # `_mm_s`, `_m3_s`, `_mg_m3`: the longest suffixes have two words


def quantity_of(metric: str) -> Quantity:
    """Return unit and range of ``metric`` by its whole name, else its longest known suffix.

    A metric with no known suffix has no unit and no range.
    """
    if metric in QUANTITY_OF_NAME:
        return QUANTITY_OF_NAME[metric]
    words = metric.split("_")
    for count in range(min(_SUFFIX_WORDS_MAX, len(words) - 1), 0, -1):
        suffix = "_" + "_".join(words[-count:])
        if suffix in QUANTITY_OF_SUFFIX:
            return QUANTITY_OF_SUFFIX[suffix]
    return UNKNOWN_QUANTITY
