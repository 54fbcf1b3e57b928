"""Charts of figures as PNG: bars beside a goal, lines over time. Pure: numbers in, bytes out.

The PNG is written here (signature, IHDR, IDAT, IEND; ISO/IEC 15948): two kinds of simple pictures
are no reason for a drawing library.
"""

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.lettering import HEIGHT, lettered, text_width

WIDTH_PX: Final = 960
_MARGIN: Final = 24
_SCALE: Final = 2  # pixels of a dot of a letter
_TITLE_SCALE: Final = 3
_LINE: Final = HEIGHT * _SCALE  # height of a line of text
_BAR: Final = 26
_BAR_GAP: Final = 14
_PLOT_HEIGHT: Final = 360
_TICKS: Final = 5

Colour = tuple[int, int, int]
_PAPER: Final[Colour] = (255, 255, 255)
_INK: Final[Colour] = (33, 37, 41)
_FAINT: Final[Colour] = (222, 226, 230)
_GOAL: Final[Colour] = (201, 42, 42)
# Told apart by people who see colours differently, too (blue, orange, green, purple, grey).
_COLOURS: Final[tuple[Colour, ...]] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (148, 103, 189),
    (127, 127, 127),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure; ``is_baseline`` draws it as what is compared with, ``goal`` as a red mark."""

    label: str
    value: float
    is_baseline: bool = False
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One curve; ``x`` ascends, ``y`` runs in parallel, both hold at least one finite number."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> bytes:
    """Return a PNG with one horizontal bar a figure, from zero, its value in ``unit`` behind it.

    Raises:
        ValueError: if there is no bar, or a value is negative or no number.
    """
    values = [bar.value for bar in bars]
    if not bars or not all(math.isfinite(value) and value >= 0 for value in values):
        raise ValueError("bars: expected at least one, with values of zero or more")
    # What the longest bar stands for; room on the right for the value of the longest.
    full = max([*values, *(bar.goal or 0.0 for bar in bars)]) or 1.0
    left = _MARGIN + max(text_width(bar.label, _SCALE) for bar in bars) + 12
    shown = [_with_goal(bar) for bar in bars]
    right = WIDTH_PX - _MARGIN - 10 - max(text_width(text, _SCALE) for text in shown)
    top = _MARGIN + HEIGHT * _TITLE_SCALE + _MARGIN
    canvas = _Canvas(WIDTH_PX, top + len(bars) * (_BAR + _BAR_GAP) + _MARGIN)
    canvas.text(_MARGIN, _MARGIN, f"{title} ({unit})", scale=_TITLE_SCALE)
    for number, (bar, text) in enumerate(zip(bars, shown, strict=True)):
        y = top + number * (_BAR + _BAR_GAP)
        end = left + round((right - left) * bar.value / full)
        text_y = y + (_BAR - _LINE) // 2
        canvas.text(_MARGIN, text_y, bar.label)
        canvas.box(left, y, max(end, left + 1), y + _BAR, _COLOURS[4 if bar.is_baseline else 0])
        if bar.goal is not None:
            at = left + round((right - left) * bar.goal / full)
            canvas.box(at - 1, y - 5, at + 2, y + _BAR + 5, _GOAL)
            end = max(end, at)
        canvas.text(end + 10, text_y, text)
    return canvas.png()


def line_chart(title: str, x_unit: str, y_unit: str, lines: Sequence[Line]) -> bytes:
    """Return a PNG with ``lines`` over one pair of axes, y from zero.

    Raises:
        ValueError: if there is no line, or one without a point.
    """
    if not lines or not all(len(line.x) and len(line.x) == len(line.y) for line in lines):
        raise ValueError("lines: expected at least one, each with as many x as y")
    frame = _Frame(
        x_min=min(min(line.x) for line in lines),
        x_max=max(max(line.x) for line in lines),
        y_max=max(max(line.y) for line in lines) or 1.0,
    )
    canvas = _Canvas(WIDTH_PX, frame.bottom + 3 * _LINE + _MARGIN)
    canvas.text(_MARGIN, _MARGIN, f"{title} ({y_unit})", scale=_TITLE_SCALE)
    _draw_axes(canvas, frame, x_unit)
    legend_x = _MARGIN
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        canvas.curve(*frame.placed(line), colour)
        canvas.text(legend_x, frame.bottom + 2 * _LINE + 8, line.label, colour=colour)
        legend_x += text_width(line.label, _SCALE) + 24
    return canvas.png()


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where numbers lie on the canvas of a line chart."""

    x_min: float
    x_max: float
    y_max: float
    left: int = _MARGIN + 110
    right: int = WIDTH_PX - _MARGIN
    top: int = _MARGIN + HEIGHT * _TITLE_SCALE + _MARGIN

    @property
    def bottom(self) -> int:
        return self.top + _PLOT_HEIGHT

    def placed(self, line: Line) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        span = (self.x_max - self.x_min) or 1.0
        x = (np.asarray(line.x, np.float64) - self.x_min) / span
        y = np.asarray(line.y, np.float64) / self.y_max
        return (
            np.rint(self.left + x * (self.right - self.left)).astype(np.int64),
            np.rint(self.bottom - y * _PLOT_HEIGHT).astype(np.int64),
        )


