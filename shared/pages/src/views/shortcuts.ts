// Keys that work everywhere on the page, and the list of them that the help shows.

import { useEffect } from 'preact/hooks';
import { signal } from '@preact/signals';
import type { View } from '../domain/address';
import { nextZone } from '../state/clock';
import { flipTheme, shortcutsOn } from '../state/preferences';
import { show } from '../state/view';

export const helpOpen = signal(false);

interface Shortcut {
  key: string;
  means: string;
  act: () => void;
}

const VIEW_KEYS: readonly [string, View, string][] = [
  ['1', 'overview', 'Overview'],
  ['2', 'values', 'Values'],
  ['3', 'map', 'Map'],
  ['4', 'trends', 'Trends'],
];

/** Keys without a modifier; off when the reader turns them off or types into a field. */
export const SHORTCUTS: readonly Shortcut[] = [
  ...VIEW_KEYS.map(([key, view, title]) => ({ key, means: title, act: () => show(view) })),
  { key: '/', means: 'Search the live values', act: () => focusOn('values-search') },
  { key: 's', means: 'Add a series to the chart', act: () => focusOn('series-search') },
  { key: 'g', means: 'Go to the values, map, chart in turn', act: focusNextPanel },
  { key: 'z', means: 'Next time zone: site, UTC, this computer', act: nextZone },
  { key: 't', means: 'Light or dark', act: flipTheme },
  { key: '?', means: 'This help', act: () => (helpOpen.value = !helpOpen.value) },
];

/** Keys that work while a part of the page has the focus. */
export const LOCAL_KEYS: readonly [part: string, keys: readonly [string, string][]][] = [
  [
    'Live values',
    [
      ['↑ ↓', 'Row above, row below'],
      ['Page ↑ ↓', 'A page up, a page down'],
      ['Home End', 'First row, last row'],
      ['Enter', 'Chart the series; open or close a group'],
      ['M', 'Show the asset on the map'],
    ],
  ],
  [
    'Chart',
    [
      ['← →', 'Earlier, later'],
      ['+ −', 'Zoom in, zoom out'],
      ['0', 'Back to the last preset'],
      ['L', 'Live: end at now'],
      ['Drag', 'Zoom to the stretch'],
      ['Shift + drag', 'Move in time'],
      ['Wheel', 'Zoom around the pointer'],
    ],
  ],
  [
    'Map',
    [
      ['← ↑ → ↓', 'Move'],
      ['+ −', 'Zoom'],
      ['0', 'Fit the site'],
      ['F', 'Follow the selected asset'],
    ],
  ],
];

export function useShortcuts(): void {
  useEffect(() => {
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (shortcutsOn.value === 'off' || isTyping(event.target)) return;
  const shortcut = SHORTCUTS.find(({ key }) => key === event.key);
  if (shortcut === undefined) return;
  event.preventDefault();
  shortcut.act();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null;
}

function focusOn(id: string): void {
  const element = document.getElementById(id);
  if (element !== null) return element.focus();
  show('overview');
  setTimeout(() => document.getElementById(id)?.focus()); // after the view is drawn
}

const PANELS = ['values', 'map', 'chart'];

function focusNextPanel(): void {
  const present = PANELS.map((id) => document.getElementById(id)).filter((panel) => panel !== null);
  const at = present.findIndex((panel) => panel.contains(document.activeElement));
  present[(at + 1) % present.length]?.focus();
}
