// Points of series made ready to be drawn: gaps, alignment, summaries. Pure.

/** One drawn series. All lists have the length of `times`; null is a gap. */
export interface Line {
  /** Ascending, milliseconds. */
  times: number[];
  values: (number | null)[];
  /** The band around `values`, where each point stands for several samples. */
  low: (number | null)[] | null;
  high: (number | null)[] | null;
}

export type Point = readonly [tsMs: number, value: number];

export const NO_LINE: Line = { times: [], values: [], low: null, high: null };

/** Silence for this many usual distances is a gap: two lost samples in a row are not hidden. */
const GAP_DISTANCES = 2.5;

/** The silence in milliseconds beyond which the line is broken; Infinity for fewer than 3 points. */
export function gapAfterMs(times: readonly number[], stepMs: number): number {
  if (times.length < 3) return stepMs > 0 ? GAP_DISTANCES * stepMs : Infinity;
  const distances: number[] = [];
  for (let at = 1; at < times.length; at += 1) distances.push(times[at]! - times[at - 1]!);
  distances.sort((a, b) => a - b);
  const usual = distances[Math.floor(distances.length / 2)]!;
  return GAP_DISTANCES * Math.max(usual, stepMs);
}

/** A line through raw samples. */
export function rawLine(points: readonly Point[]): Line {
  return broken(
    { times: points.map(([tsMs]) => tsMs), values: points.map(([, value]) => value), low: null, high: null },
    0,
  );
}

/**
 * A line through steps of `stepMs`. Each point stands in the middle of its step. `low` and `high`
 * are matched by time; a step missing in one of them (it was written to between the questions)
 * takes the mean.
 */
export function steppedLine(
  mean: readonly Point[],
  low: readonly Point[],
  high: readonly Point[],
  stepMs: number,
): Line {
  const lows = new Map(low);
  const highs = new Map(high);
  const line: Line = { times: [], values: [], low: [], high: [] };
  for (const [tsMs, value] of mean) {
    line.times.push(tsMs + stepMs / 2);
    line.values.push(value);
    line.low!.push(lows.get(tsMs) ?? value);
    line.high!.push(highs.get(tsMs) ?? value);
  }
  return broken(line, stepMs);
}

/** `line` with a null in the middle of every gap. */
function broken(line: Line, stepMs: number): Line {
  const limitMs = gapAfterMs(line.times, stepMs);
  const out: Line = { times: [], values: [], low: line.low && [], high: line.high && [] };
  line.times.forEach((tsMs, at) => {
    const before = line.times[at - 1];
    if (before !== undefined && tsMs - before > limitMs) push(out, (before + tsMs) / 2, null, null, null);
    push(out, tsMs, line.values[at]!, line.low?.[at] ?? null, line.high?.[at] ?? null);
  });
  return out;
}

function push(line: Line, tsMs: number, value: number | null, low: number | null, high: number | null): void {
  line.times.push(tsMs);
  line.values.push(value);
  line.low?.push(low);
  line.high?.push(high);
}

/** What a column of aligned lines holds: undefined where only another line has a point. */
export type Column = (number | null | undefined)[];

/**
 * Brings lines onto one list of times, as the chart wants them: times first, then for each line
 * its values, lows and highs.
 */
export function aligned(lines: readonly Line[]): [times: number[], ...columns: Column[]] {
  const times = [...new Set(lines.flatMap((line) => line.times))].sort((a, b) => a - b);
  const at = new Map(times.map((tsMs, index) => [tsMs, index]));
  const columns: Column[] = [];
  for (const line of lines) {
    for (const values of [line.values, line.low, line.high]) {
      const column: Column = new Array<undefined>(times.length).fill(undefined);
      values?.forEach((value, index) => (column[at.get(line.times[index]!)!] = value));
      widenGaps(column);
      columns.push(column);
    }
  }
  return [times, ...columns];
}

/** Other lines' times within a gap belong to it: without this the gap would shrink to its middle. */
function widenGaps(column: Column): void {
  for (let at = 0; at < column.length; at += 1) {
    if (column[at] !== null) continue;
    for (let back = at - 1; back >= 0 && column[back] === undefined; back -= 1) column[back] = null;
    while (at + 1 < column.length && column[at + 1] === undefined) {
      at += 1;
      column[at] = null;
    }
  }
}

/** Indices of points with a gap on both sides: as a line they would be invisible. */
export function isolated(column: Column): number[] {
  const found: number[] = [];
  const present = column.flatMap((value, index) => (value === undefined ? [] : [index]));
  present.forEach((index, order) => {
    const before = column[present[order - 1] ?? -1] ?? null;
    const after = column[present[order + 1] ?? -1] ?? null;
    if (column[index] !== null && before === null && after === null) found.push(index);
  });
  return found;
}

/** `line` up to `fromMs` continued with `tail`; of points at one time the tail's win. */
export function continued<T>(
  line: readonly (readonly [tsMs: number, value: T])[],
  tail: readonly (readonly [tsMs: number, value: T])[],
  fromMs: number,
): (readonly [tsMs: number, value: T])[] {
  return [...line.filter(([tsMs]) => tsMs < fromMs), ...tail.filter(([tsMs]) => tsMs >= fromMs)];
}

export interface Summary {
  points: number;
  low: number;
  high: number;
  mean: number;
  last: number;
}

/** What of `line` lies within [startMs, endMs], or null when nothing does. */
export function summary(line: Line, startMs: number, endMs: number): Summary | null {
  let points = 0;
  let sum = 0;
  let low = Infinity;
  let high = -Infinity;
  let last = Number.NaN;
  line.times.forEach((tsMs, at) => {
    const value = line.values[at];
    if (value === null || value === undefined || tsMs < startMs || tsMs > endMs) return;
    points += 1;
    sum += value;
    last = value;
    low = Math.min(low, line.low?.[at] ?? value);
    high = Math.max(high, line.high?.[at] ?? value);
  });
  return points === 0 ? null : { points, low, high, mean: sum / points, last };
}

/** Index of the point of `line` nearest to `tsMs` that is no gap, or -1. */
export function nearest(line: Line, tsMs: number): number {
  let best = -1;
  let distance = Infinity;
  line.times.forEach((each, at) => {
    if (line.values[at] === null || Math.abs(each - tsMs) >= distance) return;
    best = at;
    distance = Math.abs(each - tsMs);
  });
  return best;
}
