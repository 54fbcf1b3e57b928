// The time a chart shows: presets, zoom, pan, and the step to ask for. Pure arithmetic.

/** `live` ends now and moves on; `fixed` stays; `all` is everything stored. */
export type Range =
  { kind: 'live'; spanMs: number } | { kind: 'fixed'; startMs: number; endMs: number } | { kind: 'all' };

/** A range on the clock. */
export interface Span {
  startMs: number;
  endMs: number;
}

export interface Preset {
  name: string;
  title: string;
  range: Range;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const PRESETS: readonly Preset[] = [
  { name: '15m', title: '15 min', range: { kind: 'live', spanMs: 15 * MINUTE_MS } },
  { name: '1h', title: '1 h', range: { kind: 'live', spanMs: HOUR_MS } },
  { name: '6h', title: '6 h', range: { kind: 'live', spanMs: 6 * HOUR_MS } },
  { name: '24h', title: '24 h', range: { kind: 'live', spanMs: DAY_MS } },
  { name: '7d', title: '7 d', range: { kind: 'live', spanMs: 7 * DAY_MS } },
  { name: 'all', title: 'All stored', range: { kind: 'all' } },
];

export const SPAN_MIN_MS = 100; // finer than any sensor of a mine samples
export const SPAN_MAX_MS = 20 * 365 * DAY_MS;

/** Steps a reader can read off an axis. Seconds. */
const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800,
  604_800, 1_209_600, 2_419_200,
];

/** The smallest readable step that needs at most `pointsMax` points for `spanMs`. */
export function stepS(spanMs: number, pointsMax: number): number {
  const wanted = spanMs / 1000 / pointsMax;
  return STEPS_S.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

/** The span of a range at `nowMs`; `stored` bounds what `all` means. */
export function spanOf(range: Range, nowMs: number, stored: Span | null): Span {
  if (range.kind === 'live') return { startMs: nowMs - range.spanMs, endMs: nowMs };
  if (range.kind === 'fixed') return { startMs: range.startMs, endMs: range.endMs };
  if (stored === null) return { startMs: nowMs - DAY_MS, endMs: nowMs };
  const margin = Math.max(1_000, (stored.endMs - stored.startMs) * 0.01);
  return { startMs: stored.startMs - margin, endMs: stored.endMs + margin };
}

/** Whether the range moves with the clock. */
export function isLiveRange(range: Range): boolean {
  return range.kind === 'live';
}

/**
 * `span` scaled by `factor` (below 1 zooms in) around the point at `anchor` (0 start, 1 end).
 * Stays within SPAN_MIN_MS and SPAN_MAX_MS.
 */
export function zoomed(span: Span, factor: number, anchor: number): Span {
  const oldMs = span.endMs - span.startMs;
  const newMs = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, oldMs * factor));
  const fixedMs = span.startMs + oldMs * anchor;
  const startMs = Math.round(fixedMs - newMs * anchor);
  return { startMs, endMs: startMs + Math.round(newMs) };
}

/** `span` moved by `fraction` of itself; never further ahead than `nowMs` at its end. */
export function panned(span: Span, fraction: number, nowMs: number): Span {
  const lengthMs = span.endMs - span.startMs;
  const aheadMs = Math.max(0, nowMs - span.endMs);
  const shiftMs = fraction > 0 ? Math.min(lengthMs * fraction, aheadMs) : lengthMs * fraction;
  return { startMs: Math.round(span.startMs + shiftMs), endMs: Math.round(span.endMs + shiftMs) };
}

/** Zooming about the running end keeps a live range live; any other change makes it stand still. */
export function rangeAfter(span: Span, nowMs: number, wasLive: boolean): Range {
  const lengthMs = span.endMs - span.startMs;
  const touchesNow = span.endMs >= nowMs - Math.max(lengthMs * 0.005, 500);
  if (wasLive && touchesNow) return { kind: 'live', spanMs: lengthMs };
  return { kind: 'fixed', ...span };
}

/** The preset that `range` is, if it is one. */
export function presetOf(range: Range): Preset | undefined {
  return PRESETS.find(
    ({ range: each }) =>
      each.kind === range.kind &&
      (each.kind !== 'live' || range.kind !== 'live' || each.spanMs === range.spanMs),
  );
}

const UNITS: readonly [unitMs: number, unit: string][] = [
  [DAY_MS, 'd'],
  [HOUR_MS, 'h'],
  [MINUTE_MS, 'min'],
  [1_000, 's'],
];

/** `12 s`, `45 min`, `1.5 h`, `7 d`: in the largest unit that needs no more than one decimal. */
export function spanText(spanMs: number): string {
  for (const [unitMs, unit] of UNITS) {
    if (spanMs >= unitMs && (spanMs * 10) % unitMs === 0) return `${trimmed(spanMs / unitMs)} ${unit}`;
  }
  const fallback = UNITS.find(([unitMs]) => spanMs >= 2 * unitMs);
  return fallback === undefined
    ? `${Math.round(spanMs)} ms`
    : `${trimmed(spanMs / fallback[0])} ${fallback[1]}`;
}

function trimmed(count: number): string {
  return Number(count.toFixed(1)).toString();
}
