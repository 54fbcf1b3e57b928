// The list of live values as it is drawn: groups by kind, filtered, sorted. Pure.

import { isStale } from './age';
import { KINDS } from './assets';
import type { Asset, Kind, Reading } from './assets';
import { flagOf } from './quality';

export type SortBy = 'asset' | 'metric' | 'value' | 'age' | 'quality';

export interface Wish {
  search: string;
  sortBy: SortBy;
  descending: boolean;
  onlyStale: boolean;
  onlyFlagged: boolean;
  /** Also what says more of the device than of the mine: coordinates, boot numbers. */
  everything: boolean;
  closed: ReadonlySet<Kind>;
}

export interface ReadingRow {
  type: 'reading';
  /** `site/kind/id/metric` */
  series: string;
  asset: Asset;
  metric: string;
  /** The row above is of the same asset. */
  again: boolean;
}

export interface GroupRow {
  type: 'group';
  kind: Kind;
  assets: number;
  readings: number;
  stale: number;
  flagged: number;
  open: boolean;
}

/** A sentence in place of rows: why a kind has none. */
export interface WordRow {
  type: 'word';
  kind: Kind;
  text: string;
  weight: 'note' | 'warning';
  /** Whose position it is about; absent when about the kind. */
  asset?: Asset;
}

export type Row = ReadingRow | GroupRow | WordRow;

export interface Counts {
  readings: number;
  stale: number;
  flagged: number;
}

export interface Listing {
  rows: Row[];
  /** Of all assets, whatever is searched for. */
  counts: Counts;
  /** Readings left after search and filters. */
  matching: number;
}

const HOUSEKEEPING = new Set(['lat_deg', 'lng_deg', 'accuracy_m', 'altitude_m', 'boot_id', 'online']);

interface Candidate {
  asset: Asset;
  metric: string;
  reading: Reading;
  series: string;
  stale: boolean;
}

const natural = new Intl.Collator('en', { numeric: true });

/** What stands in place of a kind's rows, or null. */
export type Words = (kind: Kind) => Omit<WordRow, 'type' | 'kind'> | null;

/** The rows to draw at `nowMs`. */
export function listing(assets: Iterable<Asset>, wish: Wish, nowMs: number, words: Words): Listing {
  const counts: Counts = { readings: 0, stale: 0, flagged: 0 };
  const byKind = new Map<Kind, Candidate[]>();
  const placesByKind = new Map<Kind, Asset[]>();
  const wanted = searchOf(wish.search);
  for (const asset of assets) {
    if (asset.place !== null && asset.place.flags.length > 0) {
      counts.flagged += 1;
      const places = placesByKind.get(asset.kind) ?? [];
      if (matches(asset, 'position', wanted)) placesByKind.set(asset.kind, [...places, asset]);
    }
    for (const candidate of candidatesOf(asset, wish, nowMs, wanted, counts)) {
      const list = byKind.get(asset.kind);
      if (list === undefined) byKind.set(asset.kind, [candidate]);
      else list.push(candidate);
    }
  }
  const rows: Row[] = [];
  let matching = 0;
  for (const kind of KINDS) {
    const found = byKind.get(kind) ?? [];
    const places = placesByKind.get(kind) ?? [];
    const placeRows = wish.onlyFlagged ? places.map(placeRow) : [];
    matching += found.length;
    const word = words(kind);
    if (found.length + placeRows.length === 0 && (word === null || wanted.length > 0)) continue;
    const open = !wish.closed.has(kind);
    rows.push(groupRow(kind, found, places.length, open));
    if (!open) continue;
    if (word !== null) rows.push({ type: 'word', kind, ...word });
    rows.push(...placeRows, ...readingRows(sorted(found, wish)));
  }
  return { rows, counts, matching };
}

function candidatesOf(
  asset: Asset,
  wish: Wish,
  nowMs: number,
  wanted: readonly string[],
  counts: Counts,
): Candidate[] {
  const found: Candidate[] = [];
  for (const [metric, reading] of asset.readings) {
    if (HOUSEKEEPING.has(metric) && !wish.everything) continue;
    const stale = isStale(nowMs - reading.tsMs, reading.intervalMs);
    const flagged = reading.flags.length > 0;
    counts.readings += 1;
    if (stale) counts.stale += 1;
    if (flagged) counts.flagged += 1;
    if ((wish.onlyStale || wish.onlyFlagged) && !((wish.onlyStale && stale) || (wish.onlyFlagged && flagged)))
      continue;
    if (!matches(asset, metric, wanted)) continue;
    found.push({ asset, metric, reading, series: `${asset.key}/${metric}`, stale });
  }
  return found;
}

/** Every word must be found, in whichever field; `|` within a word means either. */
function searchOf(search: string): string[] {
  return search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

function matches(asset: Asset, metric: string, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const place = asset.place === null ? '' : `${asset.place.zone ?? ''} ${asset.place.level ?? ''}`;
  const text = `${asset.key}/${metric} ${asset.name} ${asset.status} ${place}`.toLowerCase();
  return words.every((word) => word.split('|').some((part) => part !== '' && text.includes(part)));
}

function sorted(found: Candidate[], wish: Wish): Candidate[] {
  const sign = wish.descending ? -1 : 1;
  const byName = (a: Candidate, b: Candidate): number => natural.compare(a.series, b.series);
  const orders: Record<SortBy, (a: Candidate, b: Candidate) => number> = {
    asset: byName,
    metric: (a, b) => natural.compare(a.metric, b.metric),
    value: (a, b) => compareValues(a.reading.value, b.reading.value),
    age: (a, b) => b.reading.tsMs - a.reading.tsMs,
    quality: (a, b) => doubt(a) - doubt(b),
  };
  const order = orders[wish.sortBy];
  return found.sort((a, b) => sign * order(a, b) || byName(a, b));
}

function doubt(candidate: Candidate): number {
  return candidate.reading.flags.length + (candidate.stale ? 1 : 0);
}

function compareValues(a: Reading['value'], b: Reading['value']): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a !== typeof b) return natural.compare(typeof a, typeof b);
  return natural.compare(String(a), String(b));
}

function groupRow(kind: Kind, found: readonly Candidate[], flaggedPlaces: number, open: boolean): GroupRow {
  return {
    type: 'group',
    kind,
    assets: new Set(found.map(({ asset }) => asset.key)).size,
    readings: found.length,
    stale: found.filter(({ stale }) => stale).length,
    flagged: found.filter(({ reading }) => reading.flags.length > 0).length + flaggedPlaces,
    open,
  };
}

/** A position is no reading of its own: what is known against it stands as a sentence. */
function placeRow(asset: Asset): WordRow {
  const labels = asset.place!.flags.map((name) => flagOf(name).label).join(', ');
  return {
    type: 'word',
    kind: asset.kind,
    text: `${asset.name}: position ${labels}`,
    weight: 'warning',
    asset,
  };
}

function readingRows(found: readonly Candidate[]): ReadingRow[] {
  return found.map(({ asset, metric, series }, at) => ({
    type: 'reading',
    series,
    asset,
    metric,
    again: found[at - 1]?.asset === asset,
  }));
}
