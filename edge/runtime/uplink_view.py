"""The link to central as the API shows it: an adapter between two parts that are strangers."""

from collections.abc import Callable, Mapping

from edge.uplink.link import LinkStage, LinkState


class UplinkView:
    """Reads the newest link state at every question."""

    def __init__(self, read: Callable[[], LinkState]) -> None:
        self._read = read

    @property
    def connected(self) -> bool:
        """Tell whether central and this edge hold a session."""
        return self._read().is_connected

    @property
    def since_ms(self) -> int | None:
        """Return when it came into this state."""
        return self._read().since_ms or None

    @property
    def last_seen_ms(self) -> int | None:
        """Return when central last confirmed something."""
        return self._read().last_ack_ms

    @property
    def rtt_ms(self) -> float | None:
        """Return the newest round trip."""
        return self._read().rtt_ms

    @property
    def error(self) -> str | None:
        """Return why there is no session."""
        return self._read().error

    @property
    def sent_today_bytes(self) -> Mapping[str, int]:
        """Return what was sent today, by lane, catalogue and control."""
        return self._read().sent_today_bytes

    @property
    def held_up(self) -> str | None:
        """Return why lanes that are not urgent wait."""
        return self._read().held_up

    @property
    def connections(self) -> Mapping[str, bool]:
        """Tell of each connection, by what it serves, whether it is up."""
        stages = self._read().connections
        return {role: stage is LinkStage.STREAMING for role, stage in stages.items()}
