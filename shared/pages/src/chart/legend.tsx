// The lines of the chart in words and numbers, at the cursor or at the end.

import { NO_LINE, nearest, summary } from '../domain/lines';
import type { Summary } from '../domain/lines';
import { metricLabel, numberText } from '../domain/quantities';
import { spanText } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import { exactText, momentText, zoneText } from '../domain/times';
import { shares, wordAt } from '../domain/stretches';
import type { Track } from '../state/chart';
import type { Grain } from '../state/track_answers';
import { toggleCharted } from '../state/view';
import { Icon } from '../views/marks';

export function Legend(props: {
  tracks: readonly Track[];
  span: Span;
  cursorMs: number | null;
  zone: string;
}) {
  const { tracks, span, cursorMs, zone } = props;
  const at = cursorMs === null ? 'last' : exactText(cursorMs, zone).slice(0, 19);
  return (
    <div class="legend">
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th
              scope="col"
              class="number"
              title={cursorMs === null ? 'The newest point shown' : `${at} ${zoneText(cursorMs, zone)}`}
            >
              {cursorMs === null ? 'last' : at.slice(11)}
            </th>
            <th scope="col">unit</th>
            <th scope="col" class="number">
              min
            </th>
            <th scope="col" class="number">
              mean
            </th>
            <th scope="col" class="number">
              max
            </th>
            <th scope="col">drawn</th>
            <th scope="col" aria-label="Remove" />
          </tr>
        </thead>
        <tbody>
          {tracks.map((track, index) => (
            <LegendLine
              key={track.series}
              track={track}
              index={index}
              span={span}
              cursorMs={cursorMs}
              zone={zone}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LegendLine(props: {
  track: Track;
  index: number;
  span: Span;
  cursorMs: number | null;
  zone: string;
}) {
  const { track, index, span, cursorMs, zone } = props;
  const found = summary(track.line, span.startMs, span.endMs);
  const words = track.stretches === null ? [] : shares(track.stretches, span.startMs, span.endMs);
  const [, , id = '', metric = ''] = track.series.split('/');
  return (
    <tr data-series={track.series} data-state={track.state}>
      <th scope="row" title={track.series}>
        <span class={`swatch series-${index + 1}`}>{index + 1}</span>
        {id} <span class="muted">{metricLabel(metric, track.unit)}</span>
      </th>
      <td class="number now">{nowText(track, found, cursorMs)}</td>
      <td class="muted">{track.unit}</td>
      {track.stretches === null ? (
        <>
          <td class="number">{numeric(found?.low)}</td>
          <td class="number">{numeric(found?.mean)}</td>
          <td class="number">{numeric(found?.high)}</td>
        </>
      ) : (
        <td colSpan={3} class="shares">
          {words
            .slice(0, 3)
            .map(([word, share]) => `${word} ${Math.round(share * 100)} %`)
            .join(' · ')}
        </td>
      )}
      <td class="grain">{drawnText(track, found !== null || words.length > 0, zone)}</td>
      <td>
        <button
          class="quiet"
          aria-label={`Remove ${id} ${metric} from the chart`}
          onClick={() => toggleCharted(track.series)}
        >
          <Icon name="close" />
        </button>
      </td>
    </tr>
  );
}

/** What the series reads at the cursor, or last within the range. */
function nowText({ line, stretches }: Track, found: Summary | null, cursorMs: number | null): string {
  if (stretches !== null)
    return (cursorMs === null ? stretches.at(-1)?.word : wordAt(stretches, cursorMs)) ?? '–';
  return numeric(cursorMs === null ? found?.last : line.values[nearest(line, cursorMs)]);
}

function numeric(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value) ? '–' : numberText(value);
}

function drawnText(track: Track, isShown: boolean, zone: string) {
  if (track.state === 'failed') return <span class="problem">{track.detail}</span>;
  if (track.state === 'loading' && track.line === NO_LINE && track.stretches === null) return 'loading…';
  const from =
    track.completeFromMs === null ? '' : `; stored here from ${momentText(track.completeFromMs, zone)}`;
  return `${isShown ? grainText(track.grain, track.stretches !== null) : 'no sample in this range'}${from}`;
}

/** `every sample`, `mean and band of 10 s`, `since this page was opened`. */
export function grainText(grain: Grain, isWords: boolean): string {
  if (grain.kind === 'samples') return 'every sample';
  if (grain.kind === 'memory') return 'since this page was opened';
  return `${isWords ? 'last word' : 'mean and band'} of ${spanText(grain.stepS * 1000)}`;
}
