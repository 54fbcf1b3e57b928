// How old a reading is, in words, and when it no longer speaks for the present.

/** The servers' own `stale_after_s`: the same word means the same on page and API. */
export const STALE_AFTER_MS = 30_000;

/** A device that is silent for this long is offline; the servers' rule as well. */
export const OFFLINE_AFTER_MS = 10 * STALE_AFTER_MS;

/** A series that usually comes rarely is stale after this many of its own intervals. */
const INTERVALS_UNTIL_STALE = 3;

/** No series is trusted for longer than this without a sample, however rare it is. */
const STALE_AFTER_MAX_MS = 15 * 60_000;

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export function staleAfterMs(intervalMs: number): number {
  const byInterval = Math.min(INTERVALS_UNTIL_STALE * intervalMs, STALE_AFTER_MAX_MS);
  return Math.max(STALE_AFTER_MS, byInterval);
}

export function isStale(ageMs: number, intervalMs: number): boolean {
  return ageMs > staleAfterMs(intervalMs);
}

/** `4 s`, `3:07 min`, `2 h 05 min`, `6 d 4 h`; `in 3 s` for a device clock that runs ahead. */
export function ageText(ageMs: number): string {
  if (ageMs <= -SECOND_MS) return `in ${ageText(-ageMs)}`;
  const age = Math.max(0, ageMs);
  if (age < MINUTE_MS) return `${Math.floor(age / SECOND_MS)} s`;
  if (age < HOUR_MS) {
    return `${Math.floor(age / MINUTE_MS)}:${two(Math.floor((age % MINUTE_MS) / SECOND_MS))} min`;
  }
  if (age < DAY_MS) {
    return `${Math.floor(age / HOUR_MS)} h ${two(Math.floor((age % HOUR_MS) / MINUTE_MS))} min`;
  }
  return `${Math.floor(age / DAY_MS)} d ${Math.floor((age % DAY_MS) / HOUR_MS)} h`;
}

function two(count: number): string {
  return String(count).padStart(2, '0');
}
