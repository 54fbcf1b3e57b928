// Alerts: read at the border, the gravest first.

import { describe, expect, it } from 'vitest';
import { ShapeError, parseAlert } from '../src/api/shapes';
import { gravestFirst } from '../src/domain/alerts';

const RAW = {
  id: 'a1',
  site: 'kaduna',
  severity: 'high',
  message: 'ch4_pct 1.6 % at sensor gas-1: the limit is 1.5 %',
  raised_at: '2026-11-23T13:00:00.000Z',
  source: { kind: 'sensor', id: 'gas-1', metric: 'ch4_pct' },
};

describe('alerts', () => {
  it('name the series that they are about', () => {
    expect(parseAlert(RAW)).toMatchObject({
      series: 'kaduna/sensor/gas-1/ch4_pct',
      severity: 'high',
      raisedMs: Date.UTC(2026, 10, 23, 13),
    });
  });

  it('of a severity that is not known are taken for the gravest', () => {
    expect(parseAlert({ ...RAW, severity: 'catastrophic' }).severity).toBe('critical');
  });

  it('without what they are about are refused', () => {
    expect(() => parseAlert({ ...RAW, source: null })).toThrow(ShapeError);
  });

  it('come the gravest first, then the one raised last', () => {
    const at = (id: string, severity: string, minute: number) =>
      parseAlert({ ...RAW, id, severity, raised_at: Date.UTC(2026, 10, 23, 13, minute) });
    const found = gravestFirst([at('a', 'low', 9), at('b', 'critical', 1), at('c', 'critical', 2)]);
    expect(found.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });
});
