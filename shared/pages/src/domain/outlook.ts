// Which positions make up the site on the map: a receiver without a fix, or a truck in the next town,
// must not stretch the view until nothing can be told apart. Pure.

import type { Asset } from './assets';
import { distanceM } from './geography';
import type { Bounds, LatLng } from './geography';

/** Nothing nearer than this to the middle of the site is ever far away. */
const NEAR_M = 5_000;

/** Beyond this many times the median distance from the middle, an asset does not lead the view. */
const SPREADS_MAX = 8;

/** A view this many times wider than the site is fitted anew. */
const FAR_WIDER = 3;

/** The circle within which positions belong to the site. */
export interface Reach {
  centre: LatLng;
  limitM: number;
}

export interface Outlook {
  reach: Reach | null;
  /** Assets whose positions the whole view is fitted to. */
  leading: readonly Asset[];
  /** Assets far away, or where nothing on earth can be. */
  astray: readonly Asset[];
}

/** Whether a latitude and a longitude exist. */
export function isOnEarth([latDeg, lngDeg]: LatLng): boolean {
  return Math.abs(latDeg) <= 90 && Math.abs(lngDeg) <= 180;
}

/** Where the asset says it is, or null while it has not said so or no such point exists. */
export function pointOf({ place }: Asset): LatLng | null {
  if (place === null) return null;
  const point: LatLng = [place.latDeg, place.lngDeg];
  return isOnEarth(point) ? point : null;
}

/** The circle around the middle of `points` that a few stray ones do not move. */
export function reachOf(points: readonly LatLng[]): Reach | null {
  const [first] = points;
  if (first === undefined) return null;
  if (points.length < 3) {
    // Two that disagree have no middle: the first counts that is not 0, 0, the place of no fix.
    return { centre: points.find(([lat, lng]) => lat !== 0 || lng !== 0) ?? first, limitM: NEAR_M };
  }
  const centre: LatLng = [median(points.map(([lat]) => lat)), median(points.map(([, lng]) => lng))];
  const spreadM = median(points.map((point) => distanceM(centre, point)));
  return { centre, limitM: Math.max(NEAR_M, SPREADS_MAX * spreadM) };
}

/** Whether a point belongs to the site; every one on earth does while the site is unknown. */
export function isWithin(reach: Reach | null, point: LatLng): boolean {
  return isOnEarth(point) && (reach === null || distanceM(reach.centre, point) <= reach.limitM);
}

/** Whether a view fitted to `fitted` was stretched by what no longer leads it. */
export function isFarWider(fitted: Bounds, box: Bounds): boolean {
  return diagonalM(fitted) > Math.max(NEAR_M, FAR_WIDER * diagonalM(box));
}

function diagonalM({ south, west, north, east }: Bounds): number {
  return distanceM([south, west], [north, east]);
}

/** Sorts out who leads the view. Who is silent for long leads it only where everybody is. */
export function outlookOf(assets: readonly Asset[], isOffline: (asset: Asset) => boolean): Outlook {
  const plausible = assets.filter(
    (asset) => pointOf(asset) !== null && !asset.place!.flags.includes('out_of_range'),
  );
  const heard = plausible.filter((asset) => !isOffline(asset));
  const candidates = heard.length > 0 ? heard : plausible;
  const reach = reachOf(candidates.map((asset) => pointOf(asset)!));
  const belongs = (asset: Asset): boolean => isWithin(reach, pointOf(asset)!);
  const near = new Set(plausible.filter(belongs));
  return {
    reach,
    leading: candidates.filter((asset) => near.has(asset)),
    astray: assets.filter((asset) => asset.place !== null && !near.has(asset)),
  };
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
