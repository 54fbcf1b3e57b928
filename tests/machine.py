"""Installs by apt what tests need, where root and Debian; elsewhere says what is absent.

Standard library only: it runs before any test. Which tests need what stands in conftest.py.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
# Program -> Debian's package; tests with the marker in conftest.py need them.
PACKAGES = {
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "ip": "iproute2",
    "tc": "iproute2",
    "pg_createcluster": "postgresql",
}
START_POLICY = Path("/usr/sbin/policy-rc.d")


def main() -> int:
    """Install what is missing; return 0 even where that is not possible, as tests tell then."""
    absent = missing_packages()
    if not absent:
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(absent)}", flush=True)
        install(absent)
        absent = missing_packages()
    if absent:
        print(f"not installed, so the tests that need them are left out: {' '.join(absent)}")
    return 0


def missing_packages() -> list[str]:
    """Return the packages whose programs are not here, sorted."""
    return sorted(
        {
            package
            for program, package in PACKAGES.items()
            if shutil.which(program, path=SEARCHED) is None
        }
    )


def install(packages: list[str]) -> None:
    """Install ``packages`` by apt, without starting any service; tests start their own."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-y", "--no-install-recommends"]
    with services_held():
        for command in (["update", "-q"], ["install", *options, *packages]):
            done = subprocess.run(
                ["apt-get", *command], env=environment, stdin=subprocess.DEVNULL, check=False
            )
            if done.returncode != 0:
                print(f"apt-get {command[0]} failed ({done.returncode})", file=sys.stderr)


@contextmanager
def services_held() -> Generator[None]:
    """Keep packages from starting their services: a broker on port 1883 would be in the way."""
    if START_POLICY.exists():
        yield
        return
    START_POLICY.write_text("#!/bin/sh\nexit 101\n")
    START_POLICY.chmod(0o755)
    try:
        yield
    finally:
        START_POLICY.unlink()


if __name__ == "__main__":
    sys.exit(main())
