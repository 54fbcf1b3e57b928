// What stands for an asset on the map: shape by kind, outline and colour by condition.

import { OFFLINE_AFTER_MS, isStale } from '../domain/age';
import type { Asset, Kind } from '../domain/assets';

/** How an asset is drawn. `normal` is quiet; each other one differs in shape as well as colour. */
export type Look = 'normal' | 'idle' | 'fault' | 'stale' | 'offline';

const IDLE_WORDS = new Set(['idle', 'stopped', 'standby', 'parked', 'maintenance', 'queuing', 'waiting']);
const FAULT_WORDS = new Set(['fault', 'down', 'alarm', 'emergency', 'error']);

export function lookOf(asset: Asset, nowMs: number): Look {
  if (asset.connection === 'offline' || asset.status === 'offline') return 'offline';
  if (nowMs - asset.tsMs > OFFLINE_AFTER_MS) return 'offline';
  if (isStale(nowMs - asset.tsMs, 0)) return 'stale';
  if (FAULT_WORDS.has(asset.status)) return 'fault';
  return IDLE_WORDS.has(asset.status) ? 'idle' : 'normal';
}

export const LOOK_WORDS: Record<Look, string> = {
  normal: 'working',
  idle: 'idle or stopped',
  fault: 'fault',
  stale: 'stale',
  offline: 'offline',
};

/** Outlines in a box of 24 by 24 around (12, 12); those with a heading point north. */
export const SHAPES: Record<Kind, string> = {
  vehicle: 'M12 2.5 19 20.5 12 16.8 5 20.5Z',
  worker: 'M12 6.2a5.8 5.8 0 1 1 0 11.6a5.8 5.8 0 1 1 0-11.6Z',
  equipment: 'M6 6h12v12H6Z',
  sensor: 'M12 4.5 19.5 12 12 19.5 4.5 12Z',
  container: 'M8 5h8l4 7-4 7H8l-4-7Z',
  network: 'M12 5 19.5 18.5H4.5Z',
};

/** Whether the symbol turns with the heading; others show it as a tick. */
export const TURNS: Record<Kind, boolean> = {
  vehicle: true,
  worker: false,
  equipment: false,
  sensor: false,
  container: false,
  network: false,
};

/** The direction an asset says it goes, in degrees from north, or null. */
export function headingOf(asset: Asset): number | null {
  const heading = asset.readings.get('heading_deg')?.value;
  return typeof heading === 'number' ? heading : null;
}
