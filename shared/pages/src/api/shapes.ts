// What the API sends, checked at the border: behind this file every value has its type.

import { SEVERITIES } from '../domain/alerts';
import type { Alert } from '../domain/alerts';
import { isKind } from '../domain/assets';
import type { Asset, Place, Reading, Value } from '../domain/assets';
import { isOnEarth } from '../domain/outlook';
import { flagNames } from '../domain/quality';
import type { CountByReason } from '../domain/refusals';
import { parseTime } from '../domain/times';

/** An answer that does not have the agreed shape; names the field. */
export class ShapeError extends Error {}

export type Json = Record<string, unknown>;

/** One entry of the series catalogue. */
export interface SeriesEntry {
  series: string;
  unit: string;
  /** `number`, `integer`, `flag`, `text`. */
  valueType: string;
  lastMs: number | null;
}

export type Aggregate = 'mean' | 'min' | 'max' | 'count' | 'last' | 'raw';

/** Points of one series in ascending time; `value` is null where a bucket has none. */
export interface Telemetry {
  series: string;
  unit: string;
  points: [tsMs: number, value: Value | null][];
  /** Where to ask on, when the answer could not hold all. */
  nextStartMs: number | null;
  /** Earlier points are not all here (an edge keeps a part), or null. */
  completeFromMs: number | null;
}

export interface Lane {
  lane: string;
  lastSeq: number;
  acked: number;
  backlogBatches: number;
  backlogSamples: number;
  backlogBytes: number;
  oldestAgeS: number | null;
}

export interface EdgeState {
  edgeId: string;
  connected: boolean;
  sinceMs: number | null;
  lastSeenMs: number | null;
  rttMs: number | null;
  lanes: Lane[];
  quarantined: CountByReason;
  /** Refused before it reached the edge; empty where an older server does not tell. */
  brokerRefused: CountByReason;
  inboxPending: number | null;
  error: string | null;
}

export interface SyncStatus {
  site: string;
  timeZone: string | null;
  edges: EdgeState[];
}

export function record(value: unknown, field: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new ShapeError(`${field}: expected an object`);
}

export function list(value: unknown, field: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new ShapeError(`${field}: expected a list`);
}

function text(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  throw new ShapeError(`${field}: expected a text`);
}

function numberOr<T>(value: unknown, fallback: T): number | T {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}

function textOr<T>(value: unknown, fallback: T): string | T {
  return typeof value === 'string' && value !== '' ? value : fallback;
}

function timeOrNull(value: unknown): number | null {
  const tsMs = parseTime(value);
  return Number.isNaN(tsMs) ? null : tsMs;
}

/** The entries of a list answer, whether paged (`items`) or plain. */
export function items(data: unknown): unknown[] {
  return Array.isArray(data) ? data : list(record(data, 'data')['items'], 'data.items');
}

/** An asset, or null for a kind that this page does not know (a newer server's). */
export function parseAsset(value: unknown): Asset | null {
  const raw = record(value, 'asset');
  const kind = text(raw['kind'], 'kind');
  if (!isKind(kind)) return null;
  const site = text(raw['site'], 'site');
  const id = text(raw['id'], 'id');
  const readings = new Map<string, Reading>();
  for (const [metric, reading] of Object.entries(record(raw['metrics'] ?? {}, 'metrics'))) {
    const parsed = parseReading(reading, `metrics.${metric}`);
    if (parsed !== null) readings.set(metric, parsed);
  }
  const newestMs = [...readings.values()].reduce((newest, each) => Math.max(newest, each.tsMs), 0);
  return {
    key: `${site}/${kind}/${id}`,
    site,
    kind,
    id,
    name: textOr(raw['name'], id),
    status: textOr(raw['status'], 'unknown'),
    connection: textOr(raw['connection'], 'online'),
    tsMs: timeOrNull(raw['ts']) ?? newestMs,
    place: parsePlace(raw['location']),
    readings,
  };
}

function parseReading(value: unknown, field: string): Reading | null {
  const raw = record(value, field);
  const reading = raw['value'];
  const isValue = typeof reading === 'number' || typeof reading === 'boolean' || typeof reading === 'string';
  const tsMs = timeOrNull(raw['ts']);
  if (!isValue || tsMs === null) return null;
  return {
    value: reading,
    unit: textOr(raw['unit'], ''),
    tsMs,
    flags: flagNames(raw['quality']),
    intervalMs: 0,
  };
}

