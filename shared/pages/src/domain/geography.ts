// The site's plan as positions draw it: roads, zones, graticule. Pure; degrees and metres, WGS 84.

export type LatLng = readonly [latDeg: number, lngDeg: number];

const METRES_PER_DEGREE = 111_320; // of latitude
const GRATICULE_STEPS_DEG = [1, 2, 5].flatMap((digit) =>
  [-6, -5, -4, -3, -2, -1, 0].map((power) => digit * 10 ** power),
);

/** Metres between two points of one site (flat earth: exact to a millimetre per kilometre). */
export function distanceM(a: LatLng, b: LatLng): number {
  const northM = (b[0] - a[0]) * METRES_PER_DEGREE;
  const eastM = (b[1] - a[1]) * METRES_PER_DEGREE * Math.cos((a[0] * Math.PI) / 180);
  return Math.hypot(northM, eastM);
}

/** The smallest of the steps 1, 2, 5 · 10ⁿ degrees that gives at most `linesMax` lines. */
export function graticuleStepDeg(spanDeg: number, linesMax: number): number {
  const sorted = [...GRATICULE_STEPS_DEG].sort((a, b) => a - b);
  return sorted.find((step) => spanDeg / step <= linesMax) ?? 10;
}

/** Multiples of `stepDeg` within [fromDeg, toDeg]. */
export function graticuleLines(fromDeg: number, toDeg: number, stepDeg: number): number[] {
  const lines: number[] = [];
  for (let index = Math.ceil(fromDeg / stepDeg); index * stepDeg <= toDeg; index += 1)
    lines.push(index * stepDeg);
  return lines;
}

/** `10.4875° N` with as many digits as `stepDeg` needs. */
export function degreeText(valueDeg: number, stepDeg: number, positive: string, negative: string): string {
  const digits = Math.max(0, -Math.floor(Math.log10(stepDeg) + 1e-9));
  const side = valueDeg > 0 ? positive : valueDeg < 0 ? negative : '';
  return `${Math.abs(valueDeg).toFixed(digits)}° ${side}`.trim();
}

/** The convex hull of `points`, counter-clockwise; fewer than three points come back as they are. */
export function hull(points: readonly LatLng[]): LatLng[] {
  const sorted = [...points].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  if (sorted.length < 3) return sorted;
  const lower = halfHull(sorted);
  const upper = halfHull(sorted.reverse());
  return [...lower.slice(0, -1), ...upper.slice(0, -1)];
}

function halfHull(sorted: readonly LatLng[]): LatLng[] {
  const chain: LatLng[] = [];
  for (const point of sorted) {
    while (chain.length > 1 && turn(chain[chain.length - 2]!, chain[chain.length - 1]!, point) <= 0)
      chain.pop();
    chain.push(point);
  }
  return chain;
}

function turn(a: LatLng, b: LatLng, c: LatLng): number {
  return (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1]);
}

/** The middle of the northern edge of `points`: where a zone's name stands, clear of who is in it. */
export function northernEdge(points: readonly LatLng[]): LatLng {
  const box = points.reduce<Bounds | null>(around, null);
  return box === null ? [0, 0] : [box.north, (box.west + box.east) / 2];
}

/** A box of latitudes and longitudes. */
export interface Bounds {
  south: number;
  west: number;
  north: number;
  east: number;
}

/** The smallest box that holds `bounds` and `point`. */
export function around(bounds: Bounds | null, [lat, lng]: LatLng): Bounds {
  if (bounds === null) return { south: lat, west: lng, north: lat, east: lng };
  return {
    south: Math.min(bounds.south, lat),
    west: Math.min(bounds.west, lng),
    north: Math.max(bounds.north, lat),
    east: Math.max(bounds.east, lng),
  };
}

const CELL_M = 12; // about a haul truck: passes of one road fall together, two roads do not
const JUMP_M = 400; // further between two reports is a gap in reception, not a road
const SEGMENTS_MAX = 6_000;
const ZONE_POINTS_MAX = 400;

/**
 * Where assets have been seen to drive and work. Grows with every move; a road driven twice is
 * kept once, so that memory is bounded by the site and not by time.
 */
export class Plan {
  readonly #segments = new Map<string, [LatLng, LatLng]>();
  readonly #zones = new Map<string, Map<string, LatLng>>();
  /** Counts what was new: whoever draws the plan draws it again when this changes. */
  version = 0;

  /** Takes a move of an asset that drives; false when nothing about it is new. */
  addMove(from: LatLng, to: LatLng): boolean {
    const lengthM = distanceM(from, to);
    if (lengthM < 1 || lengthM > JUMP_M || this.#segments.size >= SEGMENTS_MAX) return false;
    const ends = [cell(from), cell(to)].sort();
    const key = ends.join(' ');
    if (ends[0] === ends[1] || this.#segments.has(key)) return false;
    this.#segments.set(key, [from, to]);
    this.version += 1;
    return true;
  }

  /** Takes a sighting in a zone of a level. */
  addSighting(at: LatLng, zone: string, level: string | null): void {
    const name = `${level ?? ''}/${zone}`;
    let points = this.#zones.get(name);
    if (points === undefined) this.#zones.set(name, (points = new Map()));
    const key = cell(at);
    if (points.has(key) || points.size >= ZONE_POINTS_MAX) return;
    points.set(key, at);
    this.version += 1;
  }

  segments(): [LatLng, LatLng][] {
    return [...this.#segments.values()];
  }

  zones(): { zone: string; level: string | null; points: LatLng[] }[] {
    return [...this.#zones].map(([name, points]) => {
      const slash = name.indexOf('/');
      return {
        zone: name.slice(slash + 1),
        level: name.slice(0, slash) || null,
        points: [...points.values()],
      };
    });
  }
}

function cell([latDeg, lngDeg]: LatLng): string {
  const size = CELL_M / METRES_PER_DEGREE;
  return `${Math.round(latDeg / size)},${Math.round((lngDeg * Math.cos((latDeg * Math.PI) / 180)) / size)}`;
}
