// Ranges, steps, zoom and pan.

import { describe, expect, it } from 'vitest';
import { PRESETS, panned, presetOf, rangeAfter, spanOf, spanText, stepS, zoomed } from '../src/domain/ranges';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

describe('steps', () => {
  it.each([
    [900, 300, 5], // 900 s / 300 = 3 s: the next readable step is 5 s
    [86_400, 300, 300], // 288 s
    [604_800, 300, 3_600], // 2016 s
    [1, 300, 1],
  ])('%i s over at most %i points take %i s', (spanSeconds, points, step) => {
    expect(stepS(spanSeconds * 1000, points)).toBe(step);
  });

  it('grow in whole days beyond the table', () => {
    expect(stepS(20 * 365 * 86_400_000, 100)).toBe(73 * 86_400); // 7300 days / 100
  });
});

describe('zoom', () => {
  it('keeps the point under the pointer where it is', () => {
    const zoomedIn = zoomed({ startMs: 0, endMs: 1000 }, 0.5, 0.25);
    expect(zoomedIn).toEqual({ startMs: 125, endMs: 625 }); // 250 stays at a quarter
  });

  it('stops at a tenth of a second and at twenty years', () => {
    const near = zoomed({ startMs: 0, endMs: 120 }, 0.001, 0.5);
    expect(near.endMs - near.startMs).toBe(100);
    const far = zoomed({ startMs: 0, endMs: 10 * 365 * 24 * HOUR_MS }, 100, 0.5);
    expect(far.endMs - far.startMs).toBe(20 * 365 * 24 * HOUR_MS);
  });
});

describe('pan', () => {
  const span = { startMs: NOW_MS - 2 * HOUR_MS, endMs: NOW_MS - HOUR_MS };

  it('moves by a part of what is shown', () => {
    expect(panned(span, -0.5, NOW_MS).endMs).toBe(NOW_MS - 1.5 * HOUR_MS);
  });

  it('does not move beyond now', () => {
    expect(panned(span, 5, NOW_MS)).toEqual({ startMs: NOW_MS - HOUR_MS, endMs: NOW_MS });
  });
});

describe('a changed range', () => {
  it('stays live while it ends at now', () => {
    expect(rangeAfter({ startMs: NOW_MS - HOUR_MS, endMs: NOW_MS }, NOW_MS, true)).toEqual({
      kind: 'live',
      spanMs: HOUR_MS,
    });
  });

  it('stands still once its end has left now, and does not start to run by itself', () => {
    expect(rangeAfter({ startMs: NOW_MS - 3 * HOUR_MS, endMs: NOW_MS - HOUR_MS }, NOW_MS, true).kind).toBe(
      'fixed',
    );
    expect(rangeAfter({ startMs: NOW_MS - HOUR_MS, endMs: NOW_MS }, NOW_MS, false).kind).toBe('fixed');
  });
});

describe('presets', () => {
  it('are recognised whatever their order', () => {
    for (const preset of PRESETS) expect(presetOf(preset.range)?.name).toBe(preset.name);
    expect(presetOf({ kind: 'live', spanMs: 12_345 })).toBeUndefined();
  });

  it('show all that is stored with a little room', () => {
    const stored = { startMs: NOW_MS - 100 * HOUR_MS, endMs: NOW_MS };
    const span = spanOf({ kind: 'all' }, NOW_MS, stored);
    expect(span).toEqual({ startMs: NOW_MS - 101 * HOUR_MS, endMs: NOW_MS + HOUR_MS });
  });
});

describe('lengths of time', () => {
  it.each([
    [250, '250 ms'],
    [5_000, '5 s'],
    [60_000, '1 min'],
    [90_000, '1.5 min'],
    [900_000, '15 min'],
    [3_600_000, '1 h'],
    [86_400_000, '1 d'],
    [604_800_000, '7 d'],
    [1_234_567, '20.6 min'],
  ])('%i ms read as %s', (spanMs, text) => expect(spanText(spanMs)).toBe(text));
});
