// Positions as a list, and one asset in detail.

import { ageText, isStale } from '../domain/age';
import { KIND_TITLES } from '../domain/assets';
import type { Asset } from '../domain/assets';
import { degreeText } from '../domain/geography';
import { metricLabel, numberText, valueText } from '../domain/quantities';
import { LOOK_WORDS, SHAPES, headingOf, lookOf } from '../map/symbols';
import { toggleCharted } from '../state/view';
import { Flags } from './flags';
import { Icon } from './marks';
import { KeySymbol } from './map_key';

const natural = new Intl.Collator('en', { numeric: true });

interface ListProps {
  assets: readonly Asset[];
  nowMs: number;
  selected: string | null;
  onPick: (key: string) => void;
}

export function AssetList({ assets, nowMs, selected, onPick }: ListProps) {
  const sorted = [...assets].sort((a, b) => natural.compare(a.kind, b.kind) || natural.compare(a.id, b.id));
  return (
    <ul class="asset-list" aria-label="Positions">
      {sorted.map((asset) => {
        const look = lookOf(asset, nowMs);
        return (
          <li key={asset.key}>
            <button aria-pressed={asset.key === selected} onClick={() => onPick(asset.key)}>
              <KeySymbol shape={SHAPES[asset.kind]} kind={asset.kind} look={look} />
              <span class="asset-name">{asset.name}</span>
              <span class="muted">
                <Flags names={asset.place?.flags ?? []} /> {placeText(asset)}
              </span>
              <span class={`asset-age ${look}`}>
                {look === 'stale' || look === 'offline'
                  ? `${LOOK_WORDS[look]} ${ageText(nowMs - asset.tsMs)}`
                  : asset.status}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function placeText({ place }: Asset): string {
  return [place?.zone, place?.level === 'surface' ? null : place?.level].filter(Boolean).join(', ');
}

const HIDDEN = new Set([
  'lat_deg',
  'lng_deg',
  'altitude_m',
  'accuracy_m',
  'zone',
  'level',
  'status',
  'boot_id',
  'online',
  'heading_deg',
]);

interface CardProps {
  asset: Asset;
  nowMs: number;
  following: boolean;
  onFollow: () => void;
  onClose: () => void;
}

export function AssetCard({ asset, nowMs, following, onFollow, onClose }: CardProps) {
  const { place } = asset;
  const heading = headingOf(asset);
  const look = lookOf(asset, nowMs);
  const readings = [...asset.readings].filter(([metric]) => !HIDDEN.has(metric));
  return (
    <section class="asset-card" aria-label={`Selected: ${asset.name}`}>
      <header>
        <KeySymbol shape={SHAPES[asset.kind]} kind={asset.kind} look={look} />
        <b>{asset.name}</b>
        <span class="muted">{KIND_TITLES[asset.kind].toLowerCase()}</span>
        <button class="quiet" aria-label="Close the details" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <dl>
        <Item title="Status">
          {asset.status}
          {look === 'stale' && asset.status !== 'stale' && <span class="badge stale">stale</span>}
        </Item>
        <Item title="Last report">{ageText(nowMs - asset.tsMs)} ago</Item>
        {place !== null && (
          <>
            <Item title="Zone">{place.zone ?? '–'}</Item>
            {place.level !== null && <Item title="Level">{place.level}</Item>}
            <Item title="Latitude">{degreeText(place.latDeg, 1e-5, 'N', 'S')}</Item>
            <Item title="Longitude">{degreeText(place.lngDeg, 1e-5, 'E', 'W')}</Item>
            {place.flags.length > 0 && (
              <Item title="Position">
                <Flags names={place.flags} />
              </Item>
            )}
            {place.accuracyM !== null && <Item title="Accuracy">± {place.accuracyM.toFixed(1)} m</Item>}
            {place.altitudeM !== null && (
              <Item title="Altitude">{numberText(Math.round(place.altitudeM))} m</Item>
            )}
          </>
        )}
        {heading !== null && <Item title="Heading">{heading.toFixed(0).padStart(3, '0')}°</Item>}
        {readings.map(([metric, reading]) => (
          <Item key={metric} title={metricLabel(metric, reading.unit)}>
            <span class={isStale(nowMs - reading.tsMs, reading.intervalMs) ? 'stale-word' : ''}>
              {valueText(reading.value)} {reading.unit}
            </span>
            {typeof reading.value !== 'string' && (
              <button
                class="quiet"
                aria-label={`Chart ${metric}`}
                title="Add to or remove from the chart"
                onClick={() => toggleCharted(`${asset.key}/${metric}`)}
              >
                <Icon name="chart" />
              </button>
            )}
          </Item>
        ))}
      </dl>
      {place !== null && (
        <button aria-pressed={following} onClick={onFollow}>
          {following ? 'Stop following' : 'Follow'}
        </button>
      )}
    </section>
  );
}

function Item({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}
