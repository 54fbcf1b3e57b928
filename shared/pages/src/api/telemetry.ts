// Questions about the past of series.

import type { Point } from '../domain/lines';
import type { Said } from '../domain/stretches';
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
  /** Numbers; a flag counts as 0 or 1. */
  points: Point[];
  /** What a series of words said; such a series has no `points`. */
  said: Said[];
  /** Earlier points are not all here, or null. */
  completeFromMs: number | null;
}

/** The points asked for. Throws ApiError. */
export async function askTelemetry(question: Question, cancel: AbortSignal): Promise<Answer> {
  const answer: Answer = { unit: '', points: [], said: [], completeFromMs: null };
  let startMs: number | null = Math.floor(question.startMs);
  for (let page = 0; page < PAGES_MAX && startMs !== null; page += 1) {
    const data = await get('/api/v1/analytics/telemetry', queryOf(question, startMs), cancel);
    const telemetry = parseTelemetry(data);
    answer.unit = telemetry.unit;
    answer.completeFromMs ??= telemetry.completeFromMs;
    for (const [tsMs, value] of telemetry.points) {
      if (typeof value === 'string') answer.said.push([tsMs, value]);
      else if (value !== null) answer.points.push([tsMs, Number(value)]);
    }
    startMs = telemetry.nextStartMs;
  }
  return answer;
}

/** The first sample from `startMs` on: when it was taken, and whether it is a word; or null. */
export async function askFirst(
  series: string,
  startMs: number,
  endMs: number,
  cancel: AbortSignal,
): Promise<{ tsMs: number; isWord: boolean } | null> {
  const query = { series, start: Math.floor(startMs), end: Math.ceil(endMs), agg: 'raw', limit: 1 };
  const telemetry = parseTelemetry(await get('/api/v1/analytics/telemetry', query, cancel));
  const first = telemetry.points[0];
  return first === undefined ? null : { tsMs: first[0], isWord: typeof first[1] === 'string' };
}

/** The series whose name contains every word of `search`, of one site. */
export async function askSeries(
  search: string,
  site: string | null,
  cancel: AbortSignal,
): Promise<SeriesEntry[]> {
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
