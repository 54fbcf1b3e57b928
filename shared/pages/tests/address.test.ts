// What is shown, in the address: sent to a colleague it shows the same.

import { describe, expect, it } from 'vitest';
import { HOME, readAddress, writeAddress } from '../src/domain/address';
import type { Address } from '../src/domain/address';

const SHOWN: Address = {
  view: 'trends',
  site: 'kaduna',
  series: ['kaduna/sensor/gas-n1/ch4_pct', 'kaduna/equipment/pump-1/flow_l_min'],
  range: { kind: 'fixed', startMs: Date.UTC(2026, 10, 23, 12), endMs: Date.UTC(2026, 10, 23, 13) },
  search: 'gas & methane',
  selected: 'kaduna/vehicle/truck-01',
  level: 'level-320',
};

describe('the address', () => {
  it('of the usual view is empty', () => {
    expect(writeAddress(HOME)).toBe('');
    expect(readAddress('')).toEqual(HOME);
  });

  it('brings back all that was shown', () => {
    expect(readAddress(`#${writeAddress(SHOWN)}`)).toEqual(SHOWN);
  });

  it.each([
    { kind: 'all' as const },
    { kind: 'live' as const, spanMs: 86_400_000 },
    { kind: 'live' as const, spanMs: 1_234_567 },
  ])('brings back the range %o', (range) => {
    expect(readAddress(`#${writeAddress({ ...HOME, range })}`).range).toEqual(range);
  });

  it.each([
    ['#view=admin', 'view'],
    ['#series=../../etc,<script>', 'series'],
    ['#start=2026-11-23T12:00:00Z&end=2026-11-23T11:00:00Z', 'range'],
    ['#span=-5', 'range'],
    ['#asset=javascript:alert(1)', 'selected'],
    ['#site=../x', 'site'],
  ] as const)('is not led astray by %s', (hash, field) => {
    expect(readAddress(hash)[field]).toEqual(HOME[field]);
  });

  it('charts at most four series, each once', () => {
    const names = ['a', 'b', 'a', 'c', 'd', 'e'].map((id) => `kaduna/sensor/${id}/ch4_pct`);
    expect(readAddress(`#series=${names.join(',')}`).series.map((name) => name.split('/')[2])).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });
});