def _draw_axes(canvas: "_Canvas", frame: _Frame, x_unit: str) -> None:
    for tick in range(_TICKS + 1):
        y = frame.bottom - tick * _PLOT_HEIGHT // _TICKS
        canvas.box(frame.left, y, frame.right, y + 1, _FAINT if tick else _INK)
        text = plain(frame.y_max * tick / _TICKS)
        canvas.text(frame.left - 10 - text_width(text, _SCALE), y - _LINE // 2, text)
    first = f"{plain(frame.x_min)} {x_unit}"
    last = f"{plain(frame.x_max)} {x_unit}"
    canvas.text(frame.left, frame.bottom + 8, first)
    canvas.text(frame.right - text_width(last, _SCALE), frame.bottom + 8, last)


def plain(value: float) -> str:
    """Return ``value`` as people write it in a chart: three digits, then the rest in words."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.3g} {letter}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _with_goal(bar: Bar) -> str:
    return plain(bar.value) if bar.goal is None else f"{plain(bar.value)} (goal {plain(bar.goal)})"


class _Canvas:
    """Pixels, written to from the left and the top; what lies outside is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self._pixels = np.full((height, width, 3), _PAPER, dtype=np.uint8)

    def box(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        self._pixels[max(top, 0) : bottom, max(left, 0) : right] = colour

    def text(
        self, x: int, y: int, text: str, *, scale: int = _SCALE, colour: Colour = _INK
    ) -> None:
        room = self._pixels[max(y, 0) :, max(x, 0) :]
        dots = lettered(text, scale)[: room.shape[0], : room.shape[1]]
        room[: dots.shape[0], : dots.shape[1]][dots] = colour

    def curve(self, x: NDArray[np.int64], y: NDArray[np.int64], colour: Colour) -> None:
        for place in range(max(1, len(x) - 1)):
            after = min(place + 1, len(x) - 1)
            across, up = int(x[after] - x[place]), int(y[after] - y[place])
            dots = max(abs(across), abs(up))
            way = np.arange(dots + 1, dtype=np.float64) / max(dots, 1)
            xs = np.rint(x[place] + way * across).astype(np.int64)
            ys = np.rint(y[place] + way * up).astype(np.int64)
            for thick_x, thick_y in ((0, 0), (1, 0), (0, 1)):
                self._pixels[
                    np.clip(ys + thick_y, 0, self._pixels.shape[0] - 1),
                    np.clip(xs + thick_x, 0, self._pixels.shape[1] - 1),
                ] = colour

    def png(self) -> bytes:
        height, width, _ = self._pixels.shape
        # Each row begins with the number of its filter: 0, none.
        rows = np.concatenate(
            [np.zeros((height, 1), np.uint8), self._pixels.reshape(height, -1)], axis=1
        )
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green, blue
        return b"".join(
            [
                b"\x89PNG\r\n\x1a\n",
                _chunk(b"IHDR", head),
                _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
                _chunk(b"IEND", b""),
            ]
        )


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
