// What the chart shows: its series and range, the answers about them, and the live tail.

import { batch, computed, effect, signal, untracked } from '@preact/signals';
import { ApiError } from '../api/client';
import { session } from '../api/session';
import { askFirst } from '../api/telemetry';
import type { Asset } from '../domain/assets';
import { NO_LINE } from '../domain/lines';
import type { Line } from '../domain/lines';
import { isLiveRange, spanOf } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import type { Stretch } from '../domain/stretches';
import { serverNowMs, tickMs } from './clock';
import { assets, onFrame, recentOf } from './live';
import {
  askSpan,
  extendHeld,
  lineOf,
  rememberedHeld,
  renewTail,
  stretchesOf,
  tailEveryMs,
  trimHeld,
} from './track_answers';
import type { Grain, Held } from './track_answers';
import { charted, range } from './view';

/** One series of the chart: a line of numbers, or stretches of words. */
export interface Track {
  series: string;
  unit: string;
  state: 'loading' | 'ready' | 'failed';
  detail: string;
  grain: Grain;
  line: Line;
  stretches: readonly Stretch[] | null;
  /** This server holds everything only from here on, or null. */
  completeFromMs: number | null;
}

const SETTLE_MS = 150; // of turning the wheel or dragging
const RETRY_MS = 10_000; // after a failure that may pass

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

const held = new Map<string, Held>();
const tailDueMs = new Map<string, number>();
const extended = new Set<string>();
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
  tracks.value = charted.value.map((series) => ({
    ...(known.get(series) ?? emptyTrack(series)),
    state: 'loading',
  }));
  for (const series of held.keys()) if (!charted.value.includes(series)) held.delete(series);
}

function emptyTrack(series: string): Track {
  const unit = readingOf(series)?.unit ?? '';
  const nothing = { line: NO_LINE, stretches: null, completeFromMs: null };
  return { series, unit, state: 'loading', detail: '', grain: { kind: 'samples' }, ...nothing };
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
    wanted.map((series) => askFirst(series, 0, nowMs, cancel).catch(() => null)),
  );
  if (cancel.aborted) return;
  const known = firsts.filter((each) => each !== null).map(({ tsMs }) => tsMs);
  const lasts = wanted.map((series) => readingOf(series)?.tsMs ?? nowMs);
  stored.value = known.length === 0 ? null : { startMs: Math.min(...known), endMs: Math.max(...lasts) };
}

async function askTrack(series: string, span: Span, cancel: AbortSignal): Promise<void> {
  try {
    take(series, await askSpan(series, span, plotWidthPx.value, cancel));
  } catch (error) {
    if (cancel.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    const remembered = recentOf(series);
    if (!error.isAbsent || remembered === undefined) fail(series, error);
    else take(series, rememberedHeld(readingOf(series)?.unit ?? '', remembered.since(0)));
  }
}

function fail(series: string, error: ApiError): void {
  replaceTrack(series, { state: 'failed', detail: error.message });
  if (error.isPassing) tailDueMs.set(series, Date.now() + RETRY_MS);
  else tailDueMs.delete(series);
}

function take(series: string, answer: Held): void {
  held.set(series, answer);
  tailDueMs.set(series, Date.now() + tailEveryMs(answer.grain));
  const { grain, completeFromMs } = answer;
  const unit = answer.unit || (readingOf(series)?.unit ?? '');
  replaceTrack(series, { unit, state: 'ready', detail: '', grain, completeFromMs, ...drawnOf(answer) });
}

function drawnOf(answer: Held): Pick<Track, 'line' | 'stretches'> {
  return { line: lineOf(answer), stretches: stretchesOf(answer, serverNowMs()) };
}

function replaceTrack(series: string, changes: Partial<Track>): void {
  tracks.value = tracks.value.map((track) => (track.series === series ? { ...track, ...changes } : track));
}

/** A frame brings the next sample of a live chart at once. */
function extend(asset: Asset): void {
  if (!isLiveRange(range.value)) return;
  for (const { series } of tracks.value) {
    if (!series.startsWith(`${asset.key}/`)) continue;
    const reading = asset.readings.get(series.slice(asset.key.length + 1));
    const known = held.get(series);
    if (reading !== undefined && known !== undefined && extendHeld(known, reading.tsMs, reading.value))
      extended.add(series);
  }
}

/** Once a second: draws what came, forgets what left the range, asks for what is due. */
function followTail(): void {
  retryFailed();
  if (!isLiveRange(range.value)) return;
  const span = shownSpan.value;
  const nowMs = Date.now();
  batch(() => {
    for (const { series, stretches, state } of tracks.value) {
      const known = held.get(series);
      if (known === undefined || state === 'failed') continue;
      if (extended.delete(series)) {
        trimHeld(known, span);
        replaceTrack(series, drawnOf(known));
      } else if (stretches !== null) replaceTrack(series, drawnOf(known)); // the last word goes on
      if (nowMs < (tailDueMs.get(series) ?? Infinity) || known.grain.kind === 'memory') continue;
      tailDueMs.set(series, nowMs + tailEveryMs(known.grain));
      void askTail(series, known, span);
    }
  });
}

function retryFailed(): void {
  const cancel = asking?.signal;
  if (cancel === undefined) return;
  for (const { series, state } of tracks.value) {
    if (state !== 'failed' || Date.now() < (tailDueMs.get(series) ?? Infinity)) continue;
    tailDueMs.delete(series);
    void askTrack(series, shownSpan.value, cancel);
  }
}

async function askTail(series: string, known: Held, span: Span): Promise<void> {
  const cancel = asking?.signal ?? new AbortController().signal;
  try {
    await renewTail(series, known, span.endMs, cancel);
    if (held.get(series) === known) replaceTrack(series, drawnOf(known));
  } catch (error) {
    if (!cancel.aborted && !(error instanceof ApiError)) throw error; // the next tail asks again
  }
}
