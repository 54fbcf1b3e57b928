"""Charts are pictures that a reader of PNG takes, with what they say in the right place."""

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.chart import WIDTH_PX, Bar, Line, bar_chart, line_chart, plain
from bench.lettering import HEIGHT, lettered, text_width

RED = (201, 42, 42)
BLUE = (0, 114, 178)


def pixels(png: bytes) -> NDArray[np.uint8]:
    """Read a PNG as its standard says; checksums and the end included."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        name, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size) == (zlib.crc32(name + content),)
        chunks[name] = content
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def columns_of(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.intp]:
    return np.flatnonzero((picture == colour).all(axis=2).any(axis=0))


def test_a_bar_is_as_long_as_its_value() -> None:
    long = columns_of(pixels(bar_chart("T", "rows/s", [Bar("a", 100.0)])), BLUE)
    both = bar_chart("T", "rows/s", [Bar("a", 100.0, is_baseline=True), Bar("b", 50.0)])
    half = columns_of(pixels(both), BLUE)
    assert len(half) == pytest.approx(len(long) / 2, abs=8)


def test_the_goal_is_marked_where_it_lies() -> None:
    picture = pixels(bar_chart("T", "rows/s", [Bar("a", 50.0, goal=100.0)]))
    blue, red = columns_of(picture, BLUE), columns_of(picture, RED)
    assert len(red) == 3
    assert red[1] - blue[0] == pytest.approx(2 * len(blue), abs=3)


def test_a_line_rises_with_its_values() -> None:
    picture = pixels(line_chart("T", "s", "ms", [Line("a", [0.0, 1.0, 2.0], [0.0, 1.0, 4.0])]))
    drawn = (picture[:400] == BLUE).all(axis=2)
    left, right = np.flatnonzero(drawn.any(axis=0))[[0, -1]]
    assert np.flatnonzero(drawn[:, left])[-1] > np.flatnonzero(drawn[:, right - 1])[0]
    assert picture.shape[1] == WIDTH_PX


def test_a_single_point_is_a_line_too() -> None:
    assert len(columns_of(pixels(line_chart("T", "s", "ms", [Line("a", [1.0], [1.0])])), BLUE))


@pytest.mark.parametrize("bars", [[], [Bar("a", -1.0)], [Bar("a", float("nan"))]])
def test_what_cannot_be_drawn_is_refused(bars: list[Bar]) -> None:
    with pytest.raises(ValueError, match="bars"):
        bar_chart("T", "ms", bars)


def test_lines_without_points_are_refused() -> None:
    with pytest.raises(ValueError, match="lines"):
        line_chart("T", "s", "ms", [Line("a", [], [])])


def test_letters_have_the_width_that_is_counted_on() -> None:
    assert lettered("Ab1 é", 2).shape == (HEIGHT * 2, text_width("Ab1 é", 2))
    assert lettered("é", 1).tolist() == lettered("?", 1).tolist()
    assert lettered("", 1).shape == (HEIGHT, 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (999.4, "999"), (1234.0, "1234"), (45_600.0, "45.6 k"), (7e5, "700 k"),
     (2.5e6, "2.5 M"), (3e9, "3 G")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert plain(value) == text
