"""Messages to samples: topic and payload in, samples and refusals out. Pure.

Owns the payload rules of every channel. It must not know the time, other messages or the
catalogue. One bad metric or sample is refused by its path; everything beside it is kept:

* a metric is refused alone (name, value, given twice);
* a sample is refused alone (not a map, no metrics, bad ``ts`` or ``seq``);
* a message is refused whole only if no document can be read from it;
* an empty ``metrics`` map is a heartbeat: accepted without values, its ``seq`` counts;
* ``null`` for ``ts`` or ``seq`` means "not given"; ``null`` for a metric is no value: refused;
* keys that the channel does not know are ignored.

Another topic tree (Sparkplug B) comes as another decoder beside ``decode_payload``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from edge.ingest.channels import READERS, Reader, read_units
from edge.ingest.decoded import Decoded, DecodedSample, DecodeLimits, Reason, Refusal
from edge.ingest.documents import read_document
from edge.ingest.fields import REFUSED, Refusals, Values, read_seq, read_ts, shown, structure
from shared.domain.samples import ValueType
from shared.domain.topics import Channel, Topic

_LAST_WILL: Final = DecodedSample(None, None, (("online", ValueType.FLAG, False),))


def decode_payload(topic: Topic, payload: bytes, limits: DecodeLimits) -> Decoded:
    """Return the samples of ``payload`` and everything in it that was refused."""
    if len(payload) > limits.payload_size_max_bytes:
        return Decoded(topic, (), (too_large(len(payload), limits),))
    if topic.channel is Channel.DEATH and not payload:
        return Decoded(topic, (_LAST_WILL,), ())  # many devices leave a will without a payload
    document = read_document(payload)
    if isinstance(document, Refusal):
        return Decoded(topic, (), (document,))
    if not isinstance(document, dict):
        refusal = structure("payload", f"expected a map, got {shown(document)}")
        return Decoded(topic, (), (refusal,))
    found = cast("dict[str, Any]", document)
    refused: Refusals = []
    samples = list(_read_samples(found, topic.channel, limits, refused))
    units = dict(read_units(found, refused, limits)) if topic.channel is Channel.BIRTH else {}
    return Decoded(topic, samples, refused, units)


def too_large(size_bytes: int, limits: DecodeLimits) -> Refusal:
    """Return the refusal of a payload of ``size_bytes``, which is over the limit."""
    return Refusal(
        Reason.PAYLOAD_TOO_LARGE,
        "payload",
        f"expected at most {limits.payload_size_max_bytes} bytes, got {size_bytes}",
    )


def _read_samples(
    document: Mapping[str, Any], channel: Channel, limits: DecodeLimits, refused: Refusals
) -> Iterator[DecodedSample]:
    read = READERS[channel]
    if "samples" in document:
        yield from _read_batch(document["samples"], read, limits, refused)
        return
    sample = _read_sample(document, "", read, limits, refused)
    if sample is not None:
        yield sample


def _read_batch(
    entries: Any, read: Reader, limits: DecodeLimits, refused: Refusals
) -> Iterator[DecodedSample]:
    if not isinstance(entries, list) or not entries:
        detail = f"expected a list of samples, got {shown(entries)}"
        refused.append(structure("samples", detail))
        return
    samples = cast("list[Any]", entries)
    allowed = limits.samples_per_message_max
    if len(samples) > allowed:
        detail = f"expected at most {allowed} samples, got {len(samples)}; the first are kept"
        refused.append(Refusal(Reason.TOO_MANY_SAMPLES, f"samples[{allowed}:]", detail))
    for index, entry in enumerate(samples[:allowed]):
        path = f"samples[{index}]"
        if not isinstance(entry, dict):
            refused.append(structure(path, f"expected a map, got {shown(entry)}"))
            continue
        sample = _read_sample(cast("dict[str, Any]", entry), path + ".", read, limits, refused)
        if sample is not None:
            yield sample


def _read_sample(
    entry: Mapping[str, Any], path: str, read: Reader, limits: DecodeLimits, refused: Refusals
) -> DecodedSample | None:
    seq = read_seq(entry.get("seq"), path, refused)
    if seq is REFUSED:
        return None
    ts_ms = read_ts(entry.get("ts"), path, refused)
    if ts_ms is REFUSED:
        return None if seq is None else DecodedSample(seq, None, ())
    values: Values = []
    before = len(refused)
    read(entry, path, values, refused, limits)
    is_heartbeat = entry.get("metrics") == {} and not values and len(refused) == before
    return DecodedSample(seq, ts_ms, values, is_heartbeat)
