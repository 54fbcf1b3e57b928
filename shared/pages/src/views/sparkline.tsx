// The last minutes of one reading as a line without axes: is it still, rising, jumping?

import { recentOf } from '../state/live';

const SPAN_MIN_MS = 30_000;
const SPAN_MAX_MS = 180_000;
const WIDTH = 72;
const HEIGHT = 18;
const MARGIN = 2;

/** Decorative beside its number: the chart is where a trend is read exactly. */
export function Sparkline({ series, nowMs }: { series: string; nowMs: number }) {
  const points = recentOf(series)?.since(nowMs - SPAN_MAX_MS) ?? [];
  if (points.length < 2) return null;
  const spanMs = Math.max(SPAN_MIN_MS, nowMs - points[0]![0]);
  return (
    <svg
      class="sparkline"
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
    >
      <path d={linePath(points, nowMs, spanMs)} />
    </svg>
  );
}

function linePath(points: readonly [number, number][], nowMs: number, spanMs: number): string {
  let low = Infinity;
  let high = -Infinity;
  for (const [, value] of points) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const room = HEIGHT - 2 * MARGIN;
  const scale = high > low ? room / (high - low) : 0;
  const x = (tsMs: number): string => (WIDTH * (1 - (nowMs - tsMs) / spanMs)).toFixed(1);
  const y = (value: number): string =>
    (scale === 0 ? HEIGHT / 2 : HEIGHT - MARGIN - (value - low) * scale).toFixed(1);
  return points.map(([tsMs, value], at) => `${at === 0 ? 'M' : 'L'}${x(tsMs)} ${y(value)}`).join('');
}
