// Questions about the past of series.

import type { Point } from '../domain/lines';
import type { Value } from '../domain/assets';
import { get } from './client';
import { items, parseSeriesEntry, parseTelemetry } from './shapes';
import type { Aggregate, SeriesEntry } from './shapes';

const SERIES_LIMIT = 40; // what a list to choose from can show
const PAGES_MAX = 3; // of one answer; the step was chosen so that one is enough

export interface Question {
  series: string;
  startMs: number;
  endMs: number;
  aggregate: Aggregate;
  /** Ignored for `raw`. */
  stepS: number;
}

export interface Answer {
  unit: string;
  points: Point[];
  /** Earlier points are not all here, or null. */
  completeFromMs: number | null;
}

/** The points asked for, numbers only (a flag counts as 0 or 1). Throws ApiError. */
export async function askTelemetry(question: Question, cancel: AbortSignal): Promise<Answer> {
  const points: Point[] = [];
  let unit = '';
  let completeFromMs: number | null = null;
  let startMs: number | null = Math.floor(question.startMs);
  for (let page = 0; page < PAGES_MAX && startMs !== null; page += 1) {
    const data = await get('/api/v1/analytics/telemetry', queryOf(question, startMs), cancel);
    const telemetry = parseTelemetry(data);
    unit = telemetry.unit;
    completeFromMs ??= telemetry.completeFromMs;
    for (const [tsMs, value] of telemetry.points) {
      const number = numberOf(value);
      if (number !== null) points.push([tsMs, number]);
    }
    startMs = telemetry.nextStartMs;
  }
  return { unit, points, completeFromMs };
}

/** When the first sample of a series was taken, or null when it has none. */
export async function askFirstMs(series: string, endMs: number, cancel: AbortSignal): Promise<number | null> {
  const query = { series, start: 0, end: Math.ceil(endMs), agg: 'raw', limit: 1 };
  const telemetry = parseTelemetry(await get('/api/v1/analytics/telemetry', query, cancel));
  return telemetry.points[0]?.[0] ?? null;
}

/** The series whose name contains every word of `search`, of one site. */
export async function askSeries(search: string, site: string | null, cancel: AbortSignal): Promise<SeriesEntry[]> {
  const data = await get('/api/v1/analytics/series', { q: search, site, limit: SERIES_LIMIT }, cancel);
  return items(data).map(parseSeriesEntry);
}

function queryOf(question: Question, startMs: number): Record<string, string | number | null> {
  return {
    series: question.series,
    start: startMs,
    end: Math.ceil(question.endMs),
    agg: question.aggregate,
    step: question.aggregate === 'raw' ? null : question.stepS,
  };
}

function numberOf(value: Value | null): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : null;
}

