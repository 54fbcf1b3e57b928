// How the points of one series are asked for and held: single samples where they fit on the
// screen, else steps; numbers as a line, words as stretches.

import { askFirst, askTelemetry } from '../api/telemetry';
import { NO_LINE, continued, rawLine, steppedLine } from '../domain/lines';
import type { Line, Point } from '../domain/lines';
import { stepS } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import { stretches } from '../domain/stretches';
import type { Said, Stretch } from '../domain/stretches';
import type { Value } from '../domain/assets';

/** How the points of one series stand for its samples. */
export type Grain =
  | { kind: 'samples' }
  | { kind: 'steps'; stepS: number }
  /** This page's own memory: the server keeps no past. */
  | { kind: 'memory' };

/** The points of one series as they came. */
export interface Held {
  unit: string;
  grain: Grain;
  mean: Point[];
  low: Point[];
  high: Point[];
  said: Said[];
  /** Samples within the range when it was asked for. */
  samples: number;
  /** This server holds everything only from here on, or null. */
  completeFromMs: number | null;
}

const RAW_MAX = 4_000; // samples drawn one by one; more than one per pixel shows nothing more
const POINTS_PER_PIXEL = 0.5;
const STEPS_MIN = 100;
const MARGIN = 0.05; // asked for beyond each end, so that lines reach the edge
const TAIL_EVERY_MS = 10_000; // what the socket conflated away is fetched this late at most
const STEP_TAIL_EVERY_MIN_MS = 5_000; // three questions a series each time: mind the rate limit

const NOTHING: Held = {
  unit: '',
  grain: { kind: 'samples' },
  mean: [],
  low: [],
  high: [],
  said: [],
  samples: 0,
  completeFromMs: null,
};

interface Bounds {
  series: string;
  startMs: number;
  endMs: number;
}

/** Asks for what `span` needs on a plot of `widthPx`. Throws ApiError. */
export async function askSpan(
  series: string,
  span: Span,
  widthPx: number,
  cancel: AbortSignal,
): Promise<Held> {
  const lengthMs = span.endMs - span.startMs;
  const bounds = { series, startMs: span.startMs - lengthMs * MARGIN, endMs: span.endMs + lengthMs * MARGIN };
  const step = stepS(lengthMs, Math.max(STEPS_MIN, widthPx * POINTS_PER_PIXEL));
  const count = await askTelemetry({ ...bounds, aggregate: 'count', stepS: step }, cancel);
  const samples = count.points.reduce((sum, [, each]) => sum + each, 0);
  if (samples <= RAW_MAX) return { ...(await askSamples(bounds, cancel)), samples };
  const first = await askFirst(series, bounds.startMs, bounds.endMs, cancel);
  const ask = first?.isWord ? askWords : askSteps;
  return { ...(await ask(bounds, step, cancel)), samples, completeFromMs: count.completeFromMs };
}

async function askSamples(bounds: Bounds, cancel: AbortSignal): Promise<Held> {
  const raw = await askTelemetry({ ...bounds, aggregate: 'raw', stepS: 0 }, cancel);
  return { ...NOTHING, unit: raw.unit, mean: raw.points, said: raw.said, completeFromMs: raw.completeFromMs };
}

async function askSteps(bounds: Bounds, step: number, cancel: AbortSignal): Promise<Held> {
  const [mean, low, high] = await Promise.all(
    (['mean', 'min', 'max'] as const).map((aggregate) =>
      askTelemetry({ ...bounds, aggregate, stepS: step }, cancel),
    ),
  );
  const grain: Grain = { kind: 'steps', stepS: step };
  return { ...NOTHING, unit: mean!.unit, grain, mean: mean!.points, low: low!.points, high: high!.points };
}

async function askWords(bounds: Bounds, step: number, cancel: AbortSignal): Promise<Held> {
  const last = await askTelemetry({ ...bounds, aggregate: 'last', stepS: step }, cancel);
  return { ...NOTHING, unit: last.unit, grain: { kind: 'steps', stepS: step }, said: last.said };
}

/** What this page itself has seen of a series. */
export function rememberedHeld(unit: string, points: readonly Point[]): Held {
  return { ...NOTHING, unit, grain: { kind: 'memory' }, mean: [...points], samples: points.length };
}

/** A live reading as the next point; steps wait for the server's answer. False when left out. */
export function extendHeld(held: Held, tsMs: number, value: Value): boolean {
  if (held.grain.kind === 'steps') return false;
  const newestMs = (typeof value === 'string' ? held.said : held.mean).at(-1)?.[0] ?? -Infinity;
  if (tsMs <= newestMs) return false;
  if (typeof value === 'string') held.said.push([tsMs, value]);
  else held.mean.push([tsMs, Number(value)]);
  return true;
}

/** Forgets single samples that left `span`. */
export function trimHeld(held: Held, span: Span): void {
  const keepMs = span.startMs - (span.endMs - span.startMs) * MARGIN;
  held.mean = held.mean.filter(([tsMs]) => tsMs >= keepMs);
  const firstKept = held.said.findIndex(([tsMs]) => tsMs >= keepMs);
  // the word before the first kept one still holds at the start
  if (firstKept > 1) held.said = held.said.slice(firstKept - 1);
}

export function tailEveryMs(grain: Grain): number {
  return grain.kind === 'steps' ? Math.max(STEP_TAIL_EVERY_MIN_MS, grain.stepS * 1000) : TAIL_EVERY_MS;
}

/** Asks for the newest stretch again: what was conflated away, came late, or has grown. */
export async function renewTail(
  series: string,
  held: Held,
  endMs: number,
  cancel: AbortSignal,
): Promise<void> {
  const stepMs = held.grain.kind === 'steps' ? held.grain.stepS * 1000 : 0;
  const backMs = 3 * Math.max(TAIL_EVERY_MS, stepMs);
  const fromMs = stepMs > 0 ? Math.floor((endMs - backMs) / stepMs) * stepMs : endMs - backMs;
  const bounds = { series, startMs: fromMs, endMs: endMs + 60_000 };
  if (stepMs > 0) {
    const ask = held.said.length > 0 ? askWords : askSteps;
    const tail = await ask(bounds, stepMs / 1000, cancel);
    held.mean = continued(held.mean, tail.mean, fromMs);
    held.low = continued(held.low, tail.low, fromMs);
    held.high = continued(held.high, tail.high, fromMs);
    held.said = continued(held.said, tail.said, fromMs);
    return;
  }
  const tail = await askSamples(bounds, cancel);
  held.mean = renewed(held.mean, tail.mean, fromMs);
  held.said = renewed(held.said, tail.said, fromMs);
}

/** `known` with `tail` from `fromMs` on; what came by socket and is not stored yet stays. */
function renewed<T>(
  known: readonly (readonly [number, T])[],
  tail: readonly (readonly [number, T])[],
  fromMs: number,
): (readonly [number, T])[] {
  const toMs = tail.at(-1)?.[0] ?? fromMs;
  return [
    ...continued(known, tail, fromMs).filter(([tsMs]) => tsMs <= toMs),
    ...known.filter(([tsMs]) => tsMs > toMs),
  ];
}

export function lineOf({ grain, mean, low, high }: Held): Line {
  if (mean.length === 0) return NO_LINE;
  return grain.kind === 'steps' ? steppedLine(mean, low, high, grain.stepS * 1000) : rawLine(mean);
}

/** The stretches of a series of words, or null for a series of numbers. */
export function stretchesOf({ said }: Held, nowMs: number): Stretch[] | null {
  return said.length === 0 ? null : stretches(said, nowMs);
}
