// Everything this page knows of the site's assets right now. Owns the merge of REST and sockets:
// frames are gathered and applied once per animation frame, however fast they come.

import { batch, computed, signal } from '@preact/signals';
import { ApiError, get } from '../api/client';
import { items, parseAsset, record, serverTimeOf } from '../api/shapes';
import type { Json } from '../api/shapes';
import { liveSocket } from '../api/socket';
import type { LiveSocket } from '../api/socket';
import { mergeAsset, seriesName } from '../domain/assets';
import type { Asset, Kind } from '../domain/assets';
import { Plan } from '../domain/geography';
import type { LatLng } from '../domain/geography';
import { Recent } from '../domain/recent';
import { PAGE } from '../page';
import { compareClocks } from './clock';
import { learnSites, site, siteTold } from './site';

/** Where all current values of a kind are asked for, and what came of the last question. */
export interface Source {
  kind: Kind;
  path: string;
}

export type SourceState =
  | { state: 'loading' }
  | { state: 'ready' }
  | { state: 'refused'; detail: string }
  | { state: 'failed'; detail: string };

/** Containers and network have no list yet: the sockets send the newest of them at the start. */
export const SOURCES: readonly Source[] = [
  { kind: 'sensor', path: '/api/v1/safety/environmental/sensors' },
  { kind: 'vehicle', path: '/api/v1/assets/vehicles' },
  { kind: 'equipment', path: '/api/v1/assets/equipment' },
  { kind: 'worker', path: '/api/v1/safety/workers' },
];

const RECENT_POINTS = PAGE === 'edge' ? 900 : 240; // the edge's chart lives on this memory
const RECENT_SPACING_MS = 1_000;
const TRAIL_POINTS = 600;
const PENDING_MAX = 20_000; // beyond this the frame is not waited for
const FLUSH_EVERY_MS = 80; // nobody reads numbers that change more often
const PAGE_LIMIT = 500;
const PAGES_MAX = 20; // 10,000 assets of one kind; beyond that the sockets fill in
const RECONCILE_MS = 60_000;
const RECONCILE_WITHOUT_SOCKET_MS = 10_000;

export const assets = new Map<string, Asset>();
const recents = new Map<string, Recent>();
const trails = new Map<string, TrailPoint[]>();

/** Where an asset was, and when. */
export interface TrailPoint {
  tsMs: number;
  at: LatLng;
}

/** Roads and zones as the positions seen so far draw them. */
export let plan = new Plan();

/** Counts applied changes of values: reading it re-renders at most once per animation frame. */
export const revision = signal(0);
/** Counts new assets and metrics: lists are rebuilt only then. */
export const catalogueRevision = signal(0);
export const sourceStates = signal<ReadonlyMap<Kind, SourceState>>(new Map());

/** The socket brought an asset. Listeners get every one, also those conflated on the page. */
export type FrameListener = (asset: Asset) => void;
const listeners = new Set<FrameListener>();

