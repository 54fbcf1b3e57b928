// What the symbols of the map mean; only those that are on it.

import { KIND_TITLES, KINDS } from '../domain/assets';
import type { Asset } from '../domain/assets';
import { LOOK_WORDS, SHAPES, lookOf } from '../map/symbols';
import type { Look } from '../map/symbols';

const LOOKS: readonly Look[] = ['idle', 'fault', 'stale', 'offline'];

export function MapKey({ assets, nowMs }: { assets: readonly Asset[]; nowMs: number }) {
  const kinds = KINDS.filter((kind) => assets.some((asset) => asset.kind === kind));
  const present = new Set(assets.map((asset) => lookOf(asset, nowMs)));
  const looks = LOOKS.filter((look) => present.has(look));
  if (kinds.length === 0) return null;
  return (
    <ul class="map-key" aria-label="Symbols">
      {kinds.map((kind) => (
        <li key={kind}>
          <KeySymbol shape={SHAPES[kind]} kind={kind} look="normal" /> {KIND_TITLES[kind].toLowerCase()}
        </li>
      ))}
      {looks.map((look) => (
        <li key={look}>
          <KeySymbol shape={SHAPES.equipment} kind="equipment" look={look} /> {LOOK_WORDS[look]}
        </li>
      ))}
    </ul>
  );
}

export function KeySymbol({ shape, kind, look }: { shape: string; kind: string; look: Look }) {
  return (
    <span class={`symbol ${kind} ${look}`}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path class="body" d={shape} />
        <path class="cross" d="M5 5 19 19M19 5 5 19" />
        <path class="alert" d="M12 8.5v4.5M12 15.2v.3" />
      </svg>
    </span>
  );
}
