"""Integers to bytes at their smallest width, byte planes apart. Owns the reading cursor's checks.

Byte planes: all lowest bytes of a stream stand together, then all second bytes, and so on. The
upper planes of a stream of small numbers are then nearly constant, which the compressor likes.
"""

import numpy as np
from numpy.typing import NDArray

from shared.codec.segments import I64
from shared.errors import CodecError

U64 = NDArray[np.uint64]

_VARINT_BYTES_MAX = 10  # 64 bits at 7 bits a byte
_WORD_BYTES = 8
_THRESHOLDS = np.array([1 << (8 * width) for width in range(8)], dtype=np.uint64)


class Writer:
    """Collects the parts of a payload."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def raw(self, part: bytes) -> None:
        """Append ``part`` as it is; the reader must know its length."""
        self._parts.append(part)

    def varint(self, number: int) -> None:
        """Append ``number`` (0 .. 2**64 - 1) as LEB128: 7 bits a byte, lowest first."""
        encoded = bytearray()
        while number > 0x7F:
            encoded.append(number & 0x7F | 0x80)
            number >>= 7
        encoded.append(number)
        self._parts.append(bytes(encoded))

    def stream(self, numbers: I64) -> None:
        """Append int64 ``numbers``: width, smallest number, then the differences to it."""
        if not len(numbers):
            return
        base = int(numbers.min())
        width = ((int(numbers.max()) - base).bit_length() + 7) // 8
        self._parts.append(bytes([width]))
        self.varint(base << 1 if base >= 0 else ~(base << 1))
        if width:
            offsets = (numbers - np.int64(base)).view(np.uint64)
            self._parts.append(_planes(offsets, width))

    def graded(self, numbers: U64, width: NDArray[np.uint8], count: I64) -> None:
        """Append unsigned ``numbers`` in columns of ``count``, each column at its own ``width``.

        ``width`` in bytes, 0..8, one per column; columns of one width stand together.
        """
        for each in np.flatnonzero(np.bincount(width, minlength=1)).tolist():
            if each:
                chosen = _numbers_of_width(numbers, width, count, each)
                self._parts.append(_planes(chosen, each))

    def payload(self) -> bytes:
        """Return everything appended so far."""
        return b"".join(self._parts)


class Reader:
    """Walks through an untrusted payload; every step checks what is left before it allocates."""

    __slots__ = ("_at", "_payload")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def raw(self, size: int) -> bytes:
        """Return the next ``size`` bytes.

        Raises:
            CodecError: if fewer are left.
        """
        end = self._at + size
        if end > len(self._payload):
            raise CodecError(f"payload ends at {len(self._payload)}, {end} bytes expected")
        part = self._payload[self._at : end]
        self._at = end
        return part

    def varint(self, limit: int) -> int:
        """Return the next number written by ``Writer.varint``.

        Raises:
            CodecError: if it is cut short, overlong or greater than ``limit``.
        """
        number = 0
        for place in range(_VARINT_BYTES_MAX):
            byte = self.raw(1)[0]
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if number > limit:
                    raise CodecError(f"number {number} is over its limit of {limit}")
                return number
        raise CodecError("number is longer than 64 bits")

    def stream(self, count: int) -> I64:
        """Return the ``count`` numbers written by ``Writer.stream``; shape (count,).

        Raises:
            CodecError: if the payload ends before or the width is not 0..8.
        """
        if not count:
            return np.empty(0, dtype=np.int64)
        width = self.raw(1)[0]
        if width > _WORD_BYTES:
            raise CodecError(f"width of a stream must be 0..8 bytes, got {width}")
        code = self.varint(2**64 - 1)
        base = np.int64((code >> 1) ^ -(code & 1))
        if not width:
            return np.full(count, base)
        return _from_planes(self.raw(width * count), count, width).view(np.int64) + base

    def graded(self, width: I64, count: I64) -> U64:
        """Return the numbers written by ``Writer.graded``; shape (sum of count,).

        The caller has bounded the sum of ``count``.

        Raises:
            CodecError: if the payload ends before or a width is not 0..8.
        """
        total = int(count.sum())
        if len(width) and not 0 <= int(width.min()) <= int(width.max()) <= _WORD_BYTES:
            raise CodecError("width of a column must be 0..8 bytes")
        numbers = np.zeros(total, dtype=np.uint64)
        for each in np.flatnonzero(np.bincount(width, minlength=1)).tolist():
            chosen = width == each
            size = int(count[chosen].sum())
            if not each:
                continue
            found = _from_planes(self.raw(each * size), size, each)
            if size == total:
                return found
            numbers[np.repeat(chosen, count)] = found
        return numbers

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            CodecError: if something is.
        """
        if self._at != len(self._payload):
            raise CodecError(f"{len(self._payload) - self._at} bytes too many in the payload")


def width_of(numbers: U64) -> NDArray[np.uint8]:
    """Return how many bytes each number needs, 0..8; zero needs none."""
    return np.searchsorted(_THRESHOLDS, numbers, side="right").astype(np.uint8)


def _numbers_of_width(numbers: U64, width: NDArray[np.uint8], count: I64, each: int) -> U64:
    chosen = width == each
    return numbers if chosen.all() else numbers[np.repeat(chosen, count)]


def _planes(numbers: U64, width: int) -> bytes:
    table = np.ascontiguousarray(numbers, dtype="<u8").view(np.uint8).reshape(-1, _WORD_BYTES)
    return table[:, :width].T.tobytes()


def _from_planes(planes: bytes, count: int, width: int) -> U64:
    table = np.zeros((count, _WORD_BYTES), dtype=np.uint8)
    table[:, :width] = np.frombuffer(planes, dtype=np.uint8).reshape(width, count).T
    return table.view("<u8").reshape(count).astype(np.uint64, copy=False)
