"""Which messages under ``mine/v1/#`` are ingest's, which are others' and which are wrong. Pure."""

from typing import Final

from edge.ingest.decoded import Reason, Refusal
from shared.domain.topics import Topic, parse_topic
from shared.errors import TopicError
from shared.ids import Kind, is_name

# One filter for everything: with overlapping filters a broker may deliver a message twice, and a
# filter per channel would leave wrong topics unseen.
SUBSCRIPTION: Final = "mine/v1/#"

# Channels of the same tree that other parts of the edge write or read. They pass through here
# because of the one filter; they are counted as "not ours", acknowledged and not stored.
OTHER_CHANNELS: Final = frozenset(
    {
        "alert",  # from the edge: an alarm for a device to display
        "alert-ack",  # the device's answer
        "cmd",  # control frames from the edge
        "feedback",  # control frames from a controller
    }
)

# mosquitto publishes here how many messages it dropped because some client's queue was full; it
# acknowledges them to their senders all the same, and says so nowhere else.
DROPPED_TOPIC: Final = "$SYS/broker/publish/messages/dropped"

_LEVELS = 6  # mine/v1/{site}/{kind}/{id}/{channel}
_KINDS = frozenset(Kind)


class NotOurs:
    """A valid message of this site that another part of the edge serves."""

    __slots__ = ()


NOT_OURS: Final = NotOurs()


def route(text: str, site: str) -> Topic | NotOurs | Refusal:
    """Return the topic of a message for ``site``, or that it is others', or why it is wrong."""
    try:
        topic = parse_topic(text)
    except TopicError as error:
        if _is_other_channel(text, site):
            return NOT_OURS
        return Refusal(Reason.BAD_TOPIC, "topic", str(error))
    if topic.site != site:
        detail = f"expected site {site!r}, got {topic.site!r}"
        return Refusal(Reason.FOREIGN_SITE, "topic", detail)
    return topic


def _is_other_channel(text: str, site: str) -> bool:
    levels = text.split("/", _LEVELS)
    return (
        len(levels) == _LEVELS
        and levels[:3] == ["mine", "v1", site]
        and levels[3] in _KINDS
        and is_name(levels[4])
        and levels[5] in OTHER_CHANNELS
    )
