"""Lines of text to rows of named cells. Pure; nothing here knows what a column means."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.errors import SiteUsageError
from deploy.replay.mapping import FileMapping

COLUMNS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it stands and its cells by column name."""

    member: str
    line: int
    cells: Mapping[str, str]


def read_table(lines: Iterable[str], member: str, stem: str, mapping: FileMapping) -> Iterator[Row]:
    """Yield the rows of one member.

    A line with fewer cells than columns gives a row without the last ones; one with more is cut
    at the last column. Empty lines are passed over.

    Raises:
        SiteUsageError: if the columns cannot be told (no header, no ``columns``, no ``@data``).
    """
    numbered = _content(lines, mapping)
    if mapping.format == "arff":
        columns = _arff_columns(numbered, member)
    elif mapping.layout == "cycles":
        yield from _cycle_rows(numbered, member, stem, mapping)
        return
    elif mapping.columns:
        columns = list(mapping.columns)
        if mapping.header:
            next(numbered, None)
    elif mapping.header:
        _, header = next(numbered, (0, ""))
        columns = [cell.strip() for cell in _split(header, mapping)]
    else:
        raise SiteUsageError(f"{member}: file.columns must name the columns where header = false")
    if not any(columns) or len(columns) > COLUMNS_MAX:
        raise SiteUsageError(f"{member}: expected 1 to {COLUMNS_MAX} columns, got {len(columns)}")
    for number, line in numbered:
        yield Row(member, number, dict(zip(columns, _split(line, mapping), strict=False)))


def side_by_side(tables: Sequence[Iterator[Row]]) -> Iterator[Row]:
    """Yield one row per step of all ``tables``, with the cells of each; ends with the longest."""
    waiting = list(tables)
    while True:
        rows = [next(table, None) for table in waiting]
        present = [row for row in rows if row is not None]
        if not present:
            return
        cells: dict[str, str] = {}
        for row in present:
            cells.update(row.cells)
        yield Row(present[0].member, present[0].line, cells)


def _content(lines: Iterable[str], mapping: FileMapping) -> Iterator[tuple[int, str]]:
    comment = "%" if mapping.format == "arff" else mapping.comment
    for number, line in enumerate(lines, start=1):
        if number <= mapping.skip_lines or not line.strip():
            continue
        if comment and line.lstrip().startswith(comment):
            continue
        yield number, line.removeprefix("\ufeff")


def _split(line: str, mapping: FileMapping) -> list[str]:
    if mapping.format == "whitespace":
        return line.split()
    delimiter = "," if mapping.format == "arff" else mapping.delimiter
    if mapping.quote not in line and not (mapping.format == "arff" and "'" in line):
        return line.split(delimiter)
    quote = "'" if mapping.format == "arff" and "'" in line else mapping.quote
    return next(csv.reader([line], delimiter=delimiter, quotechar=quote, skipinitialspace=True))


def _arff_columns(numbered: Iterator[tuple[int, str]], member: str) -> list[str]:
    columns: list[str] = []
    for _, line in numbered:
        word, _, rest = line.strip().partition(" ")
        if not rest:
            word, _, rest = line.strip().partition("\t")
        keyword = word.lower()
        if keyword == "@data":
            return columns
        if keyword == "@attribute":
            columns.append(_arff_name(rest.strip()))
    raise SiteUsageError(f"{member}: no @data section: is it an ARFF file?")


def _arff_name(declaration: str) -> str:
    if declaration[:1] in "'\"":
        quote = declaration[0]
        return declaration[1:].split(quote, 1)[0]
    return declaration.split(None, 1)[0]


def _cycle_rows(
    numbered: Iterator[tuple[int, str]], member: str, stem: str, mapping: FileMapping
) -> Iterator[Row]:
    for number, line in numbered:
        for cell in _split(line, mapping):
            yield Row(member, number, {stem: cell})
