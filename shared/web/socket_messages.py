"""What clients and server say to each other on ``/ws/*``. Owns close codes, texts and limits."""

from enum import IntEnum
from typing import Annotated, Any, Literal

import msgspec

from shared.errors import AccessError
from shared.web.conflation import SocketFilter

MESSAGE_SIZE_MAX_BYTES = 16_384  # a filter with hundreds of ids; a token has 1.5 kB
FILTER_ENTRIES_MAX = 1_000
FILTER_TEXT_MAX = 128
CURSOR_LENGTH_MAX = 64


class CloseCode(IntEnum):
    """Why the server ends a socket."""

    NORMAL = 1000
    GOING_AWAY = 1001  # the server stops; connect again
    POLICY = 1008  # too many messages, or messages that are none of the protocol
    INTERNAL_ERROR = 1011
    UNAUTHORIZED = 4401  # no, late, wrong, expired or revoked token
    FORBIDDEN = 4403  # a role without the right


_Text = Annotated[str, msgspec.Meta(max_length=FILTER_TEXT_MAX)]
_Texts = Annotated[list[_Text], msgspec.Meta(max_length=FILTER_ENTRIES_MAX)]


class FilterMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each a text or a list of texts; absent or empty means all."""

    site: _Text | _Texts = []
    kind: _Text | _Texts = []
    id: _Text | _Texts = []
    metric: _Text | _Texts = []


class AuthMessage(msgspec.Struct, frozen=True, tag_field="type", tag="auth"):
    """The first message, and again whenever the client has a newer token."""

    token: str

    @property
    def bearer(self) -> str:
        """Return the token without the word Bearer.

        Raises:
            AccessError: if it does not start with it.
        """
        scheme, _, token = self.token.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AccessError("token must be the word Bearer, a space and an access token")
        return token.strip()


class SubscribeMessage(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """Replaces what is sent from now on; with ``resume``, also what changed since that cursor."""

    filter: FilterMessage = FilterMessage()
    resume: Annotated[str, msgspec.Meta(max_length=CURSOR_LENGTH_MAX)] | None = None

    @property
    def wanted(self) -> SocketFilter:
        """Return the filter."""
        return SocketFilter(
            sites=_texts(self.filter.site),
            kinds=_texts(self.filter.kind),
            ids=_texts(self.filter.id),
            metrics=_texts(self.filter.metric),
        )


class PingMessage(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """Answered with ``{"type":"pong"}``: browsers cannot send the protocol's own ping."""


ClientMessage = AuthMessage | SubscribeMessage | PingMessage
_DECODER: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def decode_client_message(text: str | bytes) -> ClientMessage:
    """Return what a client said.

    Raises:
        msgspec.DecodeError: with a readable reason, if it is none of the messages.
    """
    return _DECODER.decode(text)


def encode_message(kind: Literal["auth_ok", "subscribed", "pong", "error"], **members: Any) -> str:
    """Return a message of the server that carries no data of the mine."""
    return msgspec.json.encode({"type": kind, **members}).decode()


def encode_cursor(epoch: str, version: int) -> str:
    """Return the cursor of a version in one life of the hub."""
    return f"{epoch}-{version}"


def version_of(cursor: str, epoch: str, newest: int) -> int:
    """Return the version in ``cursor``; 0, which is before everything, if it is of another life.

    A server that restarted, or another one, numbers anew: it sends the newest value of everything,
    which is all that a reader of newest values can have missed.
    """
    life, _, number = cursor.partition("-")
    if life != epoch or not number.isascii() or not number.isdigit():
        return 0
    version = int(number)
    return version if version <= newest else 0


def _texts(value: str | list[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)
