// The live values: every reading with unit, age and quality; searched, filtered, sorted.

import { computed, signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { KIND_TITLES } from '../domain/assets';
import type { Kind } from '../domain/assets';
import { numberText } from '../domain/quantities';
import { listing } from '../domain/rows';
import type { Row, SortBy, Wish, Words } from '../domain/rows';
import { nowMs } from '../state/clock';
import { assets, catalogueRevision, sourceStates } from '../state/live';
import { address, go, select, toggleCharted } from '../state/view';
import { GroupLine, ReadingLine, WordLine } from './value_rows';
import { VirtualList } from './virtual_list';

const ROW_HEIGHT_PX = 28;
const COLUMNS = 8;

const sortBy = signal<SortBy>('asset');
const descending = signal(false);
const onlyStale = signal(false);
const onlyFlagged = signal(false);
const everything = signal(false);
const closed = signal<ReadonlySet<Kind>>(new Set());

const wish = computed<Wish>(() => ({
  search: address.value.search,
  sortBy: sortBy.value,
  descending: descending.value,
  onlyStale: onlyStale.value,
  onlyFlagged: onlyFlagged.value,
  everything: everything.value,
  closed: closed.value,
}));

/** Lists change with new names, wishes and the passing of time; values within rows change more often. */
const shown = computed(() => {
  void catalogueRevision.value;
  return listing(assets.values(), wish.value, nowMs.value, wordOf);
});

export function ValuesPanel() {
  const [active, setActive] = useState(0);
  const { rows, counts, matching } = shown.value;
  return (
    <section class="panel values" aria-labelledby="values-title">
      <header class="panel-head">
        <h2 id="values-title">Live values</h2>
        <Search />
        <Toggle on={onlyStale} count={counts.stale} word="stale" />
        <Toggle on={onlyFlagged} count={counts.flagged} word="flagged" />
        <label class="check" title="Also coordinates, boot numbers and the like">
          <input
            type="checkbox"
            checked={everything.value}
            onChange={(event) => (everything.value = event.currentTarget.checked)}
          />
          all metrics
        </label>
        <span class="count muted" role="status">
          {matching === counts.readings
            ? numberText(matching)
            : `${numberText(matching)} of ${numberText(counts.readings)}`}
        </span>
      </header>
      {rows.length === 0 ? (
        <Empty />
      ) : (
        <VirtualList
          id="values"
          label="Live values"
          count={rows.length}
          columns={COLUMNS}
          rowHeightPx={ROW_HEIGHT_PX}
          active={Math.min(active, rows.length - 1)}
          onActive={setActive}
          onKey={(event) => onKey(event, rows[active])}
          head={<Head />}
          row={(index) => (
            <Line
              key={keyOf(rows[index]!)}
              row={rows[index]!}
              index={index}
              isActive={index === active}
              onActive={setActive}
            />
          )}
        />
      )}
    </section>
  );
}

function Line(props: { row: Row; index: number; isActive: boolean; onActive: (index: number) => void }) {
  const { row } = props;
  const frame = {
    id: `values-${props.index}`,
    index: props.index,
    isActive: props.isActive,
    onPick: () => props.onActive(props.index),
  };
  if (row.type === 'group')
    return <GroupLine row={row} frame={frame} onToggle={() => toggleGroup(row.kind)} />;
  if (row.type === 'word') return <WordLine row={row} frame={frame} />;
  return <ReadingLine row={row} frame={frame} nowMs={nowMs.value} />;
}

function keyOf(row: Row): string {
  if (row.type === 'reading') return row.series;
  return row.type === 'word' && row.asset ? `place ${row.asset.key}` : `${row.type} ${row.kind}`;
}

function onKey(event: KeyboardEvent, row: Row | undefined): void {
  if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Enter') {
    event.preventDefault();
    if (row.type === 'group') toggleGroup(row.kind);
    else if (row.type === 'reading') toggleCharted(row.series);
  } else if (event.key.toLowerCase() === 'm' && row.type === 'reading' && row.asset.place !== null) {
    event.preventDefault();
    select(row.asset.key);
  }
}

