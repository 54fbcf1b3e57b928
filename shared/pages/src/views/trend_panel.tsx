// The chart of stored and live series, with its range, its lines and its export.

import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { csvOf, saveText } from '../chart/export';
import { Legend, grainText } from '../chart/legend';
import { Plot } from '../chart/plot';
import { PointTable } from '../chart/point_table';
import { SeriesPicker } from '../chart/series_picker';
import { HOME } from '../domain/address';
import { PRESETS, panned, presetOf, rangeAfter, spanText, zoomed } from '../domain/ranges';
import type { Range, Span } from '../domain/ranges';
import { momentText, zoneText } from '../domain/times';
import { serverNowMs, zone } from '../state/clock';
import { plotWidthPx, refreshChart, shownSpan, startChart, stored, tracks } from '../state/chart';
import { announce } from '../state/notices';
import { range, setRange } from '../state/view';
import { Icon } from './marks';
import type { IconName } from './marks';

const PAN_FRACTION = 0.25;
const ZOOM_FACTOR = 2;

const asTable = signal(false);

/** Where “back to the last preset” leads. */
let lastPreset: Range = HOME.range;
range.subscribe((now) => {
  if (presetOf(now) !== undefined) lastPreset = now;
});

export function TrendPanel() {
  const [cursorMs, setCursorMs] = useState<number | null>(null);
  useEffect(startChart, []);
  const shown = tracks.value;
  const span = shownSpan.value;
  return (
    <section class="panel trend" aria-labelledby="trend-title">
      <header class="panel-head">
        <h2 id="trend-title">Trends</h2>
        <SeriesPicker />
        <Presets />
      </header>
      {shown.length === 0 ? (
        <p class="empty" id="chart" tabIndex={-1}>
          No series is charted. Find one in “Add a series”, or press <kbd>Enter</kbd> on a live value.
        </p>
      ) : (
        <>
          <RangeLine span={span} isLoading={shown.some(({ state }) => state === 'loading')} />
          {asTable.value ? (
            <PointTable tracks={shown} span={span} zone={zone.value} />
          ) : (
            <Plot
              tracks={shown}
              span={span}
              zone={zone.value}
              label={describe(span)}
              onSpan={changeSpan}
              onCursor={setCursorMs}
              onWidth={(widthPx) => (plotWidthPx.value = widthPx)}
              onReset={reset}
              onKey={onKey}
            />
          )}
          <Legend tracks={shown} span={span} cursorMs={asTable.value ? null : cursorMs} zone={zone.value} />
        </>
      )}
    </section>
  );
}

function Presets() {
  const current = presetOf(range.value);
  return (
    <div class="segments" role="group" aria-label="Range">
      {PRESETS.map((preset) => (
        <button
          key={preset.name}
          aria-pressed={current?.name === preset.name}
          onClick={() => setRange(preset.range)}
        >
          {preset.title}
        </button>
      ))}
    </div>
  );
}

function RangeTools() {
  const live = range.value.kind === 'live';
  return (
    <div class="tool-row" role="group" aria-label="Move and zoom">
      <Tool icon="left" title="Earlier (←)" act={() => pan(-PAN_FRACTION)} />
      <Tool icon="minus" title="Zoom out (−)" act={() => zoom(ZOOM_FACTOR)} />
      <Tool icon="plus" title="Zoom in (+)" act={() => zoom(1 / ZOOM_FACTOR)} />
      <Tool icon="right" title="Later (→)" act={() => pan(PAN_FRACTION)} />
      <Tool icon="reset" title="Back to the last preset (0)" act={reset} />
      <button class="live-toggle" aria-pressed={live} title="End at now and move on (L)" onClick={goLive}>
        Live
      </button>
      <Tool
        icon="table"
        title="Points as a table"
        act={() => (asTable.value = !asTable.value)}
        pressed={asTable.value}
      />
      <Tool icon="save" title="Save the shown points as CSV" act={exportCsv} />
      <Tool icon="copy" title="Copy a link to this view" act={() => void copyLink()} />
    </div>
  );
}

function Tool(props: { icon: IconName; title: string; act: () => void; pressed?: boolean }) {
  return (
    <button
      class="quiet"
      aria-label={props.title}
      title={props.title}
      aria-pressed={props.pressed}
      onClick={props.act}
    >
      <Icon name={props.icon} />
    </button>
  );
}

function RangeLine({ span, isLoading }: { span: Span; isLoading: boolean }) {
  const at = zone.value;
  return (
    <div class="range-line">
      <span id="range-text">
        {momentText(span.startMs, at)} – {range.value.kind === 'live' ? 'now' : momentText(span.endMs, at)}{' '}
        {zoneText(span.endMs, at)} · {spanText(span.endMs - span.startMs)}
      </span>
      {range.value.kind === 'all' && stored.value === null && !isLoading && <span>nothing stored yet</span>}
      {isLoading && <span class="loading">loading…</span>}
      <RangeTools />
    </div>
  );
}

function describe(span: Span): string {
  const names = tracks.value
    .map(({ series, grain, stretches }) => `${series} (${grainText(grain, stretches !== null)})`)
    .join(', ');
  return `Chart of ${names}, ${spanText(span.endMs - span.startMs)} up to ${momentText(span.endMs, zone.value)} ${zoneText(span.endMs, zone.value)}. Arrow keys move, plus and minus zoom.`;
}

function reset(): void {
  if (presetOf(range.value) !== undefined) refreshChart();
  setRange(lastPreset);
}

/** Shows `span`, moved back where it would end in the future. */
function changeSpan(span: Span): void {
  const nowMs = serverNowMs();
  const aheadMs = Math.max(0, span.endMs - nowMs);
  const past = { startMs: span.startMs - aheadMs, endMs: span.endMs - aheadMs };
  setRange(rangeAfter(past, nowMs, range.value.kind === 'live'));
}

function zoom(factor: number): void {
  // a live chart keeps its end at now
  changeSpan(zoomed(shownSpan.value, factor, range.value.kind === 'live' ? 1 : 0.5));
}

function pan(fraction: number): void {
  changeSpan(panned(shownSpan.value, fraction, serverNowMs()));
}

function goLive(): void {
  const { startMs, endMs } = shownSpan.value;
  setRange({ kind: 'live', spanMs: endMs - startMs });
}

const KEYS: Record<string, () => void> = {
  ArrowLeft: () => pan(-PAN_FRACTION),
  ArrowRight: () => pan(PAN_FRACTION),
  '+': () => zoom(1 / ZOOM_FACTOR),
  '=': () => zoom(1 / ZOOM_FACTOR),
  '-': () => zoom(ZOOM_FACTOR),
  '0': reset,
  l: goLive,
  L: goLive,
};

function onKey(event: KeyboardEvent): void {
  const act = KEYS[event.key];
  if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

function exportCsv(): void {
  const span = shownSpan.value;
  const stamp = new Date(span.startMs).toISOString().slice(0, 19).replaceAll(':', '');
  saveText(csvOf(tracks.value, span), `headframe-${stamp}Z.csv`);
}

/** A live range is copied as it is: who opens it sees their own now. */
async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    announce('Link copied.');
  } catch {
    announce('The browser does not allow copying; the address line holds the same link.', 'warning');
  }
}
