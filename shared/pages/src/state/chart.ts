// What the chart shows: the questions for its series, their answers, and the live tail.

import { batch, computed, effect, signal, untracked } from '@preact/signals';
import { ApiError } from '../api/client';
import { session } from '../api/session';
import { askFirstMs, askTelemetry } from '../api/telemetry';
import type { Asset } from '../domain/assets';
import { NO_LINE, continued, rawLine, steppedLine } from '../domain/lines';
import type { Line, Point } from '../domain/lines';
import { isLiveRange, spanOf, stepS } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import { serverNowMs, tickMs } from './clock';
import { assets, onFrame, recentOf } from './live';
import { charted, range } from './view';

/** How the points of one series stand for its samples. */
export type Grain =
  | { kind: 'samples' }
  | { kind: 'steps'; stepS: number }
  /** This page's own memory: the server keeps no past. */
  | { kind: 'memory' };

export interface Track {
  series: string;
  unit: string;
  state: 'loading' | 'ready' | 'failed';
  detail: string;
  grain: Grain;
  line: Line;
  /** Samples within the range when it was asked for. */
  samples: number;
  /** This server holds everything only from here on, or null. */
  completeFromMs: number | null;
}

const RAW_MAX = 4_000; // samples drawn one by one; more than one per pixel shows nothing more
const POINTS_PER_PIXEL = 0.5;
const SETTLE_MS = 150; // of turning the wheel or dragging
const MARGIN = 0.05; // asked for beyond each end, so that lines reach the edge
const TAIL_EVERY_MS = 10_000; // what the socket conflated away is fetched this late at most
const STEP_TAIL_EVERY_MIN_MS = 2_000;

export const tracks = signal<readonly Track[]>([]);
/** Stored bounds of the charted series together; known once `all` was asked for. */
export const stored = signal<Span | null>(null);
/** Width of the plot: decides the step. */
export const plotWidthPx = signal(600);

/** The span that is drawn; moves with the clock while live. */
export const shownSpan = computed<Span>(() => {
  const now = range.value;
  if (!isLiveRange(now)) return spanOf(now, untracked(serverNowMs), stored.value);
  void tickMs.value;
  return spanOf(now, untracked(serverNowMs), null);
});

/** Raw answers by series, from which lines are made and continued. */
interface Held {
  grain: Grain;
  mean: Point[];
  low: Point[];
  high: Point[];
}

const held = new Map<string, Held>();
const tailDueMs = new Map<string, number>();
let asking: AbortController | null = null;

/** Follows series, range and width while the chart is on the page. Returns how to stop. */
export function startChart(): () => void {
  let settle: ReturnType<typeof setTimeout>;
  const wanted = computed(() =>
    JSON.stringify([charted.value, range.value, Math.round(plotWidthPx.value / 100), session.value.state]),
  );
  const stopAsking = wanted.subscribe(() => {
    placeTracks();
    clearTimeout(settle);
    settle = setTimeout(() => void askAll(), SETTLE_MS);
  });
  const stopFrames = onFrame(extend);
  const stopTail = effect(() => {
    void tickMs.value;
    untracked(followTail);
  });
  return () => {
    clearTimeout(settle);
    asking?.abort();
    stopAsking();
    stopFrames();
    stopTail();
  };
}

/** Asks again for everything that is shown. */
export function refreshChart(): void {
  void askAll();
}

function placeTracks(): void {
  const known = new Map(tracks.value.map((track) => [track.series, track]));
  tracks.value = charted.value.map((series) => {
    const track = known.get(series) ?? emptyTrack(series);
    return { ...track, state: 'loading' };
  });
  for (const series of held.keys()) if (!charted.value.includes(series)) held.delete(series);
}

function emptyTrack(series: string): Track {
  const unit = readingOf(series)?.unit ?? '';
  return { series, unit, state: 'loading', detail: '', grain: { kind: 'samples' }, line: NO_LINE, samples: 0, completeFromMs: null };
}

