// The alerts that stand, as the server last told them.

import { signal } from '@preact/signals';
import { ApiError, get } from '../api/client';
import { items, parseAlert } from '../api/shapes';
import { gravestFirst } from '../domain/alerts';
import type { Alert } from '../domain/alerts';
import { site } from './site';

export type AlertsAnswer =
  | { state: 'loading' }
  | { state: 'ready'; alerts: readonly Alert[]; isMore: boolean }
  | { state: 'failed'; detail: string; alerts: readonly Alert[]; isMore: boolean };

/** How often they are asked for. */
export const ALERTS_POLL_MS = 2_000;

const ASKED_MAX = 100; // more than anybody can look at; that there are more is said

export const alerts = signal<AlertsAnswer>({ state: 'loading' });

export async function askAlerts(): Promise<void> {
  try {
    const query = { site: site.value, state: 'raised', limit: ASKED_MAX };
    const data = (await get('/api/v1/safety/alerts', query)) as { next_cursor?: unknown };
    const found = gravestFirst(items(data).map(parseAlert));
    alerts.value = { state: 'ready', alerts: found, isMore: typeof data.next_cursor === 'string' };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.isAbsent) return; // an older server has none
    const last = alerts.value.state === 'loading' ? { alerts: [], isMore: false } : alerts.value;
    alerts.value = { state: 'failed', detail: error.message, alerts: last.alerts, isMore: last.isMore };
  }
}

export function forgetAlerts(): void {
  alerts.value = { state: 'loading' };
}
