// The page's state in the address after `#`: what is shown can be sent to a colleague. Pure.

import { PRESETS, SPAN_MAX_MS, SPAN_MIN_MS, presetOf } from './ranges';
import type { Range } from './ranges';

export const VIEWS = ['overview', 'values', 'map', 'trends'] as const;
export type View = (typeof VIEWS)[number];

export const CHARTED_MAX = 4; // more lines than this cannot be told apart

export interface Address {
  view: View;
  /** Site asked for by name; null for the account's own. */
  site: string | null;
  /** `site/kind/id/metric` of the charted series. */
  series: readonly string[];
  range: Range;
  /** What the values are searched for. */
  search: string;
  /** `key` of the asset that is selected on the map. */
  selected: string | null;
  /** The level shown on the map; null for all. */
  level: string | null;
}

export const HOME: Address = {
  view: 'overview',
  site: null,
  series: [],
  range: { kind: 'live', spanMs: 15 * 60_000 },
  search: '',
  selected: null,
  level: null,
};

const SERIES = /^[a-z0-9][a-z0-9_-]{0,63}(\/[a-z0-9][a-z0-9_-]{0,63}){2}\/[a-z][a-z0-9_]{0,63}$/;
const ASSET = /^[a-z0-9][a-z0-9_-]{0,63}(\/[a-z0-9][a-z0-9_-]{0,63}){2}$/;
const SITE = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const SEARCH_MAX = 200;

/** The address in `hash`; anything that cannot be understood is as if it were not there. */
export function readAddress(hash: string): Address {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const view = given.get('view') as View | null;
  const series = (given.get('series') ?? '').split(',').filter((name) => SERIES.test(name));
  return {
    view: view !== null && VIEWS.includes(view) ? view : HOME.view,
    site: matching(given.get('site'), SITE),
    series: [...new Set(series)].slice(0, CHARTED_MAX),
    range: readRange(given),
    search: (given.get('q') ?? '').slice(0, SEARCH_MAX),
    selected: matching(given.get('asset'), ASSET),
    level: given.get('level')?.slice(0, SEARCH_MAX) || null,
  };
}

/** The hash of `address` without `#`; what is as usual is left out. */
export function writeAddress(address: Address): string {
  const parts: [string, string][] = [];
  if (address.view !== HOME.view) parts.push(['view', address.view]);
  if (address.site !== null) parts.push(['site', address.site]);
  if (address.search !== '') parts.push(['q', address.search]);
  if (address.selected !== null) parts.push(['asset', address.selected]);
  if (address.level !== null) parts.push(['level', address.level]);
  if (address.series.length > 0) parts.push(['series', address.series.join(',')]);
  parts.push(...rangeParts(address.range));
  return new URLSearchParams(parts).toString().replaceAll('%2F', '/').replaceAll('%2C', ',');
}

function readRange(given: URLSearchParams): Range {
  const preset = PRESETS.find(({ name }) => name === given.get('range'));
  if (preset !== undefined) return preset.range;
  const spanMs = Number(given.get('span'));
  if (spanMs >= SPAN_MIN_MS && spanMs <= SPAN_MAX_MS) return { kind: 'live', spanMs };
  const startMs = Date.parse(given.get('start') ?? '');
  const endMs = Date.parse(given.get('end') ?? '');
  const lengthMs = endMs - startMs;
  if (lengthMs >= SPAN_MIN_MS && lengthMs <= SPAN_MAX_MS) return { kind: 'fixed', startMs, endMs };
  return HOME.range;
}

function rangeParts(range: Range): [string, string][] {
  const preset = presetOf(range);
  if (preset !== undefined) {
    return preset.name === presetOf(HOME.range)?.name ? [] : [['range', preset.name]];
  }
  if (range.kind === 'live') return [['span', String(Math.round(range.spanMs))]];
  if (range.kind === 'all') return [['range', 'all']];
  const iso = (tsMs: number): string => new Date(tsMs).toISOString();
  return [
    ['start', iso(range.startMs)],
    ['end', iso(range.endMs)],
  ];
}

function matching(text: string | null, pattern: RegExp): string | null {
  return text !== null && pattern.test(text) ? text : null;
}
