// What the chart draws beside its lines: their numbers at the end, and words as lanes above.

import type uPlot from 'uplot';
import type { Line } from '../domain/lines';
import type { Span } from '../domain/ranges';
import type { Stretch } from '../domain/stretches';
import type { Track } from '../state/chart';

export const LANE_HEIGHT_PX = 20;
const LANE_GAP_PX = 3;
const TAG_PX = 15;
const WORD_MARGIN_PX = 5;

export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The numbers that tell lines apart without colour; they are pushed apart where lines meet. */
export function drawTags(
  chart: uPlot,
  tracks: readonly Track[],
  span: Span,
  scaleOf: (unit: string) => string,
): void {
  const ratio = devicePixelRatio;
  const size = TAG_PX * ratio;
  const tags = tracks.flatMap((track, index) => {
    const at = lastWithin(track.line, span);
    if (at === null) return [];
    return [
      { index, x: chart.valToPos(at[0], 'x', true), y: chart.valToPos(at[1], scaleOf(track.unit), true) },
    ];
  });
  tags.sort((a, b) => a.y - b.y);
  const { ctx, bbox } = chart;
  let freeY = bbox.top;
  for (const tag of tags) {
    const y = Math.min(Math.max(tag.y - size / 2, freeY), bbox.top + bbox.height - size);
    const x = Math.min(tag.x + 3 * ratio, bbox.left + bbox.width - size);
    freeY = y + size + ratio;
    drawTag(ctx, tag.index, x, y, size);
  }
}

function drawTag(ctx: CanvasRenderingContext2D, index: number, x: number, y: number, size: number): void {
  ctx.save();
  ctx.fillStyle = color(`--series-${index + 1}`);
  ctx.beginPath();
  ctx.roundRect(x, y, size, size, size / 4);
  ctx.fill();
  ctx.fillStyle = color('--panel');
  ctx.font = `700 ${Math.round(size * 0.72)}px ${color('--font')}`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.fillText(String(index + 1), x + size / 2, y + size / 2 + 0.5);
  ctx.restore();
}

function lastWithin(line: Line, span: Span): [tsMs: number, value: number] | null {
  for (let at = line.times.length - 1; at >= 0; at -= 1) {
    const value = line.values[at];
    const tsMs = line.times[at]!;
    if (value !== null && value !== undefined && tsMs <= span.endMs)
      return tsMs < span.startMs ? null : [tsMs, value];
  }
  return null;
}

/** Words as a lane of stretches above the plot, one lane per series. */
export function drawLanes(chart: uPlot, tracks: readonly Track[]): void {
  const lanes = tracks.flatMap((track, index) =>
    track.stretches === null ? [] : [{ index, stretches: track.stretches }],
  );
  const ratio = devicePixelRatio;
  lanes.forEach(({ index, stretches }, lane) => {
    const top = chart.bbox.top - (lanes.length - lane) * LANE_HEIGHT_PX * ratio;
    const height = (LANE_HEIGHT_PX - LANE_GAP_PX) * ratio;
    for (const stretch of stretches) drawStretch(chart, stretch, top, height);
    drawTag(chart.ctx, index, chart.bbox.left - height - 3 * ratio, top, height);
  });
}

function drawStretch(chart: uPlot, stretch: Stretch, top: number, height: number): void {
  const { ctx, bbox } = chart;
  const left = Math.max(bbox.left, chart.valToPos(stretch.startMs, 'x', true));
  const right = Math.min(bbox.left + bbox.width, chart.valToPos(stretch.endMs, 'x', true));
  if (right <= left) return;
  const look = lookOfWord(stretch.word);
  ctx.save();
  ctx.fillStyle = look.ground;
  ctx.fillRect(left, top, Math.max(right - left, devicePixelRatio), height);
  ctx.fillStyle = color('--panel');
  ctx.fillRect(left, top, devicePixelRatio, height); // where it began
  ctx.beginPath();
  ctx.rect(left, top, right - left, height);
  ctx.clip();
  ctx.font = `550 ${11 * devicePixelRatio}px ${color('--font')}`;
  ctx.textBaseline = 'middle';
  ctx.fillStyle = look.ink;
  const margin = WORD_MARGIN_PX * devicePixelRatio;
  if (ctx.measureText(stretch.word).width + 2 * margin <= right - left) {
    ctx.fillText(stretch.word, left + margin, top + height / 2 + 0.5);
  }
  ctx.restore();
}

const BAD_WORDS = new Set(['fault', 'down', 'alarm', 'emergency', 'error', 'offline']);
const QUIET_WORDS = new Set(['idle', 'stopped', 'standby', 'parked', 'maintenance', 'false']);

/** Grounds of words that are neither bad nor quiet: told apart from their neighbours, no more. */
const PLAIN_GROUNDS = ['--lane-1', '--lane-2', '--lane-3', '--lane-4'];

function lookOfWord(word: string): { ground: string; ink: string } {
  if (BAD_WORDS.has(word)) return { ground: color('--bad'), ink: color('--panel') };
  if (QUIET_WORDS.has(word)) return { ground: color('--line'), ink: color('--text') };
  let sum = 0;
  for (const letter of word) sum += letter.charCodeAt(0);
  return { ground: color(PLAIN_GROUNDS[sum % PLAIN_GROUNDS.length]!), ink: color('--text') };
}
