// The link between edge and central and what waits behind it, as the server last told it.

import { computed, signal } from '@preact/signals';
import { ApiError, get } from '../api/client';
import { parseSyncStatus } from '../api/shapes';
import type { EdgeState, SyncStatus } from '../api/shapes';
import { learnSiteZone } from './clock';
import { site, siteTold } from './site';

export type LinkAnswer =
  | { state: 'loading' }
  | { state: 'ready'; status: SyncStatus; atMs: number }
  | { state: 'refused'; detail: string }
  | { state: 'failed'; detail: string; last: SyncStatus | null; atMs: number | null };

/** How often the status is asked for; its age is shown beside it. */
export const LINK_POLL_MS = 5_000;

export const link = signal<LinkAnswer>({ state: 'loading' });

/** The newest status there is, even if the server has stopped answering since. */
export const lastStatus = computed<{ status: SyncStatus; atMs: number } | null>(() => {
  const answer = link.value;
  if (answer.state === 'ready') return { status: answer.status, atMs: answer.atMs };
  if (answer.state === 'failed' && answer.last !== null && answer.atMs !== null) {
    return { status: answer.last, atMs: answer.atMs };
  }
  return null;
});

export interface Backlog {
  batches: number;
  samples: number;
  bytes: number;
  oldestAgeS: number | null;
}

/** What all lanes of an edge together have not got acknowledged. */
export function backlogOf(edge: EdgeState): Backlog {
  const total: Backlog = { batches: 0, samples: 0, bytes: 0, oldestAgeS: null };
  for (const lane of edge.lanes) {
    total.batches += lane.backlogBatches;
    total.samples += lane.backlogSamples;
    total.bytes += lane.backlogBytes;
    if (lane.oldestAgeS !== null) total.oldestAgeS = Math.max(total.oldestAgeS ?? 0, lane.oldestAgeS);
  }
  return total;
}

export async function askLink(): Promise<void> {
  if (link.value.state === 'refused') return; // until the account or its roles change
  try {
    const data = await get('/api/v1/sync/status', { site: site.value });
    const status = parseSyncStatus(data);
    siteTold.value = status.site;
    learnSiteZone(status.timeZone);
    link.value = { state: 'ready', status, atMs: Date.now() };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const last = lastStatus.value;
    link.value = error.isRefused
      ? { state: 'refused', detail: error.message }
      : { state: 'failed', detail: error.message, last: last?.status ?? null, atMs: last?.atMs ?? null };
  }
}

export function forgetLink(): void {
  link.value = { state: 'loading' };
}
