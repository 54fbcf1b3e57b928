// The page's sense of time: one tick a second, and the server's time, by which ages are told.

import { computed, signal } from '@preact/signals';
import { isZone, zoneId } from '../domain/times';
import type { ZoneChoice } from '../domain/times';
import { preference } from './preferences';

/** The middle of this many comparisons is the clock difference; one slow answer changes nothing. */
const COMPARISONS = 9;

/** A browser clock further off than this is worth a word to the reader. */
const CLOCK_DIFFERENCE_SHOWN_MS = 5_000;

const comparisons: number[] = [];
const differenceMs = signal(0);

/** Browser time of the last tick, once a second. */
export const tickMs = signal(Date.now());

/** The server's time now, as far as known. */
export function serverNowMs(): number {
  return Date.now() + differenceMs.value;
}

/** The server's time at the last tick: reading it re-renders once a second. */
export const nowMs = computed(() => tickMs.value + differenceMs.value);

/** How far this computer's clock is ahead of the server's, or null when that does not matter. */
export const clockAheadMs = computed(() =>
  Math.abs(differenceMs.value) > CLOCK_DIFFERENCE_SHOWN_MS ? -differenceMs.value : null,
);

/** Takes the server's time as read from an answer that just arrived. */
export function compareClocks(serverMs: number): void {
  comparisons.push(serverMs - Date.now());
  if (comparisons.length > COMPARISONS) comparisons.shift();
  const sorted = [...comparisons].sort((a, b) => a - b);
  differenceMs.value = sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const ZONE_CHOICES: readonly ZoneChoice[] = ['site', 'utc', 'browser'];
export const zoneChoice = preference<ZoneChoice>('zone', 'site', ZONE_CHOICES);

/** The site's zone as the server says it, or null. */
const zoneTold = signal<string | null>(null);

/** The site's zone as the reader set it for the sites shown in this browser; empty while unset. */
const zoneSet = preference<string>('site-zone', '', null);

/** IANA name of the site's zone, or null while nobody has said. */
export const siteZone = computed(() => zoneTold.value ?? (isZone(zoneSet.value) ? zoneSet.value : null));

/** Whether the reader may set the site's zone: not where the server says it. */
export const siteZoneIsOpen = computed(() => zoneTold.value === null);

export function learnSiteZone(zone: string | null): void {
  if (zone !== null && isZone(zone)) zoneTold.value = zone;
}

export function setSiteZone(zone: string): void {
  zoneSet.value = zone;
  zoneChoice.value = 'site';
}

/** IANA name of the zone that every time is shown in. */
export const zone = computed(() => zoneId({ choice: zoneChoice.value, site: siteZone.value }));

/** The choices that mean something now, in the order of the toggle. */
export const zoneChoices = computed(() =>
  siteZone.value === null ? (['utc', 'browser'] as const) : ZONE_CHOICES,
);

export function nextZone(): void {
  const choices: readonly ZoneChoice[] = zoneChoices.value;
  const at = choices.indexOf(shownZoneChoice.value);
  zoneChoice.value = choices[(at + 1) % choices.length] ?? 'utc';
}

/** The choice in force: without a known site zone, the browser's stands in. */
export const shownZoneChoice = computed<ZoneChoice>(() =>
  zoneChoice.value === 'site' && siteZone.value === null ? 'browser' : zoneChoice.value,
);

/** Starts the tick, in step with the seconds of the clock. Returns how to stop it. */
export function startClock(): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const beat = (): void => {
    tickMs.value = Date.now();
    timer = setTimeout(beat, 1000 - (Date.now() % 1000));
  };
  beat();
  return () => clearTimeout(timer);
}
