// Series of words (a status, a zone) as stretches of time. Pure.

export type Said = readonly [tsMs: number, word: string];

/** A word held from one time to another. */
export interface Stretch {
  startMs: number;
  endMs: number;
  word: string;
}

/** After its last sample a word is believed for this long. */
const BELIEVED_MS = 15 * 60_000;

/**
 * The stretches that `said` makes, ascending. A word holds until the next sample: devices send
 * such series when something changes. The last one holds until `nowMs`, but no longer than it is
 * believed.
 */
export function stretches(said: readonly Said[], nowMs: number): Stretch[] {
  const found: Stretch[] = [];
  said.forEach(([tsMs, word], at) => {
    const next = said[at + 1];
    const endMs = next === undefined ? Math.max(tsMs, Math.min(nowMs, tsMs + BELIEVED_MS)) : next[0];
    const before = found.at(-1);
    if (before?.word === word && before.endMs === tsMs) before.endMs = endMs;
    else found.push({ startMs: tsMs, endMs, word });
  });
  return found;
}

/** The word at `tsMs`, or null. */
export function wordAt(found: readonly Stretch[], tsMs: number): string | null {
  return found.find(({ startMs, endMs }) => startMs <= tsMs && tsMs <= endMs)?.word ?? null;
}

/** Words of `found` within [startMs, endMs] with their share of the time covered, longest first. */
export function shares(
  found: readonly Stretch[],
  startMs: number,
  endMs: number,
): [word: string, share: number][] {
  const lasted = new Map<string, number>();
  let totalMs = 0;
  for (const stretch of found) {
    const spanMs = Math.min(stretch.endMs, endMs) - Math.max(stretch.startMs, startMs);
    if (spanMs <= 0) continue;
    totalMs += spanMs;
    lasted.set(stretch.word, (lasted.get(stretch.word) ?? 0) + spanMs);
  }
  return [...lasted]
    .map(([word, spanMs]): [string, number] => [word, spanMs / totalMs])
    .sort((a, b) => b[1] - a[1]);
}
