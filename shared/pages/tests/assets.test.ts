// Merging what sockets and REST tell of the same assets.

import { describe, expect, it } from 'vitest';
import { mergeAsset } from '../src/domain/assets';
import type { Asset, Reading } from '../src/domain/assets';

function reading(value: number, tsMs: number): Reading {
  return { value, unit: '%', tsMs, flags: [], intervalMs: 0 };
}

function asset(tsMs: number, readings: Record<string, Reading>, changes: Partial<Asset> = {}): Asset {
  const key = 'kaduna/sensor/gas-1';
  const plain = { key, site: 'kaduna', kind: 'sensor' as const, id: 'gas-1', name: 'gas-1' };
  return {
    ...plain,
    status: 'online',
    connection: 'online',
    tsMs,
    place: null,
    readings: new Map(Object.entries(readings)),
    ...changes,
  };
}

const HERE = {
  latDeg: 10.5,
  lngDeg: 7.4,
  altitudeM: null,
  accuracyM: null,
  zone: 'pit',
  level: 'surface',
  flags: [],
};

describe('merging assets', () => {
  it('takes a newer reading and keeps the others', () => {
    const known = new Map<string, Asset>();
    mergeAsset(known, asset(1_000, { ch4_pct: reading(0.4, 1_000), co_ppm: reading(5, 1_000) }));
    mergeAsset(known, asset(2_000, { ch4_pct: reading(0.5, 2_000) }));
    const readings = known.get('kaduna/sensor/gas-1')!.readings;
    expect([readings.get('ch4_pct')!.value, readings.get('co_ppm')!.value]).toEqual([0.5, 5]);
  });

  it('never lets an older answer replace a newer frame', () => {
    const known = new Map<string, Asset>();
    mergeAsset(known, asset(2_000, { ch4_pct: reading(0.5, 2_000) }, { status: 'fault' }));
    const merged = mergeAsset(known, asset(1_000, { ch4_pct: reading(0.4, 1_000) }, { status: 'online' }));
    expect(merged.changed).toBe(false);
    expect(known.get('kaduna/sensor/gas-1')).toMatchObject({ status: 'fault', tsMs: 2_000 });
    expect(known.get('kaduna/sensor/gas-1')!.readings.get('ch4_pct')!.value).toBe(0.5);
  });

  it('tells new assets and new metrics, which make lists longer', () => {
    const known = new Map<string, Asset>();
    expect(mergeAsset(known, asset(1, { a_c: reading(1, 1) }))).toMatchObject({ isNew: true, newMetrics: 1 });
    expect(mergeAsset(known, asset(2, { b_c: reading(1, 2) }))).toMatchObject({
      isNew: false,
      newMetrics: 1,
    });
  });

  it('learns how often a series usually comes', () => {
    const known = new Map<string, Asset>();
    for (const second of [0, 60, 120, 180]) {
      mergeAsset(known, asset(second * 1000, { ch4_pct: reading(0.4, second * 1000) }));
    }
    expect(known.get('kaduna/sensor/gas-1')!.readings.get('ch4_pct')!.intervalMs).toBe(60_000);
  });

  it('takes what becomes known against a position, also of an asset that stands', () => {
    const known = new Map<string, Asset>();
    mergeAsset(known, asset(1, {}, { place: HERE }));
    const merged = mergeAsset(known, asset(2, {}, { place: { ...HERE, flags: ['late'] } }));
    expect(merged).toMatchObject({ moved: false, changed: true });
    expect(known.get('kaduna/sensor/gas-1')!.place!.flags).toEqual(['late']);
  });

  it('keeps zone and level when a position does not name them', () => {
    const known = new Map<string, Asset>();
    mergeAsset(known, asset(1, {}, { place: HERE }));
    const merged = mergeAsset(
      known,
      asset(2, {}, { place: { ...HERE, lngDeg: 7.5, zone: null, level: null } }),
    );
    expect(merged.moved).toBe(true);
    expect(known.get('kaduna/sensor/gas-1')!.place).toMatchObject({
      lngDeg: 7.5,
      zone: 'pit',
      level: 'surface',
    });
  });
});
