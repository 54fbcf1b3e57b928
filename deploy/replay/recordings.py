"""Opens recorded files: plain, gzip, zip or tar members, or a folder; hands out lines of text.

Never reads a file whole and never writes anything: archives are read in place.
"""

import fnmatch
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from deploy.errors import SiteUsageError

LINE_LENGTH_MAX = 8_388_608  # a longer "line" is a binary file, not a table
SUFFIXES_OF_NAMES = (".gz", ".csv", ".tsv", ".txt", ".arff", ".dat")


@dataclass(frozen=True, slots=True)
class Member:
    """One table inside a recording: its name there and how to open its bytes."""

    name: str
    open_bytes: Callable[[], IO[bytes]]

    @property
    def stem(self) -> str:
        """The member's name without folders and endings: ``CE`` of ``data/CE.txt.gz``."""
        name = PurePosixPath(self.name).name
        while name.lower().endswith(SUFFIXES_OF_NAMES):
            name = name.rsplit(".", 1)[0]
        return name


@contextmanager
def open_recording(file: Path, patterns: Iterable[str]) -> Generator[list[Member]]:
    """Hand out the members of ``file`` that match any of ``patterns`` (all where none are given).

    Members are in the order of the patterns, then by name with numbers in order of size. A plain
    or gzip file is its own only member and is not matched against the patterns.

    Raises:
        SiteUsageError: if the file cannot be opened or no member matches.
    """
    try:
        if file.is_dir():
            members = [
                Member(str(p.relative_to(file)), _opener(p)) for p in file.rglob("*") if p.is_file()
            ]
            yield _select(file, members, list(patterns))
        elif tarfile.is_tarfile(file):
            with tarfile.open(file) as archive:
                yield _select(file, _tar_members(archive), list(patterns))
        elif zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                yield _select(file, _zip_members(archive), list(patterns))
        else:
            yield [Member(file.name, _opener(file))]
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SiteUsageError(f"{file}: cannot be read: {error}") from error


def read_lines(member: Member, encoding: str) -> Iterator[str]:
    """Yield the lines of ``member`` without their ends.

    Raises:
        SiteUsageError: if the bytes are not text in ``encoding``, or a line has no end.
    """
    with member.open_bytes() as raw:
        text = io.TextIOWrapper(_inflated(raw), encoding=encoding, newline=None)
        number = 0
        try:
            while line := text.readline(LINE_LENGTH_MAX):
                number += 1
                if len(line) >= LINE_LENGTH_MAX:
                    raise SiteUsageError(f"{member.name}: line {number} has no end; is it a table?")
                yield line.rstrip("\r\n")
        except (UnicodeDecodeError, LookupError) as error:
            raise SiteUsageError(f"{member.name}: not {encoding} text: {error}") from error


def _inflated(raw: IO[bytes]) -> IO[bytes]:
    buffered = io.BufferedReader(cast("io.RawIOBase", raw))
    if buffered.peek(2)[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=buffered))
    return cast("IO[bytes]", buffered)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _tar_members(archive: tarfile.TarFile) -> list[Member]:
    def opener(info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
        return lambda: cast("IO[bytes]", archive.extractfile(info))

    return [Member(info.name, opener(info)) for info in archive.getmembers() if info.isfile()]


def _zip_members(archive: zipfile.ZipFile) -> list[Member]:
    def opener(info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
        return lambda: archive.open(info)

    return [Member(info.filename, opener(info)) for info in archive.infolist() if not info.is_dir()]


def _select(file: Path, members: list[Member], patterns: list[str]) -> list[Member]:
    ordered = sorted(members, key=lambda member: _natural(member.name))
    if not patterns:
        chosen = ordered
    else:
        chosen: list[Member] = []
        for pattern in patterns:
            matching = (m for m in ordered if fnmatch.fnmatchcase(m.name, pattern))
            chosen.extend(member for member in matching if member not in chosen)
    if not chosen:
        wanted = ", ".join(patterns) or "any file"
        raise SiteUsageError(f"{file}: no member matches {wanted}; it has {len(members)} files")
    return chosen


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    parts: list[tuple[int, int | str]] = []
    digits = ""
    for character in f"{name}\0":
        if character.isascii() and character.isdigit():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits)))
            digits = ""
        parts.append((1, character))
    return tuple(parts)
