// Numbers, ages, times and flags as people read them.

import { describe, expect, it } from 'vitest';
import { ageText, isStale } from '../src/domain/age';
import { flagNames, flagOf } from '../src/domain/quality';
import { bytesText, metricLabel, numberText, valueText } from '../src/domain/quantities';
import { clockText, exactText, momentText, parseTime, zoneText } from '../src/domain/times';

const MOMENT_MS = Date.UTC(2026, 10, 23, 13, 3, 12, 250);

describe('ages', () => {
  it.each([
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1:00 min'],
    [3_599_000, '59:59 min'],
    [7_500_000, '2 h 05 min'],
    [6 * 86_400_000 + 4 * 3_600_000, '6 d 4 h'],
    [-400, '0 s'],
    [-3_000, 'in 3 s'],
  ])('%i ms reads as %s', (ageMs, text) => expect(ageText(ageMs)).toBe(text));

  it('calls a reading stale after thirty seconds', () => {
    expect([isStale(30_000, 0), isStale(30_001, 0), isStale(30_001, 1_000)]).toEqual([false, true, true]);
  });

  it('gives a series that comes rarely three of its intervals, but no more than a quarter of an hour', () => {
    expect([isStale(180_000, 60_000), isStale(180_001, 60_000)]).toEqual([false, true]);
    expect(isStale(15 * 60_000 + 1, 3_600_000)).toBe(true);
  });
});

describe('numbers', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [0.4, '0.400'],
    [0.0421, '0.042'],
    [1.7571, '1.757'],
    [26.38, '26.38'],
    [318.62, '318.6'],
    [1204, '1,204'],
    [1204.5, '1,205'],
    [-3.14159, '−3.142'],
    [1.5e9, '1.50e9'],
    [0.00002, '2.00e−5'],
    [184220, '184,220'],
  ])('%d reads as %s', (value, text) => expect(numberText(value)).toBe(text));

  it('shows flags and texts as words', () => {
    expect([valueText(true), valueText(false), valueText('pit-north-2')]).toEqual([
      'yes',
      'no',
      'pit-north-2',
    ]);
  });

  it.each([
    [812, '812 B'],
    [4_200, '4.2 kB'],
    [1_300_000_000, '1.3 GB'],
  ])('%i bytes read as %s', (size, text) => expect(bytesText(size)).toBe(text));

  it('leaves out of a metric what its unit says already', () => {
    expect(metricLabel('ch4_pct', '%')).toBe('ch4');
    expect(metricLabel('bearing_temp_c', '°C')).toBe('bearing temp');
    expect(metricLabel('_c', '°C')).toBe(' c'); // nothing would be left
    expect(metricLabel('speed_mps', '')).toBe('speed mps');
  });
});

describe('times', () => {
  it('names the zone by its offset', () => {
    expect(momentText(MOMENT_MS, 'UTC')).toBe('2026-11-23 13:03:12');
    expect(clockText(MOMENT_MS, 'Africa/Lagos')).toBe('14:03:12');
    expect(zoneText(MOMENT_MS, 'Africa/Lagos')).toBe('UTC+01:00');
    expect(zoneText(MOMENT_MS, 'UTC')).toMatch(/^UTC/);
  });

  it('keeps the milliseconds of raw samples, also before 1970', () => {
    expect(exactText(MOMENT_MS, 'UTC')).toBe('2026-11-23 13:03:12.250');
    expect(exactText(-1, 'UTC')).toBe('1969-12-31 23:59:59.999');
  });

  it('reads both forms the API writes', () => {
    expect(parseTime('2026-11-23T13:03:12.250Z')).toBe(MOMENT_MS);
    expect(parseTime(MOMENT_MS)).toBe(MOMENT_MS);
    expect(parseTime(null)).toBeNaN();
  });
});

describe('quality', () => {
  it('reads joined names, and good as none', () => {
    expect(flagNames('late+gap_before')).toEqual(['late', 'gap_before']);
    expect([flagNames('good'), flagNames(undefined), flagNames('')]).toEqual([[], [], []]);
  });

  it('takes a flag it does not know seriously', () => {
    expect(flagOf('sensor_drift')).toMatchObject({ label: 'sensor drift', weight: 'warning' });
  });
});
