// Which site the page shows. An account of one site never sees a choice.

import { computed, signal } from '@preact/signals';
import type { ApiError } from '../api/client';
import { session } from '../api/session';

/** The site asked for by name, or null: the server takes the account's only one. */
export const site = signal<string | null>(null);

/** The site's name as the server told it. */
export const siteTold = signal<string | null>(null);

/** Sites the server named when it asked which one is meant. */
const sitesTold = signal<readonly string[]>([]);

const accountSites = computed(() => {
  const sites = session.value.state === 'signed_in' ? session.value.account.sites : [];
  return sites.filter((each) => each !== '*');
});

export const siteName = computed(
  () => site.value ?? siteTold.value ?? (accountSites.value.length === 1 ? accountSites.value[0]! : null),
);

/** The sites to choose from; empty where there is nothing to choose. */
export const siteChoices = computed<readonly string[]>(() => {
  const named = [...new Set([...accountSites.value, ...sitesTold.value])].sort();
  return named.length > 1 ? named : [];
});

/** An account of every site learns their names from the answer to a question that named none. */
export function learnSites(error: ApiError): void {
  const asked = error.mistakes.find(({ field }) => field === 'site');
  const names = /one of: (.+)$/.exec(asked?.message ?? '')?.[1]?.split(', ') ?? [];
  if (names.length > 1) sitesTold.value = names;
}

export function forgetSites(): void {
  siteTold.value = null;
  sitesTold.value = [];
}
