// The shown points as a table: for readers of numbers and for screen readers.

import { momentText, exactText, zoneText } from '../domain/times';
import { numberText } from '../domain/quantities';
import type { Span } from '../domain/ranges';
import type { Track } from '../state/chart';

type Cell = number | string | null;

const ROWS_MAX = 500; // beyond that the export is the right tool

export function PointTable({ tracks, span, zone }: { tracks: readonly Track[]; span: Span; zone: string }) {
  const rows = rowsOf(tracks, span);
  return (
    <div class="point-table" id="chart" tabIndex={0} role="region" aria-label="Points of the chart">
      <table>
        <thead>
          <tr>
            <th scope="col">Time ({zoneText(span.endMs, zone)})</th>
            {tracks.map(({ series, unit }) => (
              <th key={series} scope="col" class="number">
                {series.split('/').slice(2).join(' ')} {unit && `(${unit})`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map(([tsMs, values]) => (
            <tr key={tsMs}>
              <th scope="row">
                {tracks.some(({ grain }) => grain.kind === 'samples')
                  ? exactText(tsMs, zone)
                  : momentText(tsMs, zone)}
              </th>
              {values.map((value, at) => (
                <td key={at} class="number">
                  {typeof value === 'number' ? numberText(value) : value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS_MAX && (
        <p class="muted">
          The newest {ROWS_MAX} of {numberText(rows.length)} times. Save the range as CSV for all of them.
        </p>
      )}
    </div>
  );
}

/** Newest first; one value per track, null where it has none at that time. */
function rowsOf(tracks: readonly Track[], span: Span): [tsMs: number, values: Cell[]][] {
  const rows = new Map<number, Cell[]>();
  const put = (tsMs: number, index: number, value: Cell): void => {
    if (value === null || tsMs < span.startMs || tsMs > span.endMs) return;
    const row = rows.get(tsMs) ?? tracks.map(() => null);
    row[index] = value;
    rows.set(tsMs, row);
  };
  tracks.forEach(({ line, stretches }, index) => {
    line.times.forEach((tsMs, at) => put(tsMs, index, line.values[at] ?? null));
    stretches?.forEach(({ startMs, word }) => put(startMs, index, word));
  });
  return [...rows].sort(([a], [b]) => b - a);
}
