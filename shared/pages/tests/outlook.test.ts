// Which positions the map is fitted to, whatever single receivers say.

import { describe, expect, it } from 'vitest';
import type { Asset } from '../src/domain/assets';
import { isFarWider, isOnEarth, isWithin, outlookOf, reachOf } from '../src/domain/outlook';
import type { Outlook } from '../src/domain/outlook';

const KILOMETRE_DEG = 1 / 111.32;

function asset(id: string, latDeg: number, lngDeg: number, changes: Partial<Asset> = {}): Asset {
  const place = { latDeg, lngDeg, altitudeM: null, accuracyM: null, zone: null, level: null, flags: [] };
  const key = `kaduna/vehicle/${id}`;
  const plain = { key, site: 'kaduna', kind: 'vehicle' as const, id, name: id, status: 'online' };
  return { ...plain, connection: 'online', tsMs: 0, place, readings: new Map(), ...changes };
}

const at = (id: string, eastKm: number, northKm = 0): Asset =>
  asset(id, northKm * KILOMETRE_DEG, 7 + eastKm * KILOMETRE_DEG); // at the equator
const MINE = [at('a', 0), at('b', 0.4), at('c', 0.9), at('d', 0.5, 0.3), at('e', 0.2, 0.7)];
const isOffline = ({ connection }: Asset): boolean => connection === 'offline';
const look = (...more: Asset[]): Outlook => outlookOf([...MINE, ...more], isOffline);
const ids = (assets: readonly Asset[]): string => assets.map(({ id }) => id).join('');

describe('the outlook', () => {
  it('is led by everything that is near', () => {
    expect([ids(look().leading), ids(look().astray)]).toEqual(['abcde', '']);
  });

  it('is not stretched by a fix at 0, 0', () => {
    const { leading, astray } = look(asset('z', 0, 0));
    expect([ids(leading), ids(astray)]).toEqual(['abcde', 'z']);
  });

  it.each([
    ['impossible', asset('z', 100, 200)],
    ['doubted by the server', at('z', 0.1)],
  ])('is not led by a position that is %s', (_, stray) => {
    const flagged = { ...stray, place: { ...stray.place!, flags: ['out_of_range'] } };
    const { leading, astray } = look(flagged);
    expect([ids(leading), ids(astray)]).toEqual(['abcde', 'z']);
  });

  it('is not led by who has been silent for long, unless everybody has', () => {
    const silent = MINE.map((each) => ({ ...each, connection: 'offline' }));
    expect(ids(outlookOf([...silent, at('z', 1)], isOffline).leading)).toBe('z');
    expect(ids(outlookOf(silent, isOffline).leading)).toBe('abcde');
  });

  it('does not call an asset astray for being silent', () => {
    expect(ids(look({ ...at('z', 2), connection: 'offline' }).astray)).toBe('');
  });

  it('is empty where nothing has a position', () => {
    expect(outlookOf([{ ...at('a', 0), place: null }], isOffline)).toEqual({
      reach: null,
      leading: [],
      astray: [],
    });
  });
});

describe('the view', () => {
  const box = (km: number) => ({ south: 0, west: 7, north: km * KILOMETRE_DEG, east: 7 });

  it('is fitted anew when it shows far more than the site, as after a stray one led it', () => {
    expect(isFarWider(box(1_000), box(2))).toBe(true);
    expect(isFarWider(box(20), box(10))).toBe(false);
  });

  it('of a small site stays as it is', () => {
    expect(isFarWider(box(4.9), box(0.1))).toBe(false);
  });
});

describe('the reach', () => {
  const reachKm = (...eastKm: number[]): number =>
    reachOf(eastKm.map((km) => [0, 7 + km * KILOMETRE_DEG]))!.limitM / 1_000;

  it('is 5 km around a small site and grows with a large one', () => {
    expect(reachKm(0, 0.3, 0.6)).toBe(5);
    expect(reachKm(-6, -3, 0, 3, 6)).toBeCloseTo(8 * 3);
  });

  it('of two that disagree is around the one that is not at 0, 0', () => {
    expect(reachOf([[0, 0], [10.5, 7.4]])).toEqual({ centre: [10.5, 7.4], limitM: 5_000 }); // prettier-ignore
    expect(reachOf([[10.5, 7.4], [50, 8]])!.centre).toEqual([10.5, 7.4]); // prettier-ignore
    expect(reachOf([[0, 0]])!.centre).toEqual([0, 0]);
  });

  it('holds every point on earth while the site is unknown, and no other', () => {
    expect([isWithin(null, [50, 8]), isWithin(null, [90.1, 8])]).toEqual([true, false]);
    expect([isOnEarth([-90, 180]), isOnEarth([0, -180.1])]).toEqual([true, false]);
  });
});
