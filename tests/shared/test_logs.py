"""Logging never ends what is logged."""

import subprocess
import sys
from io import StringIO

from shared.logs import LossyStream

PROGRAM = """
from shared.logs import configure_logs, get_log
configure_logs(as_json=True)
for number in range(3):
    get_log("edge").warning("full", number=number)
print("alive")
"""


class FullDisk(StringIO):
    """Takes nothing while ``full``."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_full_disk_under_the_log_does_not_end_the_program() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 a device, not a file
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stderr=full, stdout=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stdout) == (0, b"alive\n")


def test_what_was_lost_is_told_once_there_is_room() -> None:
    disk = FullDisk()
    stream = LossyStream(disk)
    stream.write("one\n")
    stream.write("two\n")
    disk.full = False
    stream.write("three\n")
    stream.write("four\n")
    assert disk.getvalue() == "2 log lines could not be written\nthree\nfour\n"


def test_a_closed_stream_is_no_reason_to_stop() -> None:
    disk = StringIO()
    disk.close()
    LossyStream(disk).write("one\n")
