"""TEXT values as bytes: every different string once, then its number per value."""

import numpy as np

from shared.codec.packing import Reader, Writer
from shared.domain.samples import TEXT_LENGTH_MAX
from shared.errors import CodecError

_UTF8_BYTES_MAX = 4  # per character
_TEXT_SIZE_MAX_BYTES = TEXT_LENGTH_MAX * _UTF8_BYTES_MAX


def write_texts(out: Writer, texts: tuple[str, ...]) -> None:
    """Append ``texts`` in order.

    Raises:
        ValueError: if one is longer than TEXT_LENGTH_MAX characters or holds a lone surrogate,
            which UTF-8 cannot carry.
    """
    if not texts:
        return
    different = list(dict.fromkeys(texts))
    if max(map(len, different)) > TEXT_LENGTH_MAX:
        raise ValueError(f"a TEXT value is longer than {TEXT_LENGTH_MAX} characters")
    encoded = [text.encode("utf-8") for text in different]
    number_of = {text: number for number, text in enumerate(different)}
    out.varint(len(different))
    out.stream(np.array([len(each) for each in encoded], dtype=np.int64))
    out.raw(b"".join(encoded))
    out.stream(np.array([number_of[text] for text in texts], dtype=np.int64))


def read_texts(source: Reader, count: int, *, strict: bool = True) -> tuple[str, ...]:
    """Return the ``count`` texts written by ``write_texts``.

    The caller has bounded ``count``. Not ``strict``, a text that is too long or not UTF-8 is
    returned all the same (see `is_fit`), so that it does not cost the samples beside it.

    Raises:
        CodecError: if the payload is cut short, a text is unknown or, strictly, not fit.
    """
    if not count:
        return ()
    sizes = source.stream(source.varint(count))
    if not len(sizes) or not 0 <= int(sizes.min()) <= int(sizes.max()) <= _TEXT_SIZE_MAX_BYTES:
        raise CodecError(f"size of a text must be 0..{_TEXT_SIZE_MAX_BYTES} bytes")
    different = _decode(source.raw(int(sizes.sum())), sizes.tolist(), strict=strict)
    numbers: list[int] = source.stream(count).tolist()
    if not 0 <= min(numbers) <= max(numbers) < len(different):
        raise CodecError("number of a text is outside its list")
    return tuple([different[number] for number in numbers])


def is_fit(text: str) -> bool:
    """Tell whether ``text`` is one that a strict reader would have returned."""
    if len(text) > TEXT_LENGTH_MAX:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _decode(joined: bytes, sizes: list[int], *, strict: bool) -> list[str]:
    texts: list[str] = []
    at = 0
    for size in sizes:
        # What is no UTF-8 becomes lone surrogates, which no text that was decoded can hold.
        text = joined[at : at + size].decode("utf-8", "surrogateescape")
        if strict and not is_fit(text):
            raise CodecError(
                f"text {len(texts)} is not UTF-8 or longer than {TEXT_LENGTH_MAX} characters"
            )
        texts.append(text)
        at += size
    return texts
