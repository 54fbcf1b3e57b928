"""The topic tree ``mine/v1/{site}/{kind}/{id}/{channel}``. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import TopicError
from shared.ids import Kind, is_name

TOPIC_LENGTH_MAX = 256  # 4 names of 64 characters cannot fit with the prefix; real topics are < 120


class Channel(StrEnum):
    """What a device publishes; the last level of every topic it may send on."""

    TELEMETRY = "telemetry"
    POSITION = "position"
    VITALS = "vitals"
    STATE = "state"
    KPI = "kpi"
    BIRTH = "birth"
    DEATH = "death"


CHANNELS_OF_KIND: dict[Kind, frozenset[Channel]] = {
    Kind.SENSOR: frozenset({Channel.TELEMETRY}),
    Kind.EQUIPMENT: frozenset({Channel.TELEMETRY, Channel.STATE}),
    Kind.VEHICLE: frozenset({Channel.TELEMETRY, Channel.POSITION}),
    Kind.WORKER: frozenset({Channel.TELEMETRY, Channel.POSITION, Channel.VITALS}),
    Kind.CONTAINER: frozenset({Channel.TELEMETRY, Channel.POSITION}),
    Kind.NETWORK: frozenset({Channel.KPI}),
}
CHANNELS_OF_ANY = frozenset({Channel.BIRTH, Channel.DEATH})
_KINDS = frozenset(Kind)  # `text in Kind` needs Python 3.12


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic of the site side."""

    site: str
    kind: Kind
    asset_id: str
    channel: Channel

    def __str__(self) -> str:
        return f"mine/v1/{self.site}/{self.kind}/{self.asset_id}/{self.channel}"


def parse_topic(text: str) -> Topic:
    """Return the parts of ``text``.

    Raises:
        TopicError: naming the level that is wrong and what was expected there.
    """
    levels = text.split("/", 6)
    if len(text) > TOPIC_LENGTH_MAX or len(levels) != 6 or levels[:2] != ["mine", "v1"]:
        raise TopicError(
            f"topic must be mine/v1/{{site}}/{{kind}}/{{id}}/{{channel}}, got {text[:200]!r}"
        )
    _, _, site, kind_text, asset_id, channel_text = levels
    for field, name in (("site", site), ("id", asset_id)):
        if not is_name(name):
            raise TopicError(f"{field} must match [a-z0-9][a-z0-9_-]{{0,63}}, got {name[:80]!r}")
    if kind_text not in _KINDS:
        raise TopicError(f"kind must be one of {', '.join(Kind)}, got {kind_text[:80]!r}")
    kind = Kind(kind_text)
    allowed = CHANNELS_OF_KIND[kind] | CHANNELS_OF_ANY
    if channel_text not in allowed:
        expected = ", ".join(sorted(allowed))
        raise TopicError(
            f"channel of a {kind} must be one of {expected}, got {channel_text[:80]!r}"
        )
    return Topic(site, kind, asset_id, Channel(channel_text))