function toggleGroup(kind: Kind): void {
  const next = new Set(closed.value);
  if (!next.delete(kind)) next.add(kind);
  closed.value = next;
}

/** Why a kind has no rows, when that is worth a sentence. */
const wordOf: Words = (kind) => {
  const state = sourceStates.value.get(kind);
  if (state?.state === 'refused') return { text: `${KIND_TITLES[kind]}: ${state.detail}`, weight: 'note' };
  if (state?.state === 'failed') return { text: `Not refreshed: ${state.detail}`, weight: 'warning' };
  return null;
};

function Search() {
  return (
    <input
      id="values-search"
      class="search"
      type="search"
      placeholder="Search asset, metric, zone…  /"
      aria-label="Search the live values"
      value={address.value.search}
      onInput={(event) => go({ search: event.currentTarget.value })}
      onKeyDown={(event) => {
        if (event.key === 'ArrowDown') document.getElementById('values')?.focus();
      }}
    />
  );
}

function Toggle({ on, count, word }: { on: typeof onlyStale; count: number; word: string }) {
  return (
    <button
      class={`chip ${count > 0 ? word : ''}`}
      aria-pressed={on.value}
      onClick={() => (on.value = !on.value)}
    >
      <b>{numberText(count)}</b> {word}
    </button>
  );
}

const HEADS: readonly [SortBy, string, string][] = [
  ['asset', 'Asset', 'c-asset'],
  ['metric', 'Metric', 'c-metric'],
  ['value', 'Value', 'c-value'],
];

function Head() {
  return (
    <div class="row head" role="row" aria-rowindex={1}>
      {HEADS.map(([by, title, column]) => (
        <SortHead key={by} by={by} title={title} column={column} />
      ))}
      <span role="columnheader" class="c-unit">
        Unit
      </span>
      <span role="columnheader" class="c-trend">
        Trend
      </span>
      <SortHead by="age" title="Age" column="c-age" />
      <SortHead by="quality" title="Quality" column="c-quality" />
      <span role="columnheader" class="c-chart" aria-label="Chart" />
    </div>
  );
}

function SortHead({ by, title, column }: { by: SortBy; title: string; column: string }) {
  const current = sortBy.value === by;
  const direction = descending.value ? 'descending' : 'ascending';
  return (
    <span role="columnheader" class={column} aria-sort={current ? direction : 'none'}>
      <button class="sort" tabIndex={-1} onClick={() => sortOn(by)} title={`Sort by ${title.toLowerCase()}`}>
        {title}
        <i aria-hidden="true">{current ? (descending.value ? '▾' : '▴') : ''}</i>
      </button>
    </span>
  );
}

function sortOn(by: SortBy): void {
  descending.value = sortBy.value === by ? !descending.value : by === 'age' || by === 'quality';
  sortBy.value = by;
}

function Empty() {
  const states = [...sourceStates.value.values()];
  const failed = states.find((state) => state.state === 'failed');
  const { search } = address.value;
  if (states.length === 0 || states.some(({ state }) => state === 'loading')) {
    return (
      <p class="empty" role="status">
        Loading the newest values…
      </p>
    );
  }
  if (failed !== undefined && failed.state === 'failed') {
    return (
      <p class="empty warning" role="status">
        The values cannot be loaded: {failed.detail} Asking again by itself.
      </p>
    );
  }
  if (search !== '' || onlyStale.value || onlyFlagged.value) {
    return (
      <p class="empty" role="status">
        No reading matches. <button onClick={clearFilters}>Show all readings</button>
      </p>
    );
  }
  return (
    <p class="empty" role="status">
      No device of this site has reported yet. Devices appear here with their first message on{' '}
      <code>mine/v1/…/telemetry</code>.
    </p>
  );
}

function clearFilters(): void {
  onlyStale.value = false;
  onlyFlagged.value = false;
  go({ search: '' });
}
