// The rows of the live values.

import { ageText, isStale } from '../domain/age';
import { KIND_TITLES } from '../domain/assets';
import type { Asset } from '../domain/assets';
import { metricLabel, numberText, valueText } from '../domain/quantities';
import { exactText, zoneText } from '../domain/times';
import type { GroupRow, ReadingRow, WordRow } from '../domain/rows';
import { zone } from '../state/clock';
import { revision } from '../state/live';
import { charted, toggleCharted } from '../state/view';
import { lookOf } from '../map/symbols';
import { Flags } from './flags';
import { Icon } from './marks';
import { Sparkline } from './sparkline';

/** What every row of the list has. */
export interface Frame {
  id: string;
  index: number;
  isActive: boolean;
  onPick: () => void;
}

function frameProps({ id, index, isActive, onPick }: Frame) {
  // +2: rows are counted from 1 and the first is the header
  return { id, role: 'row' as const, 'aria-rowindex': index + 2, 'aria-selected': isActive, onClick: onPick };
}

export function GroupLine({ row, frame, onToggle }: { row: GroupRow; frame: Frame; onToggle: () => void }) {
  return (
    <div class="row group" {...frameProps(frame)} aria-expanded={row.open} onDblClick={onToggle}>
      <span role="gridcell" aria-colspan={8} class="c-all">
        <button
          class="group-toggle"
          tabIndex={-1}
          onClick={onToggle}
          aria-label={row.open ? 'Close' : 'Open'}
        >
          <Icon name={row.open ? 'down' : 'right'} />
        </button>
        <b>{KIND_TITLES[row.kind]}</b>
        <span class="muted">
          {numberText(row.assets)} {row.assets === 1 ? 'asset' : 'assets'} · {numberText(row.readings)}{' '}
          readings
        </span>
        {row.stale > 0 && <span class="badge stale">{numberText(row.stale)} stale</span>}
        {row.flagged > 0 && <span class="badge warning">{numberText(row.flagged)} flagged</span>}
      </span>
    </div>
  );
}

export function WordLine({ row, frame }: { row: WordRow; frame: Frame }) {
  return (
    <div class={`row word-row ${row.weight}`} {...frameProps(frame)}>
      <span role="gridcell" aria-colspan={8} class="c-all">
        {row.text}
      </span>
    </div>
  );
}

/** What the device says of itself; its connection is told by the ages. */
function AssetStatus({ asset, nowMs }: { asset: Asset; nowMs: number }) {
  const look = lookOf(asset, nowMs);
  if (look === 'offline') return <i class="status offline">offline</i>;
  if (asset.status === asset.connection) return null;
  return <i class={`status ${look}`}>{asset.status}</i>;
}

export function ReadingLine({ row, frame, nowMs }: { row: ReadingRow; frame: Frame; nowMs: number }) {
  void revision.value; // readings change in place
  const { asset, metric, series } = row;
  const reading = asset.readings.get(metric);
  if (reading === undefined) return null;
  const ageMs = nowMs - reading.tsMs;
  const stale = isStale(ageMs, reading.intervalMs);
  const isText = typeof reading.value === 'string';
  const inChart = charted.value.includes(series);
  const at = `${exactText(reading.tsMs, zone.value)} ${zoneText(reading.tsMs, zone.value)}`;
  return (
    <div class={`row reading ${stale ? 'stale' : ''}`} {...frameProps(frame)} data-series={series}>
      <span
        role="gridcell"
        class={`c-asset ${row.again ? 'again' : ''}`}
        title={`${asset.name} · ${asset.status}`}
      >
        {asset.name}
        {!row.again && <AssetStatus asset={asset} nowMs={nowMs} />}
      </span>
      <span role="gridcell" class="c-metric" title={metric}>
        {metricLabel(metric, reading.unit)}
      </span>
      <span role="gridcell" class={`c-value ${isText ? 'text' : ''}`} title={String(reading.value)}>
        {valueText(reading.value)}
      </span>
      <span role="gridcell" class="c-unit">
        {reading.unit}
      </span>
      <span role="gridcell" class="c-trend">
        {typeof reading.value === 'number' && <Sparkline series={series} nowMs={nowMs} />}
      </span>
      <span role="gridcell" class="c-age" title={at}>
        {ageText(ageMs)}
      </span>
      <span role="gridcell" class="c-quality">
        {stale && (
          <span class="badge stale" title={`No sample since ${at}`}>
            stale
          </span>
        )}
        <Flags names={reading.flags} />
        {!stale && reading.flags.length === 0 && <span class="good">good</span>}
      </span>
      <span role="gridcell" class="c-chart">
        <button
          class="quiet"
          tabIndex={-1}
          aria-pressed={inChart}
          aria-label={`${inChart ? 'Remove' : 'Chart'} ${asset.name} ${metric}`}
          title={inChart ? 'Remove from the chart' : 'Add to the chart (Enter)'}
          onClick={() => toggleCharted(series)}
        >
          <Icon name="chart" />
        </button>
      </span>
    </div>
  );
}
