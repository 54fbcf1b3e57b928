// Where vehicles were before the page was opened, asked for once so that the plan has its roads.

import { effect, untracked } from '@preact/signals';
import { ApiError } from '../api/client';
import { askTelemetry } from '../api/telemetry';
import { serverNowMs } from './clock';
import { assets, catalogueRevision, prependTrail } from './live';
import type { TrailPoint } from './live';

const VEHICLES_MAX = 16; // two questions each: a small part of the account's rate limit
const SPAN_MS = 45 * 60_000; // a few haul cycles
const STEP_S = 5; // a truck at full speed drives 80 m meanwhile

/** Asks once per vehicle, one after the other. Returns how to stop. */
export function startPast(): () => void {
  const cancel = new AbortController();
  const asked = new Set<string>();
  let busy = false;
  const stop = effect(() => {
    void catalogueRevision.value;
    if (!busy) untracked(() => void askNext());
  });

  async function askNext(): Promise<void> {
    busy = true;
    for (let key = nextKey(); key !== undefined && !cancel.signal.aborted; key = nextKey()) {
      asked.add(key);
      if (!(await askPast(key, cancel.signal))) break;
    }
    busy = false;
  }

  function nextKey(): string | undefined {
    if (asked.size >= VEHICLES_MAX) return undefined;
    return [...assets.values()].find(
      ({ key, kind, place }) => kind === 'vehicle' && place !== null && !asked.has(key),
    )?.key;
  }

  return () => {
    stop();
    cancel.abort();
  };
}

/** False when asking on makes no sense: the server keeps no past, or is busy. */
async function askPast(key: string, cancel: AbortSignal): Promise<boolean> {
  const endMs = serverNowMs();
  const question = { startMs: endMs - SPAN_MS, endMs, aggregate: 'last' as const, stepS: STEP_S };
  try {
    const lats = await askTelemetry({ ...question, series: `${key}/lat_deg` }, cancel);
    const lngs = new Map((await askTelemetry({ ...question, series: `${key}/lng_deg` }, cancel)).points);
    const earlier = lats.points.flatMap(([tsMs, latDeg]): TrailPoint[] => {
      const lngDeg = lngs.get(tsMs);
      return lngDeg === undefined ? [] : [{ tsMs, at: [latDeg, lngDeg] }];
    });
    prependTrail(key, earlier);
    return true;
  } catch (error) {
    if (cancel.aborted || error instanceof ApiError) return false;
    throw error;
  }
}
