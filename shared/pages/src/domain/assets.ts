// Assets and their newest readings. Pure: merges what arrives, never asks the clock.

export const KINDS = ['sensor', 'equipment', 'vehicle', 'worker', 'container', 'network'] as const;
export type Kind = (typeof KINDS)[number];

export type Value = number | boolean | string;

/** The newest sample of one series by device time. */
export interface Reading {
  value: Value;
  unit: string;
  tsMs: number;
  /** Names of what is known against the sample; empty is good. */
  flags: readonly string[];
  /** Usual time between samples as seen by this page, 0 while unknown. */
  intervalMs: number;
}

/** Where an asset last said it is. Degrees and metres, WGS 84. */
export interface Place {
  latDeg: number;
  lngDeg: number;
  altitudeM: number | null;
  accuracyM: number | null;
  zone: string | null;
  level: string | null;
  /** Names of what is known against the position; empty is good. */
  flags: readonly string[];
}

export interface Asset {
  /** `site/kind/id`. */
  key: string;
  site: string;
  kind: Kind;
  id: string;
  name: string;
  /** What the device says of itself, else its connection. */
  status: string;
  /** `online`, `stale` or `offline`, as the server last judged it. */
  connection: string;
  tsMs: number;
  place: Place | null;
  readings: Map<string, Reading>;
}

/** What a message tells of an asset: the changed part only. */
export type AssetChange = Asset;

/** What `mergeAsset` found: new names make lists longer, moved assets lengthen trails. */
export interface Merged {
  isNew: boolean;
  newMetrics: number;
  changed: boolean;
  moved: boolean;
}

export const KIND_TITLES: Record<Kind, string> = {
  sensor: 'Sensors',
  equipment: 'Equipment',
  vehicle: 'Vehicles',
  worker: 'Workers',
  container: 'Containers',
  network: 'Network',
};

const INTERVAL_WEIGHT = 0.3; // of the newest interval in the running mean

export function isKind(text: string): text is Kind {
  return (KINDS as readonly string[]).includes(text);
}

/** `site/kind/id/metric`, the name of a series in every interface. */
export function seriesName(asset: Asset, metric: string): string {
  return `${asset.key}/${metric}`;
}

/**
 * Merges `change` into `assets`. An older reading never replaces a newer one, in whatever order
 * a socket's frames and a catch-up by REST arrive.
 */
export function mergeAsset(assets: Map<string, Asset>, change: AssetChange): Merged {
  const known = assets.get(change.key);
  if (known === undefined) {
    assets.set(change.key, { ...change, readings: new Map(change.readings) });
    return { isNew: true, newMetrics: change.readings.size, changed: true, moved: change.place !== null };
  }
  const merged: Merged = { isNew: false, newMetrics: 0, changed: false, moved: false };
  for (const [metric, reading] of change.readings) mergeReading(known, metric, reading, merged);
  if (change.tsMs >= known.tsMs) {
    known.tsMs = change.tsMs;
    known.status = change.status;
    known.connection = change.connection;
    known.name = change.name;
    if (change.place !== null) {
      merged.moved = !samePoint(known.place, change.place);
      merged.changed ||= known.place?.flags.join() !== change.place.flags.join();
      known.place = placeAfter(known.place, change.place);
    }
  }
  return merged;
}

function mergeReading(asset: Asset, metric: string, reading: Reading, merged: Merged): void {
  const known = asset.readings.get(metric);
  if (known === undefined) {
    asset.readings.set(metric, { ...reading });
    merged.newMetrics += 1;
    merged.changed = true;
    return;
  }
  if (reading.tsMs < known.tsMs) return;
  const elapsedMs = reading.tsMs - known.tsMs;
  known.intervalMs =
    elapsedMs === 0 || known.intervalMs === 0
      ? Math.max(known.intervalMs, elapsedMs)
      : known.intervalMs + INTERVAL_WEIGHT * (elapsedMs - known.intervalMs);
  known.value = reading.value;
  known.unit = reading.unit;
  known.tsMs = reading.tsMs;
  known.flags = reading.flags;
  merged.changed = true;
}

/** A position that does not name its zone or level is still in the one named last. */
function placeAfter(known: Place | null, place: Place): Place {
  return { ...place, zone: place.zone ?? known?.zone ?? null, level: place.level ?? known?.level ?? null };
}

function samePoint(a: Place | null, b: Place): boolean {
  return a !== null && a.latDeg === b.latDeg && a.lngDeg === b.lngDeg;
}
