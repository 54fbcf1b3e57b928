"""Names and identities. Owns the grammar of site, kind, asset and series names."""

import re
from dataclasses import dataclass
from enum import StrEnum

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
METRIC_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Kind(StrEnum):
    """What a device is; the third level of every topic."""

    SENSOR = "sensor"
    EQUIPMENT = "equipment"
    VEHICLE = "vehicle"
    WORKER = "worker"
    CONTAINER = "container"
    NETWORK = "network"


def is_name(text: str) -> bool:
    """Tell whether ``text`` is a valid site or asset name: ``[a-z0-9][a-z0-9_-]{0,63}``."""
    return NAME_PATTERN.fullmatch(text) is not None


def is_metric(text: str) -> bool:
    """Tell whether ``text`` is a valid metric name: ``[a-z][a-z0-9_]{0,63}``."""
    return METRIC_PATTERN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class SeriesName:
    """One measured quantity of one asset; written ``site/kind/id/metric``."""

    site: str
    kind: str
    asset_id: str
    metric: str

    def __str__(self) -> str:
        return f"{self.site}/{self.kind}/{self.asset_id}/{self.metric}"

    @classmethod
    def parse(cls, text: str) -> "SeriesName":
        """Return the name written in ``text``.

        Raises:
            ValueError: if ``text`` is not ``site/kind/id/metric``.
        """
        parts = text.split("/")
        if (
            len(parts) != 4
            or not all(is_name(part) for part in parts[:3])
            or not is_metric(parts[3])
        ):
            raise ValueError(f"expected site/kind/id/metric, got {text[:200]!r}")
        return cls(*parts)
