"""Links as they are met in the field. Pure."""

from dataclasses import dataclass, replace

from bench.shaper.road import RoadFigures

MBIT_BYTES = 125_000
QUEUE_S = 0.8  # drop-tail, as deep as satellite modems usually are


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """Both directions; ``up`` is from the edge to central."""

    up: RoadFigures
    down: RoadFigures

    @property
    def round_trip_s(self) -> float:
        """Return the round trip of an empty link, without jitter."""
        return self.up.delay_s + self.down.delay_s


def link_figures(
    *, up_mbit_s: float, down_mbit_s: float, round_trip_ms: float, loss: float = 0.0
) -> LinkFigures:
    """Return a link with the same delay and loss in both directions."""
    up = RoadFigures(
        rate_bytes_per_s=up_mbit_s * MBIT_BYTES,
        delay_s=round_trip_ms / 2_000.0,
        loss=loss,
        queue_bytes=round(up_mbit_s * MBIT_BYTES * QUEUE_S),
    )
    rate_bytes_per_s = down_mbit_s * MBIT_BYTES
    down = replace(
        up, rate_bytes_per_s=rate_bytes_per_s, queue_bytes=round(rate_bytes_per_s * QUEUE_S)
    )
    return LinkFigures(up, down)
