"""Fixtures every test may ask for, and what happens to tests whose programs are not here."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.postgres", "tests.support.central_world"]

# A busy machine is no failure: nothing here judges speed.
settings.register_profile("headframe", deadline=None)
settings.load_profile("headframe")

STRICT_VARIABLE = "HEADFRAME_TESTS_STRICT"
SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


def _has(*programs: str) -> bool:
    return all(shutil.which(program, path=SEARCHED) for program in programs)


# Marker -> whether this machine has what it stands for, and how to get it.
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "needs_mosquitto": (
        lambda: _has("mosquitto", "mosquitto_pub"),
        "mosquitto is not installed (apt install mosquitto mosquitto-clients)",
    ),
    "needs_browser": (
        lambda: _has("chromium", "chromedriver"),
        "Chromium is not installed (apt install chromium chromium-driver)",
    ),
    "needs_postgres15": (
        lambda: any(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
        "no system PostgreSQL is installed (apt install postgresql)",
    ),
    "needs_root": (
        lambda: os.geteuid() == 0,
        "only root may mount a small file system, and has privileges to give up",
    ),
    "needs_systemd": (
        lambda: _has("systemd-analyze"),
        "systemd-analyze is not installed",
    ),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out where its programs are missing; under STRICT that is a failure."""
    for marker, (is_here, reason) in NEEDS.items():
        if item.get_closest_marker(marker) is None or is_here():
            continue
        if os.environ.get(STRICT_VARIABLE) == "1":
            pytest.fail(
                f"{reason}, and {STRICT_VARIABLE}=1 lets nothing be left out", pytrace=False
            )
        pytest.skip(reason)
