// Which site the page shows. An account of one site never sees a choice.

import { computed, signal } from '@preact/signals';
import { session } from '../api/session';

/** The site asked for by name, or null: the server takes the account's only one. */
export const site = signal<string | null>(null);

/** The site's name as the server told it. */
export const siteTold = signal<string | null>(null);

export const siteName = computed(() => site.value ?? siteTold.value ?? onlySite.value);

const onlySite = computed(() => {
  const sites = session.value.state === 'signed_in' ? session.value.account.sites : [];
  return sites.length === 1 && sites[0] !== '*' ? (sites[0] ?? null) : null;
});

/** The sites to choose from; empty where there is nothing to choose. */
export const siteChoices = computed<readonly string[]>(() => {
  if (session.value.state !== 'signed_in') return [];
  const named = session.value.account.sites.filter((each) => each !== '*');
  return named.length > 1 ? named : [];
});
