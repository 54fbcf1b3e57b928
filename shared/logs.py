"""Log output: one line per event on stderr, key=value for people or JSON for machines."""

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor


class LossyStream:
    """Writes lines to ``stream`` as long as it takes them; says afterwards how many were lost.

    What is logged must go on when its log cannot: a full disk, a pipe whose reader has gone.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0

    def write(self, text: str) -> int:
        """Write ``text``, or count it as lost."""
        try:
            if self._lost:
                self._stream.write(f"{self._lost} log lines could not be written\n")
            self._stream.write(text)
            self._stream.flush()
            self._lost = 0
        except (OSError, ValueError):  # ValueError: it is closed
            self._lost += text.count("\n")
        return len(text)

    def flush(self) -> None:
        """Do nothing: every line is written at once."""


def configure_logs(*, as_json: bool, level: str = "info") -> None:
    """Set up structlog for the whole process; call it once, first thing in ``main``.

    ``level`` is one of debug, info, warning, error, critical.

    Raises:
        ValueError: if ``level`` is none of these.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise ValueError(
            f"log level must be debug, info, warning, error or critical, got {level!r}"
        )
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(levels[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", LossyStream(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def get_log(name: str) -> FilteringBoundLogger:
    """Return a logger whose lines carry ``part=name``."""
    log: FilteringBoundLogger = structlog.get_logger(part=name)
    return log
