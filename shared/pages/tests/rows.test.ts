// The list of live values: groups, search, filters, order.

import { describe, expect, it } from 'vitest';
import type { Asset, Kind, Reading } from '../src/domain/assets';
import { listing } from '../src/domain/rows';
import type { Wish } from '../src/domain/rows';

const NOW_MS = 1_000_000;
const AS_USUAL: Wish = {
  search: '',
  sortBy: 'asset',
  descending: false,
  onlyStale: false,
  onlyFlagged: false,
  everything: false,
  closed: new Set(),
};

function reading(value: number | string, ageS = 1, flags: string[] = []): Reading {
  return { value, unit: '', tsMs: NOW_MS - ageS * 1000, flags, intervalMs: 0 };
}

function asset(kind: Kind, id: string, readings: Record<string, Reading>, zone: string | null = null): Asset {
  const place =
    zone === null
      ? null
      : { latDeg: 0, lngDeg: 0, altitudeM: null, accuracyM: null, zone, level: null, flags: [] };
  const key = `kaduna/${kind}/${id}`;
  const plain = { key, site: 'kaduna', kind, id, name: id, status: 'online', connection: 'online' };
  return { ...plain, tsMs: NOW_MS, place, readings: new Map(Object.entries(readings)) };
}

const MINE = [
  asset('vehicle', 'truck-10', { payload_t: reading(90), lat_deg: reading(10) }, 'pit-north'),
  asset('vehicle', 'truck-2', { payload_t: reading(120, 40) }, 'crusher'),
  asset('sensor', 'gas-1', { ch4_pct: reading(0.4), co_ppm: reading(7, 1, ['gap_before']) }),
];

function series(wish: Partial<Wish>): string[] {
  const { rows } = listing(MINE, { ...AS_USUAL, ...wish }, NOW_MS, () => null);
  return rows.map((row) => (row.type === 'reading' ? row.series.replace('kaduna/', '') : `[${row.kind}]`));
}

describe('the list of live values', () => {
  it('groups by kind and orders names as people count', () => {
    expect(series({})).toEqual([
      '[sensor]',
      'sensor/gas-1/ch4_pct',
      'sensor/gas-1/co_ppm',
      '[vehicle]',
      'vehicle/truck-2/payload_t',
      'vehicle/truck-10/payload_t',
    ]);
  });

  it('shows coordinates only when everything is asked for', () => {
    expect(series({ everything: true })).toContain('vehicle/truck-10/lat_deg');
  });

  it('finds by every word, in name, metric or zone', () => {
    expect(series({ search: 'truck north' })).toEqual(['[vehicle]', 'vehicle/truck-10/payload_t']);
    expect(series({ search: 'CH4|payload' })).toHaveLength(5);
    expect(series({ search: 'nothing' })).toEqual([]);
  });

  it('filters what is stale or flagged, both when both are wanted', () => {
    expect(series({ onlyStale: true })).toEqual(['[vehicle]', 'vehicle/truck-2/payload_t']);
    expect(series({ onlyFlagged: true })).toEqual(['[sensor]', 'sensor/gas-1/co_ppm']);
    expect(series({ onlyFlagged: true, onlyStale: true })).toHaveLength(4);
  });

  it('sorts by value and by age within the groups', () => {
    expect(series({ sortBy: 'value', descending: true }).slice(0, 3)).toEqual([
      '[sensor]',
      'sensor/gas-1/co_ppm',
      'sensor/gas-1/ch4_pct',
    ]);
    expect(series({ sortBy: 'age', descending: true }).slice(-2)[0]).toBe('vehicle/truck-2/payload_t');
  });

  it('counts stale and flagged readings whatever is searched for', () => {
    const { counts, matching } = listing(MINE, { ...AS_USUAL, search: 'gas' }, NOW_MS, () => null);
    expect(counts).toEqual({ readings: 4, stale: 1, flagged: 1 });
    expect(matching).toBe(2);
  });

  it('counts a flagged position, and says so where flagged is asked for', () => {
    const [truck] = MINE;
    const lost = { ...truck!, place: { ...truck!.place!, flags: ['out_of_range'] } };
    const { rows, counts } = listing([lost], { ...AS_USUAL, onlyFlagged: true }, NOW_MS, () => null);
    expect(counts.flagged).toBe(1);
    expect(rows[0]).toMatchObject({ type: 'group', flagged: 1 });
    expect(rows[1]).toMatchObject({ type: 'word', text: 'truck-10: position out of range' });
    expect(listing([lost], AS_USUAL, NOW_MS, () => null).rows.map(({ type }) => type)).toEqual([
      'group',
      'reading',
    ]);
  });

  it('keeps a closed group as its heading', () => {
    expect(series({ closed: new Set<Kind>(['sensor']) })[1]).toBe('[vehicle]');
  });

  it('says why a kind is empty', () => {
    const words = (kind: Kind) =>
      kind === 'worker' ? { text: 'for safety officers', weight: 'note' as const } : null;
    const { rows } = listing(MINE, AS_USUAL, NOW_MS, words);
    expect(rows).toContainEqual({
      type: 'word',
      kind: 'worker',
      text: 'for safety officers',
      weight: 'note',
    });
  });
});
