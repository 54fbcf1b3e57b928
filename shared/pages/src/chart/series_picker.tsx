// The field that finds a series by parts of its name and adds it to the chart.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api/client';
import { askSeries } from '../api/telemetry';
import type { SeriesEntry } from '../api/shapes';
import { CHARTED_MAX } from '../domain/address';
import { assets } from '../state/live';
import { site } from '../state/site';
import { charted, toggleCharted } from '../state/view';

const SETTLE_MS = 150; // of typing
const LOCAL_LIMIT = 40;

export function SeriesPicker() {
  const [search, setSearch] = useState('');
  const [open, setOpen] = useState(false);
  const [found, setFound] = useState<readonly SeriesEntry[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);

  useEffect(() => {
    if (!open) return;
    const cancel = new AbortController();
    const timer = setTimeout(() => void find(cancel.signal), SETTLE_MS);
    return () => {
      clearTimeout(timer);
      cancel.abort();
    };
  }, [search, open, site.value]);

  async function find(cancel: AbortSignal): Promise<void> {
    try {
      const entries = await askSeries(search.trim(), site.value, cancel);
      setFound(entries);
      setProblem(null);
    } catch (error) {
      if (cancel.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      if (error.isAbsent) setFound(knownSeries(search));
      else setProblem(error.message);
    }
    setActive(0);
  }

  function pick(entry: SeriesEntry | undefined): void {
    if (entry === undefined) return;
    toggleCharted(entry.series);
    setSearch('');
    setOpen(false);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const count = found?.length ?? 0;
    if (event.key === 'ArrowDown') setActive(open ? Math.min(count - 1, active + 1) : 0);
    else if (event.key === 'ArrowUp') setActive(Math.max(0, active - 1));
    else if (event.key === 'Enter') return pick(found?.[active]);
    else if (event.key === 'Escape') return setOpen(false);
    else return;
    event.preventDefault();
    setOpen(true);
  }

  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  return (
    <div class="picker">
      <input
        id="series-search"
        type="text"
        class="search"
        role="combobox"
        placeholder={
          charted.value.length >= CHARTED_MAX ? `${CHARTED_MAX} series at most` : 'Add a series…  s'
        }
        aria-label="Add a series to the chart"
        aria-expanded={open}
        aria-controls="series-found"
        aria-autocomplete="list"
        aria-activedescendant={open && found?.[active] ? `series-found-${active}` : undefined}
        value={search}
        onInput={(event) => {
          setSearch(event.currentTarget.value);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {open && (
        <div class="picker-list">
          {problem !== null && <p class="word warning">{problem}</p>}
          {problem === null && found === null && <p class="muted">Looking…</p>}
          {problem === null && found?.length === 0 && <p class="muted">No series matches.</p>}
          <ul ref={list} id="series-found" role="listbox" aria-label="Series">
            {problem === null &&
              found?.map((entry, index) => (
                <li
                  key={`${entry.series} ${entry.unit}`}
                  id={`series-found-${index}`}
                  role="option"
                  aria-selected={index === active}
                  // before blur takes the list away
                  onMouseDown={(event) => {
                    event.preventDefault();
                    pick(entry);
                  }}
                >
                  <SeriesWords entry={entry} /> {charted.value.includes(entry.series) && <i>in the chart</i>}
                </li>
              ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function SeriesWords({ entry }: { entry: SeriesEntry }) {
  const [, kind = '', id = '', metric = ''] = entry.series.split('/');
  return (
    <>
      <b>{id}</b> {metric} <span class="muted">{entry.unit}</span> <span class="kind">{kind}</span>
    </>
  );
}

/** What this page has seen, for a server without a catalogue. */
function knownSeries(search: string): SeriesEntry[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found: SeriesEntry[] = [];
  for (const asset of assets.values()) {
    for (const [metric, reading] of asset.readings) {
      const series = `${asset.key}/${metric}`;
      if (typeof reading.value === 'string' || !words.every((word) => series.includes(word))) continue;
      found.push({ series, unit: reading.unit, valueType: typeof reading.value, lastMs: reading.tsMs });
    }
  }
  return found.sort((a, b) => a.series.localeCompare(b.series)).slice(0, LOCAL_LIMIT);
}
