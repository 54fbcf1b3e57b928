"""Which topics a publisher may use. Pure.

A device publishes under its own id. What it may not say is kept as refused (`not_permitted`), so
that whoever set a device up wrongly finds out; commands are the edge's alone, for everybody.
"""

from collections.abc import Iterable
from typing import Final

ANY_DEVICE: Final = "*"
# Only the edge speaks on these (see `routing.OTHER_CHANNELS`).
COMMAND_CHANNELS: Final = frozenset({"cmd", "alert"})

_LEVELS = 6  # mine/v1/{site}/{kind}/{id}/{channel}


class PublishRights:
    """The topics of some devices of one site."""

    __slots__ = ("_devices", "_is_any", "_site")

    def __init__(self, site: str, devices: Iterable[str]) -> None:
        """``devices`` are ids, or ``kind/id`` for one kind only, or ``*`` for every device."""
        self._site = site
        self._devices = frozenset(devices)
        self._is_any = ANY_DEVICE in self._devices

    def permits(self, topic: str) -> bool:
        """Tell whether a message may be published on ``topic``.

        Who may speak for every device may also use wrong topics below ``mine/``: what is wrong
        with them is for the quarantine to say.
        """
        levels = topic.split("/", _LEVELS)
        if levels[0] != "mine":
            return False
        if len(levels) >= _LEVELS and levels[5] in COMMAND_CHANNELS:
            return False
        if self._is_any:
            return True
        if len(levels) != _LEVELS or levels[1:3] != ["v1", self._site]:
            return False
        kind, device = levels[3:5]
        return device in self._devices or f"{kind}/{device}" in self._devices
