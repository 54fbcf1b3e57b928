// How the chart looks: scales by unit, axes with units, bands, gaps, 24-hour times in the zone.

import uPlot from 'uplot';
import { isolated } from '../domain/lines';
import { numberText } from '../domain/quantities';
import { panned } from '../domain/ranges';
import { clockText, dateText, exactText } from '../domain/times';
import { serverNowMs } from '../state/clock';
import type { Track } from '../state/chart';
import { LANE_HEIGHT_PX, color, drawLanes, drawTags } from './drawing';
import type { PlotProps } from './plot';

const DRAG_MIN_PX = 6; // a click is not a zoom
const COLUMNS_PER_TRACK = 3; // values, lows, highs

/** The options of a chart of `latest.current.tracks`; ranges and handlers are read when needed. */
export function plotOptions(
  latest: { current: PlotProps },
  size: { width: number; height: number },
): uPlot.Options {
  const { tracks, zone } = latest.current;
  const lines = tracks.filter(({ stretches }) => stretches === null);
  const units = [...new Set(lines.map(({ unit }) => unit))];
  const lanes = tracks.length - lines.length;
  const font = `11px ${color('--font')}`;
  return {
    ...size,
    ms: 1,
    tzDate: (tsMs) => uPlot.tzDate(new Date(tsMs), zone),
    padding: [10 + lanes * LANE_HEIGHT_PX, units.length > 1 ? 0 : 14, 0, units.length === 0 ? 30 : 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
      bind: {
        mousedown: (chart, _target, onMouse) => (event) =>
          event.shiftKey ? startPan(event, chart, latest) : onMouse(event),
        dblclick: () => () => {
          latest.current.onReset();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, range: () => [latest.current.span.startMs, latest.current.span.endMs] },
      ...Object.fromEntries(units.map((unit) => [scaleOf(unit), { range: paddedRange }])),
    },
    axes: [timeAxis(zone, font), ...units.map((unit, at) => valueAxis(unit, at, tracks, font))],
    series: [{}, ...tracks.flatMap((track, at) => seriesOf(track, at))],
    bands: tracks.map((_, at) => ({
      series: [at * COLUMNS_PER_TRACK + 3, at * COLUMNS_PER_TRACK + 2],
      fill: `${color(`--series-${at + 1}`)}2e`,
    })),
    hooks: {
      setSelect: [(chart) => zoomToSelection(chart, latest.current)],
      setCursor: [(chart) => tellCursor(chart, latest.current)],
      draw: [
        (chart) => {
          drawTags(chart, latest.current.tracks, latest.current.span, scaleOf);
          drawLanes(chart, latest.current.tracks);
        },
      ],
    },
  };
}

/** The name of the scale that all lines of a unit share. */
function scaleOf(unit: string): string {
  return `unit ${unit}`;
}

function seriesOf(track: Track, at: number): uPlot.Series[] {
  const stroke = color(`--series-${at + 1}`);
  const scale = scaleOf(track.unit);
  const edge: uPlot.Series = { scale, stroke: 'transparent', width: 0, points: { show: false } };
  return [
    {
      scale,
      stroke,
      width: 1.6,
      points: {
        size: 4,
        fill: stroke,
        width: 0,
        // A sample between two gaps has no line to either side: without its dot it would vanish.
        filter: (chart, series, show) => (show ? null : isolated(chart.data[series] as (number | null)[])),
      },
    },
    edge,
    edge,
  ];
}

function paddedRange(_chart: uPlot, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  if (low === high) {
    const room = Math.abs(low) * 0.1 || 1;
    return [low - room, high + room];
  }
  const [from, to] = uPlot.rangeNum(low, high, 0.08, true);
  return [from ?? low, to ?? high];
}

function axisLook(font: string) {
  return {
    font,
    stroke: color('--muted'),
    grid: { stroke: color('--grid'), width: 1 },
    ticks: { stroke: color('--grid'), width: 1, size: 5 },
  };
}

function timeAxis(zone: string, font: string): uPlot.Axis {
  return {
    ...axisLook(font),
    space: 90,
    size: 40,
    values: (_chart, splits, _axis, _space, incrementMs) => {
      let lastDay = '';
      return splits.map((tsMs) => {
        const day = dateText(tsMs, zone);
        const isNewDay = day !== lastDay;
        lastDay = day;
        if (incrementMs >= 86_400_000) return day;
        const time = timeLabel(tsMs, zone, incrementMs);
        return isNewDay ? `${time}\n${day}` : time;
      });
    },
  };
}

function timeLabel(tsMs: number, zone: string, incrementMs: number): string {
  if (incrementMs < 1_000) return exactText(tsMs, zone).slice(11);
  return incrementMs < 60_000 ? clockText(tsMs, zone) : clockText(tsMs, zone).slice(0, 5);
}

function valueAxis(unit: string, at: number, tracks: readonly Track[], font: string): uPlot.Axis {
  const mine = tracks.flatMap((track, index) =>
    track.unit === unit && track.stretches === null ? [index] : [],
  );
  const look = axisLook(font);
  const isOnlyOne = mine.length === 1 && tracks.length > 1;
  return {
    ...look,
    // An axis of one line wears its colour: which axis belongs to it is then plain.
    stroke: isOnlyOne ? color(`--series-${mine[0]! + 1}`) : look.stroke,
    scale: scaleOf(unit),
    side: at % 2 === 0 ? 3 : 1,
    grid: { ...look.grid, show: at === 0 },
    label: unit || 'no unit',
    labelSize: 18,
    labelFont: `600 11px ${color('--font')}`,
    labelGap: 0,
    size: (_chart, values) => 16 + 6.4 * Math.max(3, ...(values ?? []).map((value) => value.length)),
    values: (_chart, splits, _axis, _space, increment) => splits.map((value) => tickText(value, increment)),
  };
}

/** All labels of an axis have as many decimals as their distance needs. */
function tickText(value: number, increment: number): string {
  if (Math.abs(value) >= 1e9 || (increment > 0 && increment < 1e-5)) return numberText(value);
  let decimals = 0;
  while (decimals < 6 && Math.abs(increment * 10 ** decimals - Math.round(increment * 10 ** decimals)) > 1e-6)
    decimals += 1;
  return value.toFixed(decimals).replace('-', '−');
}

function zoomToSelection(chart: uPlot, props: PlotProps): void {
  const { left, width } = chart.select;
  if (width < DRAG_MIN_PX) return;
  const startMs = Math.round(chart.posToVal(left, 'x'));
  const endMs = Math.round(chart.posToVal(left + width, 'x'));
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  props.onSpan({ startMs, endMs });
}

function tellCursor(chart: uPlot, props: PlotProps): void {
  const { left } = chart.cursor;
  props.onCursor(left === undefined || left < 0 ? null : chart.posToVal(left, 'x'));
}

/** Shift and drag moves in time instead of zooming. */
function startPan(event: MouseEvent, chart: uPlot, latest: { current: PlotProps }): null {
  const from = latest.current.span;
  const widthPx = chart.over.clientWidth;
  const onMove = (moved: MouseEvent): void =>
    latest.current.onSpan(panned(from, (event.clientX - moved.clientX) / widthPx, serverNowMs()));
  const onUp = (): void => {
    removeEventListener('mousemove', onMove);
    removeEventListener('mouseup', onUp);
  };
  addEventListener('mousemove', onMove);
  addEventListener('mouseup', onUp);
  return null;
}