function parsePlace(value: unknown): Place | null {
  if (typeof value !== 'object' || value === null) return null;
  const raw = value as Json;
  const at = (raw['coordinates'] ?? {}) as Json;
  const latDeg = numberOr(at['lat'], null);
  const lngDeg = numberOr(at['lng'], null);
  if (latDeg === null || lngDeg === null) return null;
  return {
    latDeg,
    lngDeg,
    altitudeM: numberOr(at['altitude_m'], null),
    accuracyM: numberOr(at['accuracy_m'], null),
    zone: textOr(raw['zone'], null),
    level: textOr(raw['level'], null),
    flags: placeFlags(raw['quality'], isOnEarth([latDeg, lngDeg])),
  };
}

/** An impossible position is flagged here as well: an older server sends none of its flags. */
function placeFlags(quality: unknown, isPossible: boolean): string[] {
  const flags = flagNames(quality);
  return isPossible || flags.includes('out_of_range') ? flags : [...flags, 'out_of_range'];
}

/** Server time in milliseconds by an asset's own `ts` and `age_s`, or null. */
export function serverTimeOf(value: unknown): number | null {
  const raw = value as Json;
  const tsMs = timeOrNull(raw['ts']);
  const ageS = numberOr(raw['age_s'], null);
  return tsMs === null || ageS === null ? null : tsMs + ageS * 1000;
}

export function parseSeriesEntry(value: unknown): SeriesEntry {
  const raw = record(value, 'series entry');
  return {
    series: text(raw['series'], 'series'),
    unit: textOr(raw['unit'], ''),
    valueType: textOr(raw['type'], 'number'),
    lastMs: timeOrNull(raw['last_ts']),
  };
}

export function parseTelemetry(value: unknown): Telemetry {
  const raw = record(value, 'data');
  const points: [number, Value | null][] = [];
  for (const point of list(raw['points'], 'data.points')) {
    const [tsMs, reading] = list(point, 'data.points[]');
    if (typeof tsMs === 'number') points.push([tsMs, (reading ?? null) as Value | null]);
  }
  return {
    series: text(raw['series'], 'data.series'),
    unit: textOr(raw['unit'], ''),
    points,
    nextStartMs: timeOrNull(raw['next_start']),
    completeFromMs: timeOrNull(raw['complete_from']),
  };
}

export function parseAlert(value: unknown): Alert {
  const raw = record(value, 'alert');
  const source = record(raw['source'], 'alert.source');
  const name = ['kind', 'id', 'metric'].map((field) => text(source[field], `alert.source.${field}`));
  const severity = SEVERITIES.find((each) => each === raw['severity']);
  return {
    id: text(raw['id'], 'alert.id'),
    severity: severity ?? 'critical', // of a newer server: what is not known is not taken lightly
    message: text(raw['message'], 'alert.message'),
    series: [text(raw['site'], 'alert.site'), ...name].join('/'),
    raisedMs: timeOrNull(raw['raised_at']) ?? 0,
  };
}

export function parseSyncStatus(value: unknown): SyncStatus {
  const raw = record(value, 'data');
  return {
    site: text(raw['site'], 'data.site'),
    timeZone: textOr(raw['time_zone'], null),
    edges: list(raw['edges'], 'data.edges').map(parseEdge),
  };
}

function parseEdge(value: unknown): EdgeState {
  const raw = record(value, 'edges[]');
  const lanes = Object.entries(record(raw['lanes'] ?? {}, 'edges[].lanes'));
  return {
    edgeId: text(raw['edge_id'], 'edges[].edge_id'),
    connected: raw['state'] === 'connected',
    sinceMs: timeOrNull(raw['since']),
    lastSeenMs: timeOrNull(raw['last_seen']),
    rttMs: numberOr(raw['rtt_ms'], null),
    lanes: lanes.map(([lane, state]) => parseLane(lane, record(state, 'edges[].lanes[]'))),
    quarantined: parseCounts(raw, 'quarantined'),
    brokerRefused: parseCounts(raw, 'broker_refused'),
    inboxPending: numberOr(raw['inbox_pending'], null),
    error: textOr(raw['error'], null),
  };
}

function parseCounts(edge: Json, field: string): CountByReason {
  const counts = Object.entries(record(edge[field] ?? {}, `edges[].${field}`));
  return counts.map(([reason, count]) => [reason, numberOr(count, 0)]);
}

function parseLane(lane: string, raw: Json): Lane {
  return {
    lane,
    lastSeq: numberOr(raw['last_seq'], 0),
    acked: numberOr(raw['acked'], 0),
    backlogBatches: numberOr(raw['backlog_batches'], 0),
    backlogSamples: numberOr(raw['backlog_samples'], 0),
    backlogBytes: numberOr(raw['backlog_bytes'], 0),
    oldestAgeS: numberOr(raw['oldest_age_s'], null),
  };
}
