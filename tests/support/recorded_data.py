"""Recorded data beside the checkout, as tables of float64. Tests skip where it is absent."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

DATA = Path(__file__).parents[3] / "shared" / "data"
_ZEMA_CHANNELS = ("CE", "CP", "SE", "TS1", "TS2", "TS3", "TS4", "VS1")

Table = NDArray[np.float64]  # one row per time, one column per quantity


def recorded_file(name: str) -> Path:
    """Return the recorded file ``folder/name``; the test is skipped where it is absent."""
    return _existing(name)


def methane_table(rows: int) -> Table:
    """Return the first rows of the coal mine: 8 columns, 30 s apart."""
    text = _existing("coalmine-methane/methane-train.arff").read_text(encoding="utf-8")
    return _table(text.partition("@DATA\n")[2].splitlines()[:rows], ",")


def zema_table(rows: int) -> Table:
    """Return the first rows of the hydraulic test rig: 8 channels at 1 Hz."""
    channels: list[list[float]] = []
    for channel in _ZEMA_CHANNELS:
        with gzip.open(_existing(f"zema-hydraulic-1hz/{channel}.txt.gz"), "rt") as file:
            cycles = [next(file).split() for _ in range(-(-rows // 60))]  # a cycle is 60 s
        channels.append([float(word) for cycle in cycles for word in cycle][:rows])
    return np.array(channels).T


def skab_table(rows: int) -> Table:
    """Return the first rows of the pump test rig: 8 quantities at 1 Hz."""
    lines: list[str] = []
    with tarfile.open(_existing("skab-pump/skab-v0.9-data.tar.gz")) as archive:
        for member in sorted(archive.getnames()):
            file = archive.extractfile(member) if "/valve1/" in member else None
            if file and member.endswith(".csv"):
                body = file.read().decode().splitlines()[1:]
                lines += [line.partition(";")[2] for line in body]
    return _table(lines[:rows], ";")[:, :8]


def _existing(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        # The data is not the project's to hold: a clone stands without it, also under STRICT.
        pytest.skip(f"recorded data {name} is not beside the checkout")
    return path


def _table(lines: list[str], separator: str) -> Table:
    return np.array([[float(word) for word in line.split(separator)] for line in lines])
