"""Letters of five by seven dots, for charts. Pure; capitals, digits and a few signs."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 5
HEIGHT: Final = 7
_ADVANCE: Final = WIDTH + 1  # one empty column between letters

# Rows from the top, each five dots as the bits of one number.
_ROWS: Final[dict[str, tuple[int, ...]]] = {
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 14),
    "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 25, 21, 21, 19, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14),
    "V": (17, 17, 17, 17, 17, 10, 4),
    "W": (17, 17, 17, 21, 21, 27, 17),
    "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 10, 4, 4, 4, 4),
    "Z": (31, 1, 2, 4, 8, 16, 31),
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 6, 8, 16, 31),
    "3": (30, 1, 1, 14, 1, 1, 30),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (14, 16, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 1, 14),
    " ": (0, 0, 0, 0, 0, 0, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    ",": (0, 0, 0, 0, 12, 4, 8),
    ":": (0, 12, 12, 0, 12, 12, 0),
    "-": (0, 0, 0, 31, 0, 0, 0),
    "+": (0, 4, 4, 31, 4, 4, 0),
    "=": (0, 0, 31, 0, 31, 0, 0),
    "/": (1, 1, 2, 4, 8, 16, 16),
    "%": (25, 25, 2, 4, 8, 19, 19),
    "(": (2, 4, 8, 8, 8, 4, 2),
    ")": (8, 4, 2, 2, 2, 4, 8),
    "<": (2, 4, 8, 16, 8, 4, 2),
    ">": (8, 4, 2, 1, 2, 4, 8),
    "_": (0, 0, 0, 0, 0, 0, 31),
    "?": (14, 17, 1, 6, 4, 0, 4),
}


def text_width(text: str, scale: int) -> int:
    """Return how many pixels wide `lettered` makes ``text``."""
    return max(0, len(text) * _ADVANCE - 1) * scale


def lettered(text: str, scale: int) -> NDArray[np.bool_]:
    """Return ``text`` as dots, shape (HEIGHT * scale, `text_width`); unknown signs become ``?``.

    ``scale`` is how many pixels wide and high a dot is, at least 1.
    """
    rows = np.zeros((HEIGHT, len(text) * _ADVANCE), dtype=np.bool_)
    for place, letter in enumerate(text.upper()):
        bits = np.array(_ROWS.get(letter, _ROWS["?"]))[:, np.newaxis]
        dots = (bits >> np.arange(WIDTH - 1, -1, -1)) & 1
        rows[:, place * _ADVANCE : place * _ADVANCE + WIDTH] = dots.astype(np.bool_)
    return np.kron(rows[:, : max(0, len(text) * _ADVANCE - 1)], np.ones((scale, scale), np.bool_))
