"""The units say what systemd understands, and give each process no more than it needs."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
EXPOSURE_MAX = 1.5

pytestmark = pytest.mark.needs_systemd


def installed(folder: Path) -> Path:
    """Copy the units with a program and an account that exist here, as `verify` looks both up."""
    for unit in UNITS.iterdir():
        text = unit.read_text(encoding="utf-8")
        text = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text)
        text = re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE)
        (folder / unit.name).write_text(text, encoding="utf-8")
    return folder


def exposure(unit: Path) -> float:
    report = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report.stdout)
    assert found, report.stdout + report.stderr
    return float(found.group(1))


def test_there_is_a_unit_for_each_process() -> None:
    assert SERVICES == [
        "headframe-central-worker.service",
        "headframe-central.service",
        "headframe-edge.service",
    ]


@pytest.mark.parametrize("name", [*SERVICES, "headframe.target"])
def test_systemd_finds_nothing_to_complain_about(name: str, tmp_path: Path) -> None:
    report = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed(tmp_path) / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in report.stderr.splitlines() if "headframe" in line]
    assert (report.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", SERVICES)
def test_exposure_is_low(name: str) -> None:
    assert exposure(UNITS / name) <= EXPOSURE_MAX


def test_an_open_unit_is_found_out(tmp_path: Path) -> None:
    unit = tmp_path / "open.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    assert exposure(unit) > EXPOSURE_MAX


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_comes_back(name: str) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] -- keys keep their case
    parser.read(UNITS / name)
    service = parser["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "always"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["User"] != "root"
    assert "StateDirectory" in service


def test_a_worker_is_handed_the_database_password_only() -> None:
    text = (UNITS / "headframe-central-worker.service").read_text(encoding="utf-8")
    assert re.findall(r"^LoadCredential=([^:]+):", text, re.MULTILINE) == ["database-password"]
    assert "HEADFRAME_DATABASE__PASSWORD_FILE=%d/database-password" in text


def test_accounts_of_the_units_are_made_by_sysusers() -> None:
    accounts = (UNITS / "headframe.sysusers.conf").read_text(encoding="utf-8")
    for name in SERVICES:
        user = re.search(r"^User=(\S+)$", (UNITS / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert user
        assert re.search(rf"^u {user.group(1)}\s", accounts, re.MULTILINE)


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("systemd-sysusers", "headframe.sysusers.conf"),
        ("systemd-tmpfiles", "headframe.tmpfiles.conf"),
    ],
)
def test_accounts_and_folders_are_understood(tool: str, name: str, tmp_path: Path) -> None:
    assert shutil.which(tool), f"{tool} comes with systemd"
    (tmp_path / "etc").mkdir()
    action = [] if tool == "systemd-sysusers" else ["--create"]
    report = subprocess.run(
        [tool, *action, f"--root={tmp_path}", str(UNITS / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    # Only root may give the folders it makes away; everything else is as it will be.
    lines = report.stderr.splitlines()
    only_ownership = bool(lines) and all("Operation not permitted" in line for line in lines)
    without_root = os.geteuid() != 0 and only_ownership
    assert report.returncode == 0 or without_root, report.stderr
