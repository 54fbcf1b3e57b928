// The border to the API: what it sends, and what a newer or broken one may send.

import { describe, expect, it } from 'vitest';
import {
  ShapeError,
  items,
  parseAsset,
  parseSyncStatus,
  parseTelemetry,
  serverTimeOf,
} from '../src/api/shapes';
import { accountOf } from '../src/api/session';
import { refusedOf } from '../src/domain/refusals';

const SENSOR = {
  id: 'gas-1',
  site: 'kaduna',
  kind: 'sensor',
  name: 'gas-1',
  status: 'online',
  connection: 'online',
  ts: '2026-11-23T13:00:00.000Z',
  age_s: 2,
  location: null,
  metrics: {
    ch4_pct: { value: 0.42, unit: '%', ts: '2026-11-23T13:00:00.000Z', quality: 'late+gap_before' },
    broken: { value: null, unit: '', ts: '2026-11-23T13:00:00.000Z', quality: 'good' },
  },
};

describe('assets', () => {
  it('are read with their readings; a value that is none is left out', () => {
    const asset = parseAsset(SENSOR)!;
    expect(asset.key).toBe('kaduna/sensor/gas-1');
    expect([...asset.readings.keys()]).toEqual(['ch4_pct']);
    expect(asset.readings.get('ch4_pct')).toMatchObject({
      value: 0.42,
      unit: '%',
      flags: ['late', 'gap_before'],
    });
  });

  it('of a kind from the future are passed over', () => {
    expect(parseAsset({ ...SENSOR, kind: 'drone' })).toBeNull();
  });

  it('without their name are an error that names the field', () => {
    expect(() => parseAsset({ ...SENSOR, id: 7 })).toThrow(new ShapeError('id: expected a text'));
  });

  it('without coordinates have no place', () => {
    expect(
      parseAsset({ ...SENSOR, location: { coordinates: null, zone: 'pit', level: null } })!.place,
    ).toBeNull();
  });

  it('tell what is known against their position, an impossible one also by themselves', () => {
    const flags = (lat: number, quality?: string): readonly string[] =>
      parseAsset({ ...SENSOR, location: { coordinates: { lat, lng: 7.4 }, quality } })!.place!.flags;
    expect([flags(10.5), flags(10.5, 'good'), flags(10.5, 'late')]).toEqual([[], [], ['late']]);
    expect([flags(100), flags(100, 'late+out_of_range')]).toEqual([
      ['out_of_range'],
      ['late', 'out_of_range'],
    ]);
  });

  it("tell the server's time by their age", () => {
    expect(serverTimeOf(SENSOR)).toBe(Date.UTC(2026, 10, 23, 13, 0, 2));
  });
});

describe('lists', () => {
  it('come paged or plain', () => {
    expect(items({ items: [1], next_cursor: null })).toEqual([1]);
    expect(items([1])).toEqual([1]);
    expect(() => items({})).toThrow(ShapeError);
  });
});

describe('telemetry', () => {
  it('keeps the time to ask on from', () => {
    const data = {
      series: 'k/sensor/g/ch4_pct',
      unit: '%',
      points: [
        [1, 0.4],
        [2, null],
      ],
      next_start: '2026-11-23T13:00:00Z',
    };
    expect(parseTelemetry(data)).toMatchObject({
      points: [
        [1, 0.4],
        [2, null],
      ],
      nextStartMs: Date.UTC(2026, 10, 23, 13),
    });
  });
});

describe('the state of the link', () => {
  it('is read with what is not known left open', () => {
    const edge = {
      edge_id: 'e1',
      state: 'disconnected',
      since: null,
      last_seen: null,
      rtt_ms: null,
      lanes: {},
      quarantined: { bad_json: 2 },
    };
    const status = parseSyncStatus({ site: 'kaduna', edges: [edge] });
    expect(status.edges[0]).toMatchObject({
      connected: false,
      rttMs: null,
      quarantined: [['bad_json', 2]],
      brokerRefused: [], // an older server does not tell
      inboxPending: null,
    });
  });

  it('counts as refused what the edge and what the broker before it refused', () => {
    const edge = { edge_id: 'e1', quarantined: { bad_json: 2 }, broker_refused: { bad_login: 5, other: 1 } };
    const [parsed] = parseSyncStatus({ site: 'kaduna', edges: [edge] }).edges;
    expect(parsed!.brokerRefused).toEqual([
      ['bad_login', 5],
      ['other', 1],
    ]);
    expect(refusedOf(parsed!)).toBe(8);
  });
});

describe('the account in a token', () => {
  it('is read from its claims, also with letters beyond ASCII', () => {
    const claims = btoa(
      String.fromCharCode(
        ...new TextEncoder().encode(
          JSON.stringify({ username: 'zoë@x', roles: ['analyst'], sites: ['kaduna'] }),
        ),
      ),
    );
    expect(accountOf(`h.${claims}.s`, 'typed')).toEqual({
      username: 'zoë@x',
      roles: ['analyst'],
      sites: ['kaduna'],
    });
  });

  it('of a token that cannot be read is what was typed, without any right', () => {
    expect(accountOf('rubbish', 'typed')).toEqual({ username: 'typed', roles: [], sites: [] });
  });
});