export function onFrame(listener: FrameListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const filter = (): Json => (site.value === null ? {} : { site: site.value });
export const sockets: Record<'sensors' | 'telemetry', LiveSocket> = {
  sensors: liveSocket('/ws/sensors', filter, receive),
  telemetry: liveSocket('/ws/telemetry', filter, receive),
};

const socketStates = computed(() => Object.values(sockets).map(({ status }) => status.value.state));

/** The account may see nothing live at all. */
export const isNothingLive = computed(() => socketStates.value.every((state) => state === 'refused'));

/** Every socket delivers, or is rightly refused. */
export const isLive = computed(
  () => !isNothingLive.value && socketStates.value.every((state) => state === 'live' || state === 'refused'),
);

/** Browser time since when live values have been missing; null while they flow. */
export const interruptedSinceMs = signal<number | null>(null);

let pending: Asset[] = [];
let scheduled = false;
let flushedMs = -Infinity;

function receive(frame: Json): void {
  if (frame['type'] !== 'sensor' && frame['type'] !== 'telemetry') return;
  const asset = parseAsset(frame['data']);
  if (asset === null) return;
  for (const listener of listeners) listener(asset);
  pending.push(asset);
  if (pending.length >= PENDING_MAX) flush();
  else if (!scheduled) schedule();
}

function schedule(): void {
  scheduled = true;
  if (document.hidden)
    setTimeout(flush, 1000); // a hidden tab draws no animation frames
  else
    setTimeout(
      () => requestAnimationFrame(flush),
      Math.max(0, flushedMs + FLUSH_EVERY_MS - performance.now()),
    );
}

function flush(): void {
  scheduled = false;
  flushedMs = performance.now();
  const gathered = pending;
  pending = [];
  apply(gathered);
}

/** Merges changes into the known assets and tells the readers once. */
export function apply(changes: readonly Asset[]): void {
  let changed = false;
  let grown = false;
  for (const change of changes) {
    const merged = mergeAsset(assets, change);
    remember(change);
    if (merged.moved) lengthenTrail(change);
    changed ||= merged.changed || merged.moved;
    grown ||= merged.isNew || merged.newMetrics > 0;
  }
  batch(() => {
    if (changed) revision.value += 1;
    if (grown) catalogueRevision.value += 1;
  });
}

function remember(change: Asset): void {
  for (const [metric, reading] of change.readings) {
    if (typeof reading.value !== 'number') continue;
    const name = seriesName(change, metric);
    let recent = recents.get(name);
    if (recent === undefined) {
      recent = new Recent(RECENT_POINTS, RECENT_SPACING_MS);
      recents.set(name, recent);
    }
    recent.push(reading.tsMs, reading.value);
  }
}

function lengthenTrail({ key, kind, place, tsMs }: Asset): void {
  if (place === null) return;
  const trail = trails.get(key) ?? [];
  const before = trail.at(-1);
  const here: LatLng = [place.latDeg, place.lngDeg];
  if (before !== undefined && kind === 'vehicle') plan.addMove(before.at, here);
  if (place.zone !== null) plan.addSighting(here, place.zone, place.level);
  trail.push({ tsMs, at: here });
  if (trail.length > TRAIL_POINTS) trail.shift();
  trails.set(key, trail);
}

/** Takes where a vehicle was before this page was opened, oldest first. */
export function prependTrail(key: string, earlier: readonly TrailPoint[]): void {
  earlier.forEach(({ at: here }, index) => {
    const before = earlier[index - 1];
    if (before !== undefined) plan.addMove(before.at, here);
  });
  const known = trails.get(key) ?? [];
  const older = earlier.filter(({ tsMs }) => tsMs < (known[0]?.tsMs ?? Infinity));
  trails.set(key, [...older, ...known].slice(-TRAIL_POINTS));
  revision.value += 1;
}

export function recentOf(series: string): Recent | undefined {
  return recents.get(series);
}

export function trailOf(key: string): readonly TrailPoint[] {
  return trails.get(key) ?? [];
}

/** Asks every source for all current values. */
export async function reconcile(): Promise<void> {
  await Promise.all(SOURCES.map(load));
}

async function load(source: Source): Promise<void> {
  const { kind } = source;
  if (sourceStates.value.get(kind)?.state === 'refused') return; // until the account or its roles change
  if (!sourceStates.value.has(kind)) setSource(kind, { state: 'loading' });
  try {
    const found = await loadPages(source);
    setSource(kind, { state: 'ready' });
    siteTold.value ??= found[0]?.site ?? null;
    apply(found);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    learnSites(error);
    setSource(kind, { state: error.isRefused ? 'refused' : 'failed', detail: error.message });
  }
}

async function loadPages({ path }: Source): Promise<Asset[]> {
  const found: Asset[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const data = await get(path, { site: site.value, limit: PAGE_LIMIT, cursor });
    const entries = items(data);
    const serverMs = entries.length > 0 ? serverTimeOf(entries[0]) : null;
    if (serverMs !== null) compareClocks(serverMs);
    found.push(...entries.map(parseAsset).filter((asset) => asset !== null));
    const next: unknown = Array.isArray(data) ? null : record(data, 'data')['next_cursor'];
    if (typeof next !== 'string') break;
    cursor = next;
  }
  return found;
}

function setSource(kind: Kind, state: SourceState): void {
  const known = sourceStates.value.get(kind);
  if (known !== undefined && JSON.stringify(known) === JSON.stringify(state)) return;
  sourceStates.value = new Map(sourceStates.value).set(kind, state);
}

/** How long until the next full question: often while the sockets are silent, else seldom. */
export function reconcileDelayMs(): number {
  return isLive.value ? RECONCILE_MS : RECONCILE_WITHOUT_SOCKET_MS;
}

/** Forgets everything: another account or another site must not see a trace of the last. */
export function forgetAssets(): void {
  assets.clear();
  recents.clear();
  trails.clear();
  plan = new Plan();
  pending = [];
  sourceStates.value = new Map();
  revision.value += 1;
  catalogueRevision.value += 1;
}
