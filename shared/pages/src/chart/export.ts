// The shown points as a file: exact values, times in UTC.

import type { Span } from '../domain/ranges';
import type { Track } from '../state/chart';

/** Lines of CSV (RFC 4180): one per point of each track within `span`. */
export function csvOf(tracks: readonly Track[], span: Span): string {
  const lines = ['series,unit,resolution,time_utc,value,min,max'];
  for (const { series, unit, grain, line, stretches } of tracks) {
    const resolution =
      grain.kind === 'steps' ? `${grain.stepS} s ${stretches === null ? 'mean' : 'last'}` : 'sample';
    for (const { startMs, endMs, word } of stretches ?? []) {
      if (endMs < span.startMs || startMs > span.endMs) continue;
      lines.push(
        [series, unit, resolution, new Date(startMs).toISOString(), word, '', ''].map(cell).join(','),
      );
    }
    line.times.forEach((tsMs, at) => {
      const value = line.values[at];
      if (value === null || value === undefined || tsMs < span.startMs || tsMs > span.endMs) return;
      const stepStartMs = grain.kind === 'steps' ? tsMs - grain.stepS * 500 : tsMs;
      const cells = [series, unit, resolution, new Date(stepStartMs).toISOString(), value];
      lines.push([...cells, line.low?.[at] ?? '', line.high?.[at] ?? ''].map(cell).join(','));
    });
  }
  return `${lines.join('\r\n')}\r\n`;
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Offers `text` as a file to save. */
export function saveText(text: string, name: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000); // the browser reads it after the click
}
