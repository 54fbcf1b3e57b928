// What the chart shows to somebody who has not chosen: the gas that a mine watches first.

import { effect, untracked } from '@preact/signals';
import type { Asset } from '../domain/assets';
import { assets, catalogueRevision } from './live';
import { address, charted, go } from './view';

const WATCHED = ['ch4_pct', 'co_ppm', 'o2_pct'];
const SUGGESTED_MAX = 2;

/** Where the most watched metric there is reads highest; else the first numbers there are. */
export function suggestion(known: Iterable<Asset>): string[] {
  const numbers: { series: string; metric: string; value: number }[] = [];
  for (const asset of known) {
    for (const [metric, { value }] of asset.readings) {
      if (asset.kind === 'sensor' && typeof value === 'number')
        numbers.push({ series: `${asset.key}/${metric}`, metric, value });
    }
  }
  numbers.sort((a, b) => a.series.localeCompare(b.series, 'en', { numeric: true }));
  const watched =
    WATCHED.find((metric) => numbers.some((each) => each.metric === metric)) ?? numbers[0]?.metric;
  const candidates = numbers.filter(({ metric }) => metric === watched).sort((a, b) => b.value - a.value);
  return candidates.slice(0, SUGGESTED_MAX).map(({ series }) => series);
}

/** Suggests once, when the first assets are known and the address names no series. */
export function startSuggestion(): () => void {
  let done = charted.peek().length > 0;
  return effect(() => {
    void catalogueRevision.value;
    if (done) return;
    untracked(() => {
      const series = address.value.series.length > 0 ? [] : suggestion(assets.values());
      if (series.length === 0) return;
      done = true;
      go({ series });
    });
  });
}
