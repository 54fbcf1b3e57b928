// The lines of the chart in words and numbers, at the cursor or at the end.

import { NO_LINE, nearest, summary } from '../domain/lines';
import { metricLabel, numberText } from '../domain/quantities';
import { spanText } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import { exactText, momentText, zoneText } from '../domain/times';
import type { Grain, Track } from '../state/chart';
import { toggleCharted } from '../state/view';
import { Icon } from '../views/marks';
import { DASHES } from './options';

export function Legend(props: { tracks: readonly Track[]; span: Span; cursorMs: number | null; zone: string }) {
  const { tracks, span, cursorMs, zone } = props;
  const at = cursorMs === null ? 'last' : exactText(cursorMs, zone).slice(0, 19);
  return (
    <div class="legend">
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col" class="number" title={cursorMs === null ? 'The newest point shown' : `${at} ${zoneText(cursorMs, zone)}`}>
              {cursorMs === null ? 'last' : at.slice(11)}
            </th>
            <th scope="col">unit</th>
            <th scope="col" class="number">min</th>
            <th scope="col" class="number">mean</th>
            <th scope="col" class="number">max</th>
            <th scope="col">drawn</th>
            <th scope="col" aria-label="Remove" />
          </tr>
        </thead>
        <tbody>
          {tracks.map((track, index) => (
            <LegendLine key={track.series} track={track} index={index} span={span} cursorMs={cursorMs} zone={zone} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LegendLine(props: { track: Track; index: number; span: Span; cursorMs: number | null; zone: string }) {
  const { track, index, span, cursorMs, zone } = props;
  const found = summary(track.line, span.startMs, span.endMs);
  const at = cursorMs === null ? -1 : nearest(track.line, cursorMs);
  const value = cursorMs === null ? found?.last : at < 0 ? undefined : track.line.values[at];
  const [, , id = '', metric = ''] = track.series.split('/');
  return (
    <tr data-series={track.series} data-state={track.state}>
      <th scope="row" title={track.series}>
        <svg class={`swatch series-${index + 1}`} width="26" height="8" viewBox="0 0 26 8" aria-hidden="true">
          <path d="M0 4h26" stroke-dasharray={(DASHES[index] ?? []).join(' ')} />
        </svg>
        {id} <span class="muted">{metricLabel(metric, track.unit)}</span>
      </th>
      <td class="number now">{numeric(value)}</td>
      <td class="muted">{track.unit}</td>
      <td class="number">{numeric(found?.low)}</td>
      <td class="number">{numeric(found?.mean)}</td>
      <td class="number">{numeric(found?.high)}</td>
      <td class="grain">{drawnText(track, found !== null, zone)}</td>
      <td>
        <button class="quiet" aria-label={`Remove ${id} ${metric} from the chart`} onClick={() => toggleCharted(track.series)}>
          <Icon name="close" />
        </button>
      </td>
    </tr>
  );
}

function numeric(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value) ? '–' : numberText(value);
}

function drawnText(track: Track, isShown: boolean, zone: string) {
  if (track.state === 'failed') return <span class="problem">{track.detail}</span>;
  if (track.state === 'loading' && track.line === NO_LINE) return 'loading…';
  const from = track.completeFromMs === null ? '' : `; stored here from ${momentText(track.completeFromMs, zone)}`;
  return `${isShown ? grainText(track.grain) : 'no sample in this range'}${from}`;
}

/** `every sample`, `mean and band of 10 s`, `since this page was opened`. */
export function grainText(grain: Grain): string {
  if (grain.kind === 'samples') return 'every sample';
  if (grain.kind === 'memory') return 'since this page was opened';
  return `mean and band of ${spanText(grain.stepS * 1000)}`;
}