function readingOf(series: string) {
  const at = series.lastIndexOf('/');
  return assets.get(series.slice(0, at))?.readings.get(series.slice(at + 1));
}

async function askAll(): Promise<void> {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  const wanted = charted.value;
  if (range.value.kind === 'all') await findStored(wanted, mine.signal);
  if (mine.signal.aborted) return;
  const span = shownSpan.value;
  await Promise.all(wanted.map((series) => askTrack(series, span, mine.signal)));
}

async function findStored(wanted: readonly string[], cancel: AbortSignal): Promise<void> {
  const nowMs = serverNowMs();
  const firsts = await Promise.all(
    wanted.map((series) => askFirstMs(series, nowMs, cancel).catch(() => null)),
  );
  const known = firsts.filter((each) => each !== null);
  const lasts = wanted.map((series) => readingOf(series)?.tsMs ?? nowMs);
  if (cancel.aborted) return;
  stored.value = known.length === 0 ? null : { startMs: Math.min(...known), endMs: Math.max(...lasts) };
}

async function askTrack(series: string, span: Span, cancel: AbortSignal): Promise<void> {
  try {
    const { found, unit, samples, completeFromMs } = await askSpan(series, span, cancel);
    held.set(series, found);
    tailDueMs.set(series, Date.now() + tailEveryMs(found.grain));
    replaceTrack(series, {
      unit: unit || (readingOf(series)?.unit ?? ''),
      state: 'ready',
      detail: '',
      grain: found.grain,
      line: lineOf(found),
      samples,
      completeFromMs,
    });
  } catch (error) {
    if (cancel.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    if (error.isAbsent && recentOf(series) !== undefined) return fallBackToMemory(series);
    replaceTrack(series, { state: 'failed', detail: error.message });
  }
}

/** Single samples where they fit on the screen, else steps with their mean, lowest and highest. */
async function askSpan(series: string, span: Span, cancel: AbortSignal) {
  const marginMs = (span.endMs - span.startMs) * MARGIN;
  const bounds = { series, startMs: span.startMs - marginMs, endMs: span.endMs + marginMs };
  const step = stepS(span.endMs - span.startMs, Math.max(100, plotWidthPx.value * POINTS_PER_PIXEL));
  const count = await askTelemetry({ ...bounds, aggregate: 'count', stepS: step }, cancel);
  const samples = count.points.reduce((sum, [, each]) => sum + each, 0);
  if (samples <= RAW_MAX) {
    const raw = await askTelemetry({ ...bounds, aggregate: 'raw', stepS: 0 }, cancel);
    const found: Held = { grain: { kind: 'samples' }, mean: raw.points, low: [], high: [] };
    return { found, unit: raw.unit, samples, completeFromMs: raw.completeFromMs };
  }
  const found = await askSteps(bounds, step, cancel);
  return { found, unit: count.unit, samples, completeFromMs: count.completeFromMs };
}

async function askSteps(
  bounds: { series: string; startMs: number; endMs: number },
  step: number,
  cancel: AbortSignal,
): Promise<Held> {
  const [mean, low, high] = await Promise.all(
    (['mean', 'min', 'max'] as const).map((aggregate) =>
      askTelemetry({ ...bounds, aggregate, stepS: step }, cancel),
    ),
  );
  const grain: Grain = { kind: 'steps', stepS: step };
  return { grain, mean: mean!.points, low: low!.points, high: high!.points };
}

function lineOf({ grain, mean, low, high }: Held): Line {
  return grain.kind === 'steps' ? steppedLine(mean, low, high, grain.stepS * 1000) : rawLine(mean);
}

function replaceTrack(series: string, changes: Partial<Track>): void {
  tracks.value = tracks.value.map((track) => (track.series === series ? { ...track, ...changes } : track));
}

function fallBackToMemory(series: string): void {
  const points = recentOf(series)?.since(0) ?? [];
  const found: Held = { grain: { kind: 'memory' }, mean: [...points], low: [], high: [] };
  held.set(series, found);
  replaceTrack(series, {
    unit: readingOf(series)?.unit ?? '',
    state: 'ready',
    detail: '',
    grain: found.grain,
    line: rawLine(found.mean),
    samples: found.mean.length,
  });
}

/** A frame brings the next samples of a live chart at once; steps wait for the server's answer. */
function extend(asset: Asset): void {
  if (!isLiveRange(range.value)) return;
  for (const track of tracks.value) {
    if (!track.series.startsWith(`${asset.key}/`)) continue;
    const reading = asset.readings.get(track.series.slice(asset.key.length + 1));
    const found = held.get(track.series);
    if (reading === undefined || found === undefined || found.grain.kind === 'steps') continue;
    if (typeof reading.value === 'string') continue;
    const newest = found.mean.at(-1)?.[0] ?? -Infinity;
    if (reading.tsMs > newest) found.mean.push([reading.tsMs, Number(reading.value)]);
    dirty.add(track.series);
  }
}

const dirty = new Set<string>();

/** Once a second: draws what came, forgets what left the range, asks for what is due. */
function followTail(): void {
  if (!isLiveRange(range.value)) return;
  const span = shownSpan.value;
  const nowMs = Date.now();
  batch(() => {
    for (const track of tracks.value) {
      const found = held.get(track.series);
      if (found === undefined) continue;
      if (dirty.delete(track.series)) {
        const keepMs = span.startMs - (span.endMs - span.startMs) * MARGIN;
        found.mean = found.mean.filter(([tsMs]) => tsMs >= keepMs);
        replaceTrack(track.series, { line: lineOf(found), samples: found.mean.length });
      }
      if (nowMs < (tailDueMs.get(track.series) ?? Infinity) || found.grain.kind === 'memory') continue;
      tailDueMs.set(track.series, nowMs + tailEveryMs(found.grain));
      void askTail(track.series, found, span);
    }
  });
}

function tailEveryMs(grain: Grain): number {
  return grain.kind === 'steps' ? Math.max(STEP_TAIL_EVERY_MIN_MS, grain.stepS * 1000) : TAIL_EVERY_MS;
}

/** The newest stretch again: what was conflated away, what came late, steps that have grown. */
async function askTail(series: string, found: Held, span: Span): Promise<void> {
  const cancel = asking?.signal ?? new AbortController().signal;
  const { grain } = found;
  const stepMs = grain.kind === 'steps' ? grain.stepS * 1000 : 0;
  const backMs = Math.max(3 * TAIL_EVERY_MS, 3 * stepMs);
  const fromMs = stepMs > 0 ? Math.floor((span.endMs - backMs) / stepMs) * stepMs : span.endMs - backMs;
  const bounds = { series, startMs: fromMs, endMs: span.endMs + 60_000 };
  try {
    if (grain.kind === 'steps') {
      const tail = await askSteps(bounds, grain.stepS, cancel);
      found.mean = continued(found.mean, tail.mean, fromMs);
      found.low = continued(found.low, tail.low, fromMs);
      found.high = continued(found.high, tail.high, fromMs);
    } else {
      const tail = await askTelemetry({ ...bounds, aggregate: 'raw', stepS: 0 }, cancel);
      const toMs = tail.points.at(-1)?.[0] ?? fromMs;
      const newer = found.mean.filter(([tsMs]) => tsMs > toMs); // came by socket, not yet stored
      found.mean = [...continued(found.mean, tail.points, fromMs).filter(([tsMs]) => tsMs <= toMs), ...newer];
    }
    if (held.get(series) === found) replaceTrack(series, { line: lineOf(found) });
  } catch (error) {
    if (!cancel.aborted && !(error instanceof ApiError)) throw error; // the next tail asks again
  }
}
