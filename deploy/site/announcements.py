"""What `up` says: to people on stderr with one READY line on stdout, or to programs as JSON."""

import contextlib
import json
import sys
from collections.abc import Mapping
from typing import TextIO

from shared.clock import Clock, iso_utc


class Announcer:
    """Writes progress and results; a terminal that hung up never stops the site."""

    def __init__(self, clock: Clock, *, as_json: bool) -> None:
        self._clock = clock
        self._as_json = as_json

    def progress(self, text: str) -> None:
        """Say what is being done."""
        self._say(f"· {text}", "progress", {"text": text})

    def child(self, name: str, phase: str, detail: str = "") -> None:
        """Say where a child stands; ``detail`` may tell why."""
        shown = f"· {name}: {phase}" + (f" ({detail})" if detail else "")
        self._say(shown, "child", {"name": name, "phase": phase, "detail": detail})

    def log_line(self, name: str, line: str) -> None:
        """Repeat a weighty line of a child's log."""
        self._say(f"  {name} | {line}", "log", {"name": name, "line": line})

    def ready(self, facts: Mapping[str, object]) -> None:
        """Say that everything answers."""
        if self._as_json:
            self._emit("ready", facts)
        else:
            _write(sys.stdout, f"READY {json.dumps(facts)}\n")

    def failure(self, text: str, exit_code: int) -> None:
        """Say why the command ends."""
        if self._as_json:
            self._emit("error", {"message": text, "exit_code": exit_code})
        _write(sys.stderr, f"up: {text}\n")

    def _say(self, text: str, event: str, facts: Mapping[str, object]) -> None:
        if self._as_json:
            self._emit(event, facts)
        else:
            _write(sys.stderr, text + "\n")

    def _emit(self, event: str, facts: Mapping[str, object]) -> None:
        line = {"event": event, "at": iso_utc(self._clock.utc_ms()), **facts}
        _write(sys.stdout, json.dumps(line) + "\n")


def _write(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()
