// Points made ready to be drawn: gaps stay gaps.

import { describe, expect, it } from 'vitest';
import {
  aligned,
  continued,
  gapAfterMs,
  isolated,
  nearest,
  rawLine,
  steppedLine,
  summary,
} from '../src/domain/lines';
import type { Line, Point } from '../src/domain/lines';

const everySecond = (seconds: number[]): Point[] => seconds.map((second) => [second * 1000, second]);

describe('raw samples', () => {
  it('are broken where samples are missing', () => {
    const line = rawLine(everySecond([0, 1, 2, 3, 9, 10]));
    expect(line.times).toEqual([0, 1000, 2000, 3000, 6000, 9000, 10000]);
    expect(line.values).toEqual([0, 1, 2, 3, null, 9, 10]);
  });

  it('are not broken by one sample that comes late', () => {
    expect(rawLine(everySecond([0, 1, 2, 4, 5])).values).not.toContain(null); // 2 s < 2.5 · 1 s
  });

  it('are joined while too few to know their rhythm', () => {
    expect(gapAfterMs([0, 3_600_000], 0)).toBe(Infinity);
  });
});

describe('steps', () => {
  it('stand in the middle of their step, with their band', () => {
    const line = steppedLine(
      [
        [0, 5],
        [10_000, 6],
      ],
      [
        [0, 4],
        [10_000, 5],
      ],
      [
        [0, 7],
        [10_000, 9],
      ],
      10_000,
    );
    expect(line).toEqual({ times: [5_000, 15_000], values: [5, 6], low: [4, 5], high: [7, 9] });
  });

  it('take the mean where a step is missing from the band', () => {
    const line = steppedLine([[0, 5]], [], [[0, 7]], 10_000);
    expect([line.low, line.high]).toEqual([[5], [7]]);
  });

  it('show a step without samples as a gap, also in the band', () => {
    const mean: Point[] = [
      [0, 1],
      [10_000, 1],
      [20_000, 1],
      [60_000, 1],
    ];
    const line = steppedLine(mean, mean, mean, 10_000);
    expect([line.values[3], line.low![3], line.high![3]]).toEqual([null, null, null]);
  });

  it('finer than the sensor samples are joined nevertheless', () => {
    const mean: Point[] = [
      [0, 1],
      [60_000, 2],
      [120_000, 3],
      [180_000, 4],
    ];
    expect(steppedLine(mean, mean, mean, 5_000).values).not.toContain(null);
  });
});

describe('alignment', () => {
  const a: Line = { times: [1, 3], values: [10, 30], low: null, high: null };
  const b: Line = { times: [2, 3], values: [2, 3], low: [1, 2], high: [4, 5] };

  it('brings every line onto the same times', () => {
    const [times, valuesA, , , valuesB, lowB, highB] = aligned([a, b]);
    expect(times).toEqual([1, 2, 3]);
    expect([valuesA, valuesB]).toEqual([
      [10, undefined, 30],
      [undefined, 2, 3],
    ]);
    expect([lowB, highB]).toEqual([
      [undefined, 1, 2],
      [undefined, 4, 5],
    ]);
  });

  it('keeps a gap as wide as it is among the times of other lines', () => {
    const gappy: Line = { times: [0, 5, 10], values: [1, null, 2], low: null, high: null };
    const dense: Line = { times: [0, 2, 4, 6, 8, 10], values: [1, 1, 1, 1, 1, 1], low: null, high: null };
    const [times, values] = aligned([gappy, dense]);
    expect(times).toEqual([0, 2, 4, 5, 6, 8, 10]);
    expect(values).toEqual([1, null, null, null, null, null, 2]);
  });

  it('finds points that have a gap on both sides', () => {
    expect(isolated([1, null, 5, null, 2, 3])).toEqual([0, 2]);
    expect(isolated([undefined, 1, undefined, 2])).toEqual([]);
  });
});

describe('a live tail', () => {
  it('replaces the newest stretch and keeps the rest', () => {
    const line: Point[] = [
      [0, 1],
      [10, 1],
      [20, 1],
    ];
    expect(
      continued(
        line,
        [
          [10, 9],
          [20, 9],
          [30, 9],
        ],
        10,
      ),
    ).toEqual([
      [0, 1],
      [10, 9],
      [20, 9],
      [30, 9],
    ]);
  });
});

describe('a summary', () => {
  it('covers what is within the range, bands included', () => {
    const line: Line = {
      times: [0, 1, 2, 3],
      values: [1, 2, null, 6],
      low: [0, 1, null, 5],
      high: [3, 3, null, 9],
    };
    expect(summary(line, 1, 3)).toEqual({ points: 2, low: 1, high: 9, mean: 4, last: 6 });
  });

  it('of nothing is nothing', () => {
    expect(summary(rawLine([]), 0, 1)).toBeNull();
  });

  it('finds the point nearest to the cursor, never a gap', () => {
    const line: Line = { times: [0, 5, 10], values: [1, null, 2], low: null, high: null };
    expect([nearest(line, 4), nearest(line, 6)]).toEqual([0, 2]);
  });
});
