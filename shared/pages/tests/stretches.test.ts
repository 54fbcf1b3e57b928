// Words over time.

import { describe, expect, it } from 'vitest';
import { shares, stretches, wordAt } from '../src/domain/stretches';

const MINUTE_MS = 60_000;

describe('stretches', () => {
  it('hold until the next sample, and equal words run on', () => {
    const found = stretches(
      [
        [0, 'running'],
        [10, 'running'],
        [20, 'idle'],
      ],
      30,
    );
    expect(found).toEqual([
      { startMs: 0, endMs: 20, word: 'running' },
      { startMs: 20, endMs: 30, word: 'idle' },
    ]);
  });

  it('do not make a device that fell silent seem to go on', () => {
    expect(stretches([[0, 'running']], 60 * MINUTE_MS)).toEqual([
      { startMs: 0, endMs: 15 * MINUTE_MS, word: 'running' },
    ]);
  });

  it('of a clock that runs ahead are empty rather than backwards', () => {
    expect(stretches([[50, 'running']], 30)).toEqual([{ startMs: 50, endMs: 50, word: 'running' }]);
  });

  it('tell the word at a time', () => {
    const found = stretches(
      [
        [0, 'running'],
        [20, 'idle'],
      ],
      30,
    );
    expect([wordAt(found, 5), wordAt(found, 25), wordAt(found, 31), wordAt([], 1)]).toEqual([
      'running',
      'idle',
      null,
      null,
    ]);
  });

  it('tell how much of the shown time each word had', () => {
    const found = stretches(
      [
        [0, 'running'],
        [60, 'idle'],
        [80, 'running'],
      ],
      100,
    );
    expect(shares(found, 0, 100)).toEqual([
      ['running', 0.8],
      ['idle', 0.2],
    ]);
    expect(shares(found, 50, 70)).toEqual([
      ['running', 0.5],
      ['idle', 0.5],
    ]);
    expect(shares(found, 200, 300)).toEqual([]);
  });
});
