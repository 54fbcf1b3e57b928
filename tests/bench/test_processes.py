"""Processes of a site are told apart by their command lines."""

import os

import pytest

from bench.processes import ProcessWatch, role_of


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("/venv/bin/python -m edge run --config /state/edge/config.toml", "edge"),
        ("/venv/bin/headframe-edge run --config x.toml", "edge"),
        ("/venv/bin/python -m central run --config /state/central/config.toml", "central"),
        ("/venv/bin/python -m central worker --config x.toml", "central worker"),
        ("/lib/nats_server/nats-server -c /state/nats/server.conf", "broker"),
        ("/usr/sbin/mosquitto -c /etc/mosquitto.conf", "broker"),
        ("/lib/bin/postgres -D /state/postgres", "postgresql"),
        ("postgres: walwriter", "postgresql"),
        ("/venv/bin/python -m bench.load plan.json", "publisher"),
        ("/usr/lib/chromium/chromium --type=renderer --lang=en", "browser"),
        ("/opt/google/chrome/chrome --headless about:blank", "browser"),
        ("/venv/bin/python -c x up --no-sim --state /tmp/state", "supervisor"),
    ],
)
def test_role_follows_from_the_command_line(command: str, role: str) -> None:
    assert role_of(command.split(" ")) == role


def test_a_watched_process_has_memory_and_never_negative_time() -> None:
    watch = ProcessWatch([os.getpid()])
    watch.look()
    watch.look()
    usages = watch.usage().values()  # of this process, and of what earlier tests left below it
    assert max(usage.rss_max_bytes for usage in usages) > 1_000_000
    assert min(usage.cpu_s for usage in usages) >= 0.0


def test_a_process_that_does_not_exist_is_no_mistake() -> None:
    watch = ProcessWatch([2**22 + 1])  # beyond the kernel's largest process number
    watch.look()
    assert watch.usage() == {}
