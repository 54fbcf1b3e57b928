"""The folder of the segments: which there are, whose they are, what an interruption left there."""

import contextlib

from edge.errors import LogDamagedError
from edge.log.database import open_reader
from edge.log.layout import (
    SALVAGE_PREFIX,
    UNFINISHED_PREFIX,
    Layout,
    SegmentName,
    disk_errors,
    exists,
    remove_database,
    rename_durably,
)
from edge.log.segments import read_header


def segment_names(layout: Layout, lane: int | None = None) -> list[SegmentName]:
    """Return the names of all segments (of one lane), ascending."""
    with disk_errors(layout.segments_dir):
        names = [SegmentName.parse(path.name) for path in layout.segments_dir.iterdir()]
    return sorted(
        (name for name in names if name is not None and lane in (None, name.lane)),
        key=lambda name: (name.lane, name.first_seq),
    )


def tidy_segments(layout: Layout) -> None:
    """Finish or undo what an interruption left half done. Run before anything opens a segment."""
    with disk_errors(layout.segments_dir):
        paths = sorted(layout.segments_dir.iterdir())
    for path in paths:
        if path.name.startswith(UNFINISHED_PREFIX):
            remove_database(path)
        elif path.name.startswith(SALVAGE_PREFIX) and path.suffix == ".db":
            original = path.with_name(path.name.removeprefix(SALVAGE_PREFIX))
            if exists(original):
                remove_database(path)
            else:
                rename_durably(path, original)


def known_install_uuid(layout: Layout) -> str | None:
    """Return who the newest readable segment says it belongs to, or None."""
    for name in reversed(segment_names(layout)):
        with (
            contextlib.suppress(LogDamagedError),
            open_reader(layout.segment_file(name)) as database,
        ):
            return read_header(database).install_uuid
    return None
