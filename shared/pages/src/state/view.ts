// What the reader looks at. Owns the address after `#`; back and forward walk through views.

import { computed, signal } from '@preact/signals';
import { CHARTED_MAX, readAddress, writeAddress } from '../domain/address';
import type { Address, View } from '../domain/address';
import type { Range } from '../domain/ranges';
import { announce } from './notices';
import { site } from './site';

export const address = signal<Address>(readAddress(location.hash));

export const view = computed(() => address.value.view);
export const charted = computed(() => address.value.series);
export const range = computed(() => address.value.range);
export const selected = computed(() => address.value.selected);

/** Changes parts of the address. Only another view is a step back in the browser's history. */
export function go(changes: Partial<Address>): void {
  const next = { ...address.value, ...changes };
  const isStep = next.view !== address.value.view;
  address.value = next;
  if (changes.site !== undefined) site.value = changes.site;
  const hash = writeAddress(next);
  const url = hash === '' ? location.pathname + location.search : `#${hash}`;
  if (isStep) history.pushState(null, '', url);
  else history.replaceState(null, '', url);
}

export function show(next: View): void {
  go({ view: next });
}

export function setRange(next: Range): void {
  go({ range: next });
}

export function select(key: string | null): void {
  go({ selected: key });
}

/** Adds a series to the chart, or takes it off. */
export function toggleCharted(series: string): void {
  const now = charted.value;
  if (now.includes(series)) {
    go({ series: now.filter((each) => each !== series) });
    announce(`${series} removed from the chart`);
  } else if (now.length >= CHARTED_MAX) {
    announce(`The chart holds ${CHARTED_MAX} series. Remove one first.`, 'warning');
  } else {
    go({ series: [...now, series] });
    announce(`${series} added to the chart`);
  }
}

/** Follows the browser's back, forward and edited addresses. Returns how to stop it. */
export function startAddress(): () => void {
  site.value = address.value.site;
  const read = (): void => {
    address.value = readAddress(location.hash);
    site.value = address.value.site;
  };
  addEventListener('hashchange', read);
  addEventListener('popstate', read);
  return () => {
    removeEventListener('hashchange', read);
    removeEventListener('popstate', read);
  };
}
